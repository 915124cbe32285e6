//! Frames and messages for tests, built field by field from their specifications.
pub(crate) const CLIENT: [u8; 4] = [10, 0, 0, 1];
pub(crate) const SERVER: [u8; 4] = [192, 0, 2, 80];

/// A field of two bytes.
pub(crate) fn half(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &kind.to_be_bytes()[..], payload].concat()
}

pub(crate) fn ipv4(source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = half(20 + payload.len());
    [&[0x45, 0], &length[..], &[0, 9, 0, 0, 64, protocol, 0, 0], &source, &destination, payload].concat()
}

/// Between 2001:db8::1 and 2001:db8::2.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let address = |last| [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let length = half(payload.len());
    [&[0x60, 0, 0, 0], &length[..], &[next, 64], &address(1), &address(2), payload].concat()
}

pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = half(8 + payload.len());
    [&source.to_be_bytes(), &destination.to_be_bytes(), &length, &[0, 0][..], payload].concat()
}

/// One TCP segment without options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub source: u16,
    pub destination: u16,
    pub sequence: u32,
    pub flags: u8,
    pub window: u16,
}

impl Segment {
    pub(crate) fn bytes(&self, payload: &[u8]) -> Vec<u8> {
        let ports = [self.source.to_be_bytes(), self.destination.to_be_bytes()].concat();
        let window = self.window.to_be_bytes();
        let rest = [&[0, 0, 0, 1, 0x50, self.flags], &window[..], &[0, 0, 0, 0], payload].concat();
        [&ports[..], &self.sequence.to_be_bytes(), &rest].concat()
    }
}

/// What a ClientHello carries besides what it must.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hello<'a> {
    pub name: Option<&'a str>,
    /// Bytes of key share: 1,216 for a post-quantum one, 32 for a classic one.
    pub share: usize,
    /// An encrypted_client_hello extension of random content (RFC 9849 section 6.2).
    pub grease: bool,
}

impl Hello<'_> {
    /// The handshake message (RFC 8446 section 4.1.2), without records.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut extension = |kind: u16, content: &[u8]| {
            extensions.extend([&kind.to_be_bytes()[..], &half(content.len()), content].concat());
        };
        extension(51, &vec![0x5a; self.share]);
        if self.grease {
            extension(0xfe0d, &[0xa5; 186]);
        }
        if let Some(name) = self.name {
            let name = name.as_bytes();
            extension(0, &[&half(name.len() + 3)[..], &[0], &half(name.len()), name].concat());
        }
        extension(43, &[2, 3, 4]);
        let length = half(extensions.len());
        let fixed = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
        let body = [&fixed, &length[..], &extensions].concat();
        [&[1, 0][..], &half(body.len()), &body].concat()
    }

    /// In one record.
    pub(crate) fn record(&self) -> Vec<u8> {
        let message = self.message();
        [&[22, 3, 1], &half(message.len())[..], &message].concat()
    }
}

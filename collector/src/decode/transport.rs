//! Transport headers: TCP (RFC 9293), UDP (RFC 768), ICMP echo (RFC 792, 4443), SCTP (RFC 9260).

/// From a header's first byte to where the IP packet ends on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub at: usize,
    pub end: usize,
}

/// A place in a frame, or a part's length. No frame is longer: the length on the wire has 32 bits.
#[inline]
pub(super) fn within(frame: usize) -> u32 {
    u32::try_from(frame).unwrap_or(u32::MAX)
}

/// What the transport header says, where it is whole.
#[derive(Debug)]
pub enum Transport<'a> {
    Tcp(Tcp<'a>),
    Udp {
        source_port: u16,
        destination_port: u16,
        payload: Payload<'a>,
    },
    Sctp {
        source_port: u16,
        destination_port: u16,
    },
    /// An ICMP or ICMPv6 echo request or reply.
    Echo {
        identifier: u16,
    },
    /// A protocol without ports, known by its number.
    Portless,
    /// Later fragment, cut header, or an ICMP message that is no echo: belongs to no flow.
    None,
}

impl Transport<'_> {
    /// Of so many bytes from the transport header on, those above it.
    #[inline]
    pub(super) fn payload_length(&self, all: u32) -> u32 {
        match self {
            Self::Tcp(tcp) => tcp.payload.length,
            Self::Udp { payload, .. } => payload.length,
            Self::Sctp { .. } => all.saturating_sub(12),
            Self::Echo { .. } => all.saturating_sub(8),
            Self::Portless | Self::None => all,
        }
    }
}

#[derive(Debug)]
pub struct Tcp<'a> {
    pub source_port: u16,
    pub destination_port: u16,
    pub sequence: u32,
    pub flags: u8,
    pub window: u16,
    pub payload: Payload<'a>,
}

/// A transport's payload, as far as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    pub data: &'a [u8],
    /// On the wire.
    pub length: u32,
}

impl Payload<'_> {
    pub fn is_whole(&self) -> bool {
        self.data.len() >= self.length as usize
    }
}

/// None: the header contradicts itself or runs past the packet. Of a first fragment only the header itself is checked.
#[inline]
pub(super) fn transport(data: &[u8], span: Span, protocol: u8, fragment: bool) -> Option<Transport<'_>> {
    match protocol {
        6 => tcp(data, span, fragment),
        17 => udp(data, span, fragment),
        1 => echo(data, span, fragment, [8, 0]),
        58 => echo(data, span, fragment, [128, 129]),
        132 => {
            let Some(head) = fixed::<12>(data, span, fragment)? else { return Some(Transport::None) };
            let [s0, s1, d0, d1, ..] = *head;
            let (source_port, destination_port) =
                (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
            Some(Transport::Sctp { source_port, destination_port })
        }
        _ => Some(Transport::Portless),
    }
}

/// The fixed header: None where it cannot be on the wire, Some(None) where it was not captured.
#[inline]
#[expect(clippy::option_option, reason = "impossible and not captured are different findings")]
fn fixed<const N: usize>(data: &[u8], span: Span, fragment: bool) -> Option<Option<&[u8; N]>> {
    if span.at + N > span.end {
        return if fragment { Some(None) } else { None };
    }
    Some(data.get(span.at..).and_then(<[u8]>::first_chunk))
}

#[inline]
fn payload(data: &[u8], at: usize, end: usize) -> Payload<'_> {
    Payload {
        data: data.get(at..end.min(data.len())).unwrap_or_default(),
        length: within(end.saturating_sub(at)),
    }
}

#[inline]
fn tcp(data: &[u8], span: Span, fragment: bool) -> Option<Transport<'_>> {
    let Some(head) = fixed::<20>(data, span, fragment)? else { return Some(Transport::None) };
    let [s0, s1, d0, d1, q0, q1, q2, q3, _, _, _, _, offset, flags, w0, w1, ..] = *head;
    let length = usize::from(offset >> 4) * 4;
    if length < 20 || (span.at + length > span.end && !fragment) {
        return None;
    }
    Some(Transport::Tcp(Tcp {
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
        sequence: u32::from_be_bytes([q0, q1, q2, q3]),
        flags,
        window: u16::from_be_bytes([w0, w1]),
        payload: payload(data, span.at + length, span.end),
    }))
}

#[inline]
fn udp(data: &[u8], span: Span, fragment: bool) -> Option<Transport<'_>> {
    let Some(head) = fixed::<8>(data, span, fragment)? else { return Some(Transport::None) };
    let [s0, s1, d0, d1, l0, l1, ..] = *head;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if length < 8 || (span.at + length > span.end && !fragment) {
        return None;
    }
    Some(Transport::Udp {
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
        payload: payload(data, span.at + 8, span.end.min(span.at + length)),
    })
}

#[inline]
fn echo(data: &[u8], span: Span, fragment: bool, types: [u8; 2]) -> Option<Transport<'_>> {
    let Some(head) = fixed::<4>(data, span, fragment)? else { return Some(Transport::None) };
    if !types.contains(&head[0]) {
        return Some(Transport::None);
    }
    let Some(head) = fixed::<8>(data, span, fragment)? else { return Some(Transport::None) };
    Some(Transport::Echo { identifier: u16::from_be_bytes([head[4], head[5]]) })
}

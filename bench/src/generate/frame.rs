//! One frame under construction: link and network headers, checksums.
use super::hosts;

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const PSH: u8 = 8;
pub(super) const ACK: u8 = 16;

/// A fragment's place: offset in units of 8 bytes, whether more follow, and its datagram's identification.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment {
    pub(super) offset: u16,
    pub(super) more: bool,
    pub(super) identification: u32,
}

/// From one host to another, over IPv4 or IPv6.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub(super) v6: bool,
    pub(super) source: usize,
    pub(super) destination: usize,
}

#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    identification: u16,
}

impl Frame {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn put_u16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }

    /// Starts the frame anew with an Ethernet header for an IP packet.
    pub(super) fn start(&mut self, path: Path, vlan: u16) {
        self.ethernet(path, vlan, if path.v6 { 0x86dd } else { 0x0800 });
    }

    pub(super) fn ethernet(&mut self, path: Path, vlan: u16, ethertype: u16) {
        self.bytes.clear();
        self.push(&hosts::mac(path.destination));
        self.push(&hosts::mac(path.source));
        if vlan >= super::plan::QINQ {
            self.push(&[0x88, 0xa8]);
            self.push(&100u16.to_be_bytes());
        }
        if vlan != 0 {
            self.push(&[0x81, 0x00]);
            self.push(&(vlan & 0xfff).to_be_bytes());
        }
        self.push(&ethertype.to_be_bytes());
    }

    /// IP header for `length` bytes of payload.
    pub(super) fn ip(&mut self, path: Path, protocol: u8, length: usize, fragment: Option<Fragment>) {
        if path.v6 {
            self.ipv6(path, protocol, length, fragment)
        } else {
            self.ipv4(path, protocol, length, fragment)
        }
    }

    fn ipv6(&mut self, path: Path, protocol: u8, length: usize, fragment: Option<Fragment>) {
        let extension = if fragment.is_some() { 8 } else { 0 };
        self.push(&[0x60, 0, 0, 0]);
        self.push(&((length + extension) as u16).to_be_bytes());
        self.push(&[if fragment.is_some() { 44 } else { protocol }, 64]);
        self.push(&hosts::ipv6(path.source));
        self.push(&hosts::ipv6(path.destination));
        if let Some(fragment) = fragment {
            self.push(&[protocol, 0]);
            self.push(&((fragment.offset << 3) | fragment.more as u16).to_be_bytes());
            self.push(&fragment.identification.to_be_bytes());
        }
    }

    fn ipv4(&mut self, path: Path, protocol: u8, length: usize, fragment: Option<Fragment>) {
        let at = self.len();
        self.identification = self.identification.wrapping_add(1);
        let (identification, offset) = match fragment {
            Some(part) => (part.identification as u16, part.offset | (part.more as u16) << 13),
            None => (self.identification, 0x4000),
        };
        self.push(&[0x45, 0]);
        self.push(&((length + 20) as u16).to_be_bytes());
        self.push(&identification.to_be_bytes());
        self.push(&offset.to_be_bytes());
        self.push(&[64, protocol, 0, 0]);
        self.push(&hosts::ipv4(path.source));
        self.push(&hosts::ipv4(path.destination));
        let checksum = fold(sum(&self.bytes[at..]));
        self.put_u16(at + 10, checksum);
    }

    /// The checksum of a transport message that begins at `at`, pseudo header included (RFC 9293 section 3.1).
    pub(super) fn transport_checksum(&self, at: usize, path: Path, protocol: u8) -> u16 {
        let addresses = if path.v6 {
            sum(&hosts::ipv6(path.source)) + sum(&hosts::ipv6(path.destination))
        } else {
            sum(&hosts::ipv4(path.source)) + sum(&hosts::ipv4(path.destination))
        };
        let message = &self.bytes[at..];
        fold(sum(message) + addresses + u64::from(protocol) + message.len() as u64)
    }

    pub(super) fn plain_checksum(&self, at: usize) -> u16 {
        fold(sum(&self.bytes[at..]))
    }
}

/// Sum of 16-bit words, unfolded (RFC 1071). A last odd byte counts as the word's first.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let mut pairs = bytes.chunks_exact(2);
    let mut sum: u64 = (&mut pairs).map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    if let [odd] = pairs.remainder() {
        sum += u64::from(*odd) << 8;
    }
    sum
}

pub(crate) fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

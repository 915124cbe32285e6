//! Header facts of a frame, and what its payload says. Bytes are hostile: every read is bounded by what was captured, every
//! length that the frame claims is compared with its length on the wire.
pub mod application;
mod describe;
mod ip;
mod link;
mod transport;

pub use describe::{Described, describe};
pub use ip::{Fragment, Ip, address};
pub use link::Link;
pub use transport::{Payload, Tcp, Transport};

/// A frame's facts up to its transport header.
#[derive(Debug)]
pub struct Frame<'a> {
    /// VLAN tags, outer and inner.
    pub tags: u8,
    /// The outer VLAN id, 0 without a tag.
    pub vlan: u16,
    /// Whether this interface sent it, where the link layer says so (Linux cooked).
    pub sent: Option<bool>,
    pub source_mac: Option<[u8; 6]>,
    pub destination_mac: Option<[u8; 6]>,
    /// Where the network header begins.
    pub network_at: usize,
    pub content: Content<'a>,
}

/// What is in the frame; a frame that does not decode is data, not an error.
#[derive(Debug)]
pub enum Content<'a> {
    Ip(Ip<'a>),
    Arp,
    /// Another network protocol.
    Other,
    /// A header contradicts itself or runs past the frame.
    Malformed,
    /// Captured too short to tell.
    Cut,
}

/// Bytes of a header at a place, or why they are not there.
#[inline]
fn header<const N: usize>(data: &[u8], at: usize, wire: usize) -> Result<&[u8; N], Content<'static>> {
    data.get(at..).and_then(<[u8]>::first_chunk).ok_or(if at + N > wire {
        Content::Malformed
    } else {
        Content::Cut
    })
}

/// Decodes one frame of `wire` bytes of which `data` was captured.
#[inline]
pub fn decode(link: Link, wire: u32, data: &[u8]) -> Frame<'_> {
    let mut frame = Frame {
        tags: 0,
        vlan: 0,
        sent: None,
        source_mac: None,
        destination_mac: None,
        network_at: 0,
        content: Content::Other,
    };
    let wire = (wire as usize).max(data.len());
    frame.content = match link::network(link, &mut frame, data, wire) {
        Err(content) => content,
        Ok(link::Network::Ipv4(at)) => ip::version_4(data, at, wire),
        Ok(link::Network::Ipv6(at)) => ip::version_6(data, at, wire),
        Ok(link::Network::Arp(at)) => arp(data, at, wire),
        Ok(link::Network::Other) => Content::Other,
    };
    frame
}

/// RFC 826: eight bytes, then two pairs of addresses.
fn arp<'a>(data: &'a [u8], at: usize, wire: usize) -> Content<'a> {
    match header::<8>(data, at, wire) {
        Ok(head) if at + 8 + 2 * (usize::from(head[4]) + usize::from(head[5])) > wire => Content::Malformed,
        Err(Content::Malformed) => Content::Malformed,
        _ => Content::Arp,
    }
}

#[cfg(test)]
mod tests;

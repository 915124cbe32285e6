//! IPv4 (RFC 791), IPv6 and its extension headers (RFC 8200), the authentication header of both (RFC 4302).
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::transport::{self, Span, Transport, within};
use super::{Content, header};

/// A whole and valid IP header.
#[derive(Debug)]
pub struct Ip<'a> {
    pub version_6: bool,
    /// IPv4 addresses are the first four bytes, the rest is zero.
    pub source: [u8; 16],
    pub destination: [u8; 16],
    /// The final protocol, past extension headers.
    pub protocol: u8,
    pub fragment: Fragment,
    pub transport: Transport<'a>,
    /// Where the transport header begins.
    pub transport_at: u32,
    /// Bytes above the transport header on the wire; of later fragments and of what was cut all that follows IP.
    pub payload_length: u32,
}

/// A datagram's part, with its identification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    Whole,
    First(u32),
    Later(u32),
}

/// An address in the form of a flow key.
pub fn address(version_6: bool, bytes: &[u8; 16]) -> IpAddr {
    if version_6 {
        IpAddr::V6(Ipv6Addr::from(*bytes))
    } else {
        let [a, b, c, d, ..] = *bytes;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    }
}

const NO_NEXT_HEADER: u8 = 59;
const AUTHENTICATION: u8 = 51;
const TCP: u8 = 6;

#[inline]
pub(super) fn version_4<'a>(data: &'a [u8], at: usize, wire: usize) -> Content<'a> {
    let head: &[u8; 20] = match header(data, at, wire) {
        Ok(head) => head,
        Err(content) => return content,
    };
    let length = usize::from(head[0] & 15) * 4;
    let mut total = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let mut protocol = head[9];
    if head[0] >> 4 != 4 || length < 20 || at + length > wire {
        return Content::Malformed;
    }
    if at + length > data.len() {
        return Content::Cut;
    }
    if total == 0 && protocol == TCP {
        total = wire - at; // segmentation offload
    }
    if total < length || at + total > wire {
        return Content::Malformed;
    }
    let place = u16::from_be_bytes([head[6], head[7]]);
    let identification = u32::from(u16::from_be_bytes([head[4], head[5]]));
    let fragment = match (place & 0x1fff, place & 0x2000 != 0) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First(identification),
        _ => Fragment::Later(identification),
    };
    let mut span = Span { at: at + length, end: at + total };
    let mut cut = false;
    if protocol == AUTHENTICATION && !matches!(fragment, Fragment::Later(_)) {
        match extension(data, &mut span, protocol) {
            Ok(next) => protocol = next,
            Err(Content::Cut) => cut = true,
            Err(_) if fragment == Fragment::Whole => return Content::Malformed,
            Err(_) => cut = true,
        }
    }
    let Some((transport, payload_length)) = above(data, span, cut, protocol, fragment) else {
        return Content::Malformed;
    };
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *head;
    Content::Ip(Ip {
        version_6: false,
        source: short([s0, s1, s2, s3]),
        destination: short([d0, d1, d2, d3]),
        protocol,
        fragment,
        transport,
        transport_at: within(span.at),
        payload_length,
    })
}

#[inline]
fn short(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[inline]
pub(super) fn version_6<'a>(data: &'a [u8], at: usize, wire: usize) -> Content<'a> {
    let head: &[u8; 40] = match header(data, at, wire) {
        Ok(head) => head,
        Err(content) => return content,
    };
    let payload = usize::from(u16::from_be_bytes([head[4], head[5]]));
    if head[0] >> 4 != 6 || at + 40 + payload > wire {
        return Content::Malformed;
    }
    let [_, _, _, _, _, _, _, _, addresses @ ..] = head;
    let (Some(source), Some(destination)) = (addresses.first_chunk(), addresses.last_chunk()) else {
        return Content::Malformed;
    };
    let (mut protocol, mut fragment) = (head[6], Fragment::Whole);
    // a payload length of zero means the frame's end where TCP follows: segmentation offload
    let mut span = Span { at: at + 40, end: if payload == 0 { wire } else { at + 40 + payload } };
    let mut cut = false;
    while is_extension(protocol) && !matches!(fragment, Fragment::Later(_)) {
        if protocol == 44 {
            fragment = fragment_header(data, span.at).unwrap_or(fragment);
        }
        match extension(data, &mut span, protocol) {
            Ok(next) => protocol = next,
            Err(Content::Malformed) if fragment == Fragment::Whole => return Content::Malformed,
            Err(_) => {
                cut = true;
                protocol = NO_NEXT_HEADER;
                break;
            }
        }
    }
    if payload == 0 && protocol != TCP {
        if span.at > at + 40 {
            return Content::Malformed;
        }
        span.end = at + 40;
    }
    let Some((transport, payload_length)) = above(data, span, cut, protocol, fragment) else {
        return Content::Malformed;
    };
    Content::Ip(Ip {
        version_6: true,
        source: *source,
        destination: *destination,
        protocol,
        fragment,
        transport,
        transport_at: within(span.at),
        payload_length,
    })
}

const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, 0 | 43 | 44 | AUTHENTICATION | 60 | 135 | 139 | 140)
}

/// Steps over one extension header: which protocol follows.
fn extension(data: &[u8], span: &mut Span, protocol: u8) -> Result<u8, Content<'static>> {
    let head: &[u8; 2] = header(data, span.at, span.end)?;
    let length = match protocol {
        44 => 8,
        AUTHENTICATION => (usize::from(head[1]) + 2) * 4,
        _ => (usize::from(head[1]) + 1) * 8,
    };
    if span.at + length > span.end {
        return Err(Content::Malformed);
    }
    if span.at + length > data.len() {
        return Err(Content::Cut);
    }
    span.at += length;
    Ok(head[0])
}

fn fragment_header(data: &[u8], at: usize) -> Option<Fragment> {
    let head: &[u8; 8] = data.get(at..)?.first_chunk()?;
    let place = u16::from_be_bytes([head[2], head[3]]);
    let identification = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    Some(match (place & 0xfff8, place & 1 != 0) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First(identification),
        _ => Fragment::Later(identification),
    })
}

/// What is above IP, and how many bytes; None where that contradicts itself.
#[inline]
fn above(
    data: &[u8],
    span: Span,
    cut: bool,
    protocol: u8,
    fragment: Fragment,
) -> Option<(Transport<'_>, u32)> {
    let length = within(span.end.saturating_sub(span.at));
    if cut || matches!(fragment, Fragment::Later(_)) {
        return Some((Transport::None, length));
    }
    let transport = transport::transport(data, span, protocol, fragment != Fragment::Whole)?;
    let length = transport.payload_length(length);
    Some((transport, length))
}

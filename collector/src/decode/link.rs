//! Link layers (<https://www.tcpdump.org/linktypes.html>) and VLAN tags (IEEE 802.1Q, 802.1ad).
use super::{Content, Frame, header};

/// A link layer that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    /// BSD loopback: the address family in either byte order.
    Loopback,
    RawIp,
    LinuxCooked,
    LinuxCooked2,
}

impl Link {
    /// From libpcap's DLT or a file's LINKTYPE number.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Ethernet),
            0 | 108 => Some(Self::Loopback),
            12 | 14 | 101 | 228 | 229 => Some(Self::RawIp),
            113 => Some(Self::LinuxCooked),
            276 => Some(Self::LinuxCooked2),
            _ => None,
        }
    }
}

/// Which network protocol follows, and where.
pub(super) enum Network {
    Ipv4(usize),
    Ipv6(usize),
    Arp(usize),
    Other,
}

const OUTGOING: u16 = 4;

/// Reads the link header and its tags.
#[inline]
pub(super) fn network(
    link: Link,
    frame: &mut Frame<'_>,
    data: &[u8],
    wire: usize,
) -> Result<Network, Content<'static>> {
    match link {
        Link::Ethernet => {
            let head: &[u8; 14] = header(data, 0, wire)?;
            let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *head;
            frame.destination_mac = Some([d0, d1, d2, d3, d4, d5]);
            frame.source_mac = Some([s0, s1, s2, s3, s4, s5]);
            ethertype(frame, data, wire, 14, u16::from_be_bytes([t0, t1]))
        }
        Link::LinuxCooked => {
            let head: &[u8; 16] = header(data, 0, wire)?;
            frame.sent = Some(u16::from_be_bytes([head[0], head[1]]) == OUTGOING);
            if head[5] == 6 {
                frame.source_mac = Some([head[6], head[7], head[8], head[9], head[10], head[11]]);
            }
            ethertype(frame, data, wire, 16, u16::from_be_bytes([head[14], head[15]]))
        }
        Link::LinuxCooked2 => {
            let head: &[u8; 20] = header(data, 0, wire)?;
            frame.sent = Some(u16::from(head[10]) == OUTGOING);
            if head[11] == 6 {
                frame.source_mac = Some([head[12], head[13], head[14], head[15], head[16], head[17]]);
            }
            ethertype(frame, data, wire, 20, u16::from_be_bytes([head[0], head[1]]))
        }
        Link::RawIp => {
            frame.network_at = 0;
            match header::<1>(data, 0, wire)?[0] >> 4 {
                4 => Ok(Network::Ipv4(0)),
                6 => Ok(Network::Ipv6(0)),
                _ => Err(Content::Malformed),
            }
        }
        Link::Loopback => loopback(frame, data, wire),
    }
}

/// The address families that systems give IPv6: 10 Linux, 24 NetBSD and OpenBSD, 28 FreeBSD, 30 macOS.
fn loopback(frame: &mut Frame<'_>, data: &[u8], wire: usize) -> Result<Network, Content<'static>> {
    let family = u32::from_be_bytes(*header(data, 0, wire)?);
    frame.network_at = 4;
    Ok(match if family > 0xffff { family.swap_bytes() } else { family } {
        2 => Network::Ipv4(4),
        10 | 24 | 28 | 30 => Network::Ipv6(4),
        _ => Network::Other,
    })
}

#[inline]
fn ethertype(
    frame: &mut Frame<'_>,
    data: &[u8],
    wire: usize,
    mut at: usize,
    mut kind: u16,
) -> Result<Network, Content<'static>> {
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
        let tag: &[u8; 4] = header(data, at, wire)?;
        if frame.tags == 0 {
            frame.vlan = u16::from_be_bytes([tag[0], tag[1]]) & 0xfff;
        }
        frame.tags = frame.tags.saturating_add(1);
        kind = u16::from_be_bytes([tag[2], tag[3]]);
        at += 4;
    }
    if kind < 1536 {
        // IEEE 802.3 length, then LLC; SNAP with an OUI of zeros carries an EtherType (RFC 1042)
        let Ok([0xaa, 0xaa, 3, 0, 0, 0, t0, t1]) = header::<8>(data, at, wire) else {
            return Ok(Network::Other);
        };
        kind = u16::from_be_bytes([*t0, *t1]);
        at += 8;
    }
    frame.network_at = at;
    Ok(match kind {
        0x0800 => Network::Ipv4(at),
        0x86dd => Network::Ipv6(at),
        0x0806 => Network::Arp(at),
        _ => Network::Other,
    })
}

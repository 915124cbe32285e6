//! Network and transport headers that are whole and valid.
use super::*;
use crate::frames::{CLIENT, SERVER, Segment, ethernet, ipv4, ipv6, udp};

const SEGMENT: Segment = Segment { source: 40_000, destination: 443, sequence: 7, flags: 0x18, window: 100 };

/// An extension header of 8 bytes, of 24 with `more`.
fn extension(next: u8, more: u8) -> Vec<u8> {
    let mut header = vec![next, more];
    header.resize(8 + 8 * usize::from(more), 0);
    header
}

fn fragment(next: u8, place: u16) -> Vec<u8> {
    [&[next, 0], &place.to_be_bytes()[..], &[0, 0, 0, 42]].concat()
}

fn authentication(next: u8) -> Vec<u8> {
    [&[next, 4][..], &[0; 22]].concat() // RFC 4302: length in words of four bytes, minus two
}

fn of_version_6(next: u8, headers: &[Vec<u8>]) -> Vec<u8> {
    ethernet(0x86dd, &ipv6(next, &headers.concat()))
}

#[track_caller]
fn assert_segment(packet: &Ip<'_>, payload: &[u8]) {
    let Transport::Tcp(tcp) = &packet.transport else { panic!("no segment but {:?}", packet.transport) };
    assert_eq!((tcp.source_port, tcp.destination_port, tcp.sequence), (40_000, 443, 7));
    assert_eq!((tcp.flags, tcp.window), (0x18, 100));
    assert_eq!((tcp.payload.data, tcp.payload.length as usize), (payload, payload.len()));
}

#[test]
fn options_of_version_4_are_stepped_over() {
    let mut packet = ipv4(CLIENT, SERVER, 6, &[&[1; 12], &SEGMENT.bytes(b"data")[..]].concat());
    packet[0] = 0x48;
    assert_segment(&ip(whole(Link::Ethernet, &ethernet(0x0800, &packet))), b"data");
}

#[test]
fn padding_behind_the_packet_is_no_payload() {
    let mut frame = ethernet(0x0800, &ipv4(CLIENT, SERVER, 6, &SEGMENT.bytes(b"")));
    frame.resize(60, 0xee);
    assert_segment(&ip(whole(Link::Ethernet, &frame)), b"");
    let mut frame = of_version_6(17, &[udp(1, 2, b"ab")]);
    frame.extend([0xee; 30]);
    let Transport::Udp { payload, .. } = ip(whole(Link::Ethernet, &frame)).transport else { panic!() };
    assert_eq!(payload.data, b"ab");
}

#[test]
fn options_of_tcp_are_no_payload() {
    let mut segment = SEGMENT.bytes(&[&[1; 12], &b"data"[..]].concat());
    segment[12] = 0x80;
    assert_segment(
        &ip(whole(Link::Ethernet, &ethernet(0x0800, &ipv4(CLIENT, SERVER, 6, &segment)))),
        b"data",
    );
}

#[test]
fn chains_of_extension_headers_are_walked_to_the_transport() {
    let chains = [
        (0, vec![extension(6, 0)]),
        (0, vec![extension(60, 2), extension(43, 0), extension(60, 1), extension(6, 0)]),
        (51, vec![authentication(6)]),
        (0, vec![extension(51, 0), authentication(60), extension(6, 0)]),
        (44, vec![fragment(6, 0)]),
        (135, vec![extension(139, 0), extension(140, 0), extension(6, 0)]),
    ];
    for (next, mut headers) in chains {
        headers.push(SEGMENT.bytes(b"data"));
        let frame = of_version_6(next, &headers);
        let packet = ip(whole(Link::Ethernet, &frame));
        assert_segment(&packet, b"data");
        assert_eq!((packet.protocol, packet.fragment), (6, Fragment::Whole));
    }
}

#[test]
fn the_authentication_header_of_version_4_is_walked() {
    let packet = ipv4(CLIENT, SERVER, 51, &[authentication(6), SEGMENT.bytes(b"data")].concat());
    assert_segment(&ip(whole(Link::Ethernet, &ethernet(0x0800, &packet))), b"data");
}

#[test]
fn tunnels_are_not_opened() {
    let inner = ipv4(CLIENT, SERVER, 6, &SEGMENT.bytes(b""));
    for protocol in [4, 41, 47, 50, 94, 115] {
        let frame = ethernet(0x0800, &ipv4(CLIENT, SERVER, protocol, &inner));
        let packet = ip(whole(Link::Ethernet, &frame));
        assert_eq!(packet.protocol, protocol);
        assert!(matches!(packet.transport, Transport::Portless));
    }
}

#[test]
fn no_next_header_ends_a_packet() {
    let packet_of = |frame: &[u8]| ip(whole(Link::Ethernet, frame)).protocol;
    assert_eq!(packet_of(&of_version_6(59, &[])), 59);
    assert_eq!(packet_of(&of_version_6(0, &[extension(59, 0)])), 59);
}

#[test]
fn fragments_of_version_4_are_told_apart() {
    for (place, expected) in [
        (0x2000u16, Fragment::First(9)),
        (0x4000, Fragment::Whole),
        (0x2001, Fragment::Later(9)),
        (0x0001, Fragment::Later(9)),
    ] {
        let mut packet = ipv4(CLIENT, SERVER, 17, &udp(1, 2, &[0; 24]));
        packet[6..8].copy_from_slice(&place.to_be_bytes());
        let frame = ethernet(0x0800, &packet);
        let packet = ip(whole(Link::Ethernet, &frame));
        assert_eq!((packet.fragment, packet.protocol), (expected, 17), "{place:#x}");
        let has_ports = matches!(packet.transport, Transport::Udp { .. });
        assert_eq!(has_ports, !matches!(expected, Fragment::Later(_)));
    }
}

#[test]
fn fragments_of_version_6_are_told_apart() {
    for (place, expected) in
        [(1, Fragment::First(42)), (8, Fragment::Later(42)), (9, Fragment::Later(42)), (0, Fragment::Whole)]
    {
        // what follows a later fragment's header is data, also where it looks like another extension
        let next = if matches!(expected, Fragment::Later(_)) { 60 } else { 17 };
        let frame = of_version_6(0, &[extension(44, 0), fragment(next, place), udp(1, 2, &[0; 24])]);
        let packet = ip(whole(Link::Ethernet, &frame));
        assert_eq!((packet.fragment, packet.protocol), (expected, next), "{place}");
    }
}

#[test]
fn a_first_fragments_udp_length_is_not_compared_with_its_end() {
    let mut datagram = udp(1, 2, &[0; 24]);
    datagram[4..6].copy_from_slice(&3000u16.to_be_bytes());
    let mut packet = ipv4(CLIENT, SERVER, 17, &datagram);
    assert_eq!(kind(&whole(Link::Ethernet, &ethernet(0x0800, &packet))), "malformed");
    packet[6] = 0x20;
    let frame = ethernet(0x0800, &packet);
    assert!(matches!(ip(whole(Link::Ethernet, &frame)).transport, Transport::Udp { .. }));
}

#[test]
fn a_length_of_zero_in_a_tcp_packet_means_the_frames_end() {
    let mut packet = ipv4(CLIENT, SERVER, 6, &SEGMENT.bytes(&[7; 3000]));
    packet[2..4].copy_from_slice(&[0, 0]);
    assert_segment(&ip(whole(Link::Ethernet, &ethernet(0x0800, &packet))), &[7; 3000]);
    let mut packet = ipv6(6, &SEGMENT.bytes(&[7; 3000]));
    packet[4..6].copy_from_slice(&[0, 0]);
    assert_segment(&ip(whole(Link::Ethernet, &ethernet(0x86dd, &packet))), &[7; 3000]);
}

#[test]
fn only_echoes_belong_to_a_flow_of_icmp() {
    for (protocol, kind, echo) in [
        (1, 8, true),
        (1, 0, true),
        (1, 3, false),
        (1, 11, false),
        (58, 128, true),
        (58, 129, true),
        (58, 135, false),
    ] {
        let message = [kind, 0, 0, 0, 0x12, 0x34, 0, 1];
        let frame = if protocol == 1 {
            ethernet(0x0800, &ipv4(CLIENT, SERVER, 1, &message))
        } else {
            of_version_6(58, &[message.to_vec()])
        };
        let transport = ip(whole(Link::Ethernet, &frame)).transport;
        assert_eq!(matches!(transport, Transport::Echo { identifier: 0x1234 }), echo, "{protocol} {kind}");
        assert_eq!(matches!(transport, Transport::None), !echo);
    }
}

#[test]
fn sctp_has_ports() {
    let frame =
        ethernet(0x0800, &ipv4(CLIENT, SERVER, 132, &[0x0b, 0x59, 0x0b, 0x5a, 0, 0, 0, 0, 0, 0, 0, 0]));
    let transport = ip(whole(Link::Ethernet, &frame)).transport;
    assert!(matches!(transport, Transport::Sctp { source_port: 2905, destination_port: 2906 }));
}

//! What a packet's line says, and that no byte of payload is among the header's.
use proptest::prelude::*;

use super::*;
use crate::frames::{CLIENT, Hello, SERVER, Segment, ethernet, ipv4, ipv6, udp};

fn described(frame: &[u8]) -> Described {
    let own = OwnAddresses::new(vec![CLIENT.into()], Some([2, 0, 0, 0, 0, 2]));
    describe(1, &own, u32::try_from(frame.len()).unwrap(), frame)
}

fn segment(destination: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let segment = Segment { source: 40_000, destination, sequence: 1, flags, window: 1 };
    ethernet(0x0800, &ipv4(CLIENT, SERVER, 6, &segment.bytes(payload)))
}

fn datagram(destination: u16, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, &udp(40_000, destination, payload)))
}

fn arp(operation: u8) -> Vec<u8> {
    let sender = [2, 0, 0, 0, 0, 2, 10, 0, 0, 1];
    let target = [0, 0, 0, 0, 0, 0, 10, 0, 0, 9];
    ethernet(0x0806, &[&[0, 1, 8, 0, 6, 4, 0, operation], &sender[..], &target].concat())
}

#[test]
fn arp_says_who_asks_for_whom() {
    assert_eq!(described(&arp(1)).detail, "who has 10.0.0.9? tell 10.0.0.1");
    assert_eq!(described(&arp(2)).detail, "10.0.0.1 is here");
    assert_eq!(described(&arp(9)).detail, "arp operation 9");
    assert_eq!(described(&arp(1)).direction, Direction::Egress);
    let mut padded = arp(1);
    padded.resize(60, 0xee);
    assert_eq!(described(&padded).header_length, 42, "what pads the frame may be anything");
}

#[test]
fn icmp_says_its_type() {
    for (message, detail) in [
        ([8, 0, 0, 0, 0x12, 0x34, 0, 1], "echo request id 4660"),
        ([0, 0, 0, 0, 0x12, 0x34, 0, 1], "echo reply id 4660"),
        ([3, 3, 0, 0, 0, 0, 0, 0], "port unreachable"),
        ([3, 1, 0, 0, 0, 0, 0, 0], "host unreachable"),
        ([3, 4, 0, 0, 0, 0, 5, 0xdc], "fragmentation needed"),
        ([11, 0, 0, 0, 0, 0, 0, 0], "time exceeded"),
        ([99, 7, 0, 0, 0, 0, 0, 0], "type 99, code 7"),
    ] {
        let frame = ethernet(0x0800, &ipv4(CLIENT, SERVER, 1, &[&message[..], b"quoted"].concat()));
        let described = described(&frame);
        assert_eq!((described.detail.as_str(), described.header_length), (detail, 42));
    }
    for (kind, detail) in [
        (128, "echo request id 0"),
        (135, "neighbour solicitation"),
        (2, "packet too big"),
        (143, "multicast listener"),
    ] {
        let frame = ethernet(0x86dd, &ipv6(58, &[kind, 0, 0, 0, 0, 0, 0, 0, 1, 2]));
        assert_eq!((described(&frame).detail.as_str(), described(&frame).header_length), (detail, 62));
    }
}

#[test]
fn dns_says_what_is_asked_and_answered() {
    let question = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03net\0\0\x01\0\x01";
    let line = described(&datagram(53, question));
    assert_eq!((line.application, line.detail.as_str(), line.header_length), ("dns", "www.example.net?", 42));
    let mut answer = question.to_vec();
    answer[2] = 0x81;
    assert_eq!(described(&datagram(53, &answer)).detail, "www.example.net answered");
    answer[7] = 1;
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
    assert_eq!(described(&datagram(53, &answer)).detail, "www.example.net is 192.0.2.1");
    answer.truncate(30);
    assert_eq!(described(&datagram(53, &answer)).detail, "broken message");
}

#[test]
fn segments_say_their_flags_and_direction() {
    for flags in [0x02, 0x12, 0x18, 0x11, 0x04, 0xc2] {
        let line = described(&segment(443, flags, b""));
        assert_eq!((line.tcp_flags, line.protocol), (flags, net::Transport::Tcp));
        assert_eq!((line.application, line.direction), ("https", Direction::Egress));
        assert_eq!(line.destination.map(|end| (end.address, end.port)), Some((SERVER.into(), 443)));
    }
}

#[test]
fn names_in_hellos_and_requests_are_shown_escaped() {
    let hello = |name| Hello { name: Some(name), share: 32, grease: false }.record();
    let line = described(&segment(8443, 0x18, &hello("example.net")));
    assert_eq!((line.application, line.detail.as_str()), ("https", "example.net"));
    for payload in [hello("a\x1b[31m"), b"GET / HTTP/1.1\r\nHost: a\x1b[31m\r\n\r\n".to_vec()] {
        assert_eq!(described(&segment(80, 0x18, &payload)).detail, r"a\x1b[31m");
    }
    let query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x02\x1b]\0\0\x01\0\x01";
    assert_eq!(described(&datagram(53, query)).detail, r"\x1b]?");
}

#[test]
fn a_quic_hello_in_shuffled_frames_is_named() {
    let hello = Hello { name: Some("example.net"), share: 32, grease: true }.message();
    let frames: Vec<_> = hello
        .chunks(30)
        .enumerate()
        .map(|(number, piece)| quic::tests::crypto_of(number * 30, piece))
        .collect();
    assert!(frames.len() > 8);
    let shuffled: Vec<u8> = frames.into_iter().rev().flatten().collect();
    let line = described(&datagram(443, &quic::tests::seal(1, &[7; 8], &[7; 8], 0, &shuffled)));
    assert_eq!((line.application, line.detail.as_str(), line.header_length), ("quic", "example.net", 42));
}

const SECRET: &[u8] = b"SECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRET";

#[test]
fn the_header_never_includes_payload() {
    let with_options = {
        let mut frame = segment(80, 0x18, &[&[1; 12], SECRET].concat());
        frame[46] = 0x80;
        frame
    };
    let later_fragment = {
        let mut frame = datagram(9, SECRET);
        frame[20..22].copy_from_slice(&[0, 2]);
        frame[34..].fill(b'S');
        frame
    };
    let tagged =
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5][..], &datagram(9, SECRET)[12..]].concat();
    for (what, frame, header) in [
        ("TCP", segment(80, 0x18, SECRET), 54),
        ("TCP with options", with_options, 66),
        ("UDP", datagram(9, SECRET), 42),
        ("UDP in a VLAN", tagged, 46),
        ("a later fragment", later_fragment, 34),
        ("GRE", ethernet(0x0800, &ipv4(CLIENT, SERVER, 47, SECRET)), 34),
        ("a protocol without name", ethernet(0x86dd, &ipv6(253, SECRET)), 54),
        ("another network", ethernet(0x88b5, SECRET), 14),
        (
            "ARP of other addresses",
            ethernet(0x0806, &[&[0, 1, 8, 0, 2, 2, 0, 1], &[7; 8], SECRET].concat()),
            30,
        ),
    ] {
        let line = described(&frame);
        assert_eq!(line.header_length, header, "{what}");
        assert!(!frame[..line.header_length].windows(6).any(|part| part == &SECRET[..6]), "{what}");
    }
    let line = describe(147, &OwnAddresses::default(), 48, SECRET);
    assert_eq!((line.header_length, line.detail.as_str()), (0, "link type 147"));
}

#[test]
fn what_does_not_decode_says_so() {
    let mut broken = segment(80, 0x18, SECRET);
    broken[14] = 0x44;
    assert_eq!((described(&broken).detail.as_str(), described(&broken).header_length), ("malformed", 14));
    let whole = segment(80, 0x18, SECRET);
    let cut = describe(1, &OwnAddresses::default(), 102, &whole[..30]);
    assert_eq!((cut.detail.as_str(), cut.header_length), ("cut before the network header ends", 14));
    let cut = describe(1, &OwnAddresses::default(), 102, &whole[..40]);
    assert_eq!((cut.detail.as_str(), cut.header_length), ("cut before the ports", 34));
}

proptest! {
    #[test]
    fn any_bytes_are_described_in_printable_text(
        data in proptest::collection::vec(any::<u8>(), 0..200),
        start in 0usize..6,
        link_type in prop::sample::select(vec![0, 1, 12, 108, 113, 147, 276]),
    ) {
        let frames = [
            Vec::new(),
            ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, &udp(53, 53, &data))),
            segment(80, 0x18, &data),
            datagram(443, &[&[0xc0, 0, 0, 0, 1][..], &data].concat()),
            ethernet(0x0806, &data),
            ethernet(0x86dd, &ipv6(58, &data)),
        ];
        let frame = if start == 0 { &data } else { &frames[start] };
        let line = describe(link_type, &OwnAddresses::default(), u32::try_from(frame.len()).unwrap(), frame);
        prop_assert!(line.header_length <= frame.len());
        prop_assert!(line.detail.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{}", line.detail);
    }
}

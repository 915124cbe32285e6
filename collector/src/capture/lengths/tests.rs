use pcap::{Capture, Linktype};
use proptest::prelude::*;

use super::*;

const MAC: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

fn ipv4(protocol: u8, options: usize, offset: u16, payload: &[u8]) -> Vec<u8> {
    let words = 5 + options;
    let mut header = vec![0u8; words * 4];
    header[0] = 0x40 | u8::try_from(words).unwrap();
    header[6..8].copy_from_slice(&offset.to_be_bytes());
    header[9] = protocol;
    [header, payload.to_vec()].concat()
}

fn ipv6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0u8; 40];
    header[0] = 0x60;
    header[6] = protocol;
    [header, payload.to_vec()].concat()
}

fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &[0; 4], payload].concat()
}

fn tcp(source: u16, destination: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &[0; 8], &[0x60, flags], &[0; 10], payload]
        .concat()
}

fn ethernet(tags: usize, kind: u16, packet: &[u8]) -> Vec<u8> {
    let tags = [0x81u8, 0x00, 0x00, 0x07].repeat(tags);
    [&MAC[..], &tags, &kind.to_be_bytes(), packet].concat()
}

fn kept(frame: &[u8]) -> u32 {
    let program = program(Link::Ethernet, SnapLength::Auto, None).unwrap();
    program.run(frame, u32::try_from(frame.len()).unwrap())
}

#[test]
fn what_can_carry_a_name_is_kept_long() {
    let hello = [0x16, 3, 1, 2, 0, 1];
    for tags in 0..3 {
        let v4 = |protocol, packet: &[u8]| kept(&ethernet(tags, 0x0800, &ipv4(protocol, 2, 0, packet)));
        let v6 = |protocol, packet: &[u8]| kept(&ethernet(tags, 0x86dd, &ipv6(protocol, packet)));
        assert_eq!(v4(17, &udp(40_000, 53, b"question")), LONG);
        assert_eq!(v6(17, &udp(5353, 5353, b"answer")), LONG);
        assert_eq!(v4(17, &udp(40_000, 443, &[0xc3; 30])), LONG);
        assert_eq!(v4(6, &tcp(40_000, 8443, 0x10, &hello)), LONG);
        assert_eq!(v6(6, &tcp(40_000, 80, 0x18, b"GET / HTTP/1.1")), LONG);
        assert_eq!(v6(6, &tcp(80, 40_000, 0x18, b"HTTP/1.1 200 OK")), LONG);
        assert_eq!(v4(6, &tcp(53, 40_000, 0x18, b"answer")), LONG);
        assert_eq!(v4(6, &tcp(40_000, 443, 0x18, b"rest of a hello")), LONG);
    }
}

#[test]
fn of_all_else_only_the_headers_are_kept() {
    for tags in 0..3 {
        let v4 = |protocol, packet: &[u8]| kept(&ethernet(tags, 0x0800, &ipv4(protocol, 0, 0, packet)));
        assert_eq!(v4(17, &udp(40_000, 443, &[0x43; 30])), SHORT, "QUIC short header");
        assert_eq!(v4(17, &udp(40_000, 5000, b"anything")), SHORT);
        assert_eq!(v4(6, &tcp(443, 40_000, 0x18, &[0x17, 3, 3, 0, 9])), SHORT, "TLS data");
        assert_eq!(v4(6, &tcp(40_000, 443, 0x10, &[0x17, 3, 3, 0, 9])), SHORT);
        assert_eq!(v4(1, &[0; 40]), SHORT);
        assert_eq!(kept(&ethernet(tags, 0x0800, &ipv4(17, 0, 185, &udp(1, 53, b"later fragment")))), SHORT);
        assert_eq!(kept(&ethernet(tags, 0x0806, &[0; 28])), SHORT);
    }
}

#[test]
fn joined_with_a_filter_it_keeps_what_the_filter_wants() {
    let compiled = Capture::dead(Linktype::ETHERNET).unwrap().compile("udp port 53 or tcp", true).unwrap();
    let filter = Program::from_pcap(&compiled).unwrap();
    for (snap, long, short) in [(SnapLength::Auto, LONG, SHORT), (SnapLength::Fixed(300), 300, 300)] {
        let joined = program(Link::Ethernet, snap, Some(&filter)).unwrap();
        let run = |packet: &[u8]| joined.run(packet, 100);
        assert_eq!(run(&ethernet(0, 0x0800, &ipv4(17, 0, 0, &udp(9, 53, b"question")))), long);
        assert_eq!(run(&ethernet(0, 0x0800, &ipv4(6, 0, 0, &tcp(9, 22, 0x10, b"data")))), short);
        assert_eq!(run(&ethernet(0, 0x0800, &ipv4(17, 0, 0, &udp(9, 54, b"other")))), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_packet_is_lost_however_short_or_odd(
        tags in 0usize..4,
        kind in prop_oneof![Just(0x0800u16), Just(0x86dd), Just(0x8100), Just(0x88a8), any::<u16>()],
        body in proptest::collection::vec(prop_oneof![Just(0u8), Just(6), Just(17), Just(0x45), Just(0x4f), Just(0x60), any::<u8>()], 0..120),
        cut in 0usize..200,
    ) {
        let mut frame = ethernet(tags, kind, &body);
        frame.truncate(cut);
        for (link, frame) in [(Link::Ethernet, &frame), (Link::Ip, &body)] {
            let program = program(link, SnapLength::Auto, None).unwrap();
            let kept = program.run(frame, u32::try_from(frame.len()).unwrap());
            prop_assert!(kept == SHORT || kept == LONG);
        }
    }
}

//! Every way in which a header contradicts itself or runs past the frame, and what a snap length leaves undecided.
use super::*;
use crate::frames::{CLIENT, SERVER, Segment, ethernet, ipv4, ipv6, udp};

const SEGMENT: Segment = Segment { source: 40_000, destination: 443, sequence: 7, flags: 0x18, window: 100 };

fn version_4() -> Vec<u8> {
    ethernet(0x0800, &ipv4(CLIENT, SERVER, 6, &SEGMENT.bytes(&[0; 40])))
}

fn version_6() -> Vec<u8> {
    ethernet(0x86dd, &ipv6(6, &SEGMENT.bytes(&[0; 40])))
}

fn datagram() -> Vec<u8> {
    ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, &udp(1, 2, &[0; 40])))
}

fn extended() -> Vec<u8> {
    ethernet(0x86dd, &ipv6(0, &[&[6, 0, 0, 0, 0, 0, 0, 0], &SEGMENT.bytes(&[0; 40])[..]].concat()))
}

fn changed(mut frame: Vec<u8>, at: usize, value: &[u8]) -> Vec<u8> {
    frame[at..at + value.len()].copy_from_slice(value);
    frame
}

fn shortened(mut frame: Vec<u8>, length: usize) -> Vec<u8> {
    frame.truncate(length);
    frame
}

#[test]
fn contradictions_are_malformed() {
    const AT: usize = 14; // the network header
    let cases = [
        ("an Ethernet frame of 13 bytes", shortened(version_4(), 13)),
        ("no frame at all", Vec::new()),
        ("a tag that is not whole", ethernet(0x8100, &[0, 1, 8])),
        ("an inner tag that is not whole", ethernet(0x88a8, &[0, 1, 0x81, 0, 0])),
        ("ARP of 7 bytes", ethernet(0x0806, &[0, 1, 8, 0, 6, 4, 0])),
        ("ARP whose addresses run past the end", ethernet(0x0806, &[0, 1, 8, 0, 6, 4, 0, 1, 0, 0])),
        ("IPv4 of 19 bytes", shortened(version_4(), AT + 19)),
        ("a header length of 4 words", changed(version_4(), AT, &[0x44])),
        (
            "a header length past the end",
            changed(ethernet(0x0800, &ipv4(CLIENT, SERVER, 99, &[])), AT, &[0x46]),
        ),
        ("version 6 in an IPv4 frame", changed(version_4(), AT, &[0x65])),
        ("version 4 in an IPv6 frame", changed(version_6(), AT, &[0x40])),
        ("a total length past the end", changed(version_4(), AT + 2, &[0, 81])),
        ("a total length below the header", changed(version_4(), AT + 2, &[0, 19])),
        ("a total length of 0 without TCP", changed(datagram(), AT + 2, &[0, 0])),
        ("IPv6 of 39 bytes", shortened(version_6(), AT + 39)),
        ("a payload length past the end", changed(version_6(), AT + 4, &[0, 61])),
        ("an extension past the end", changed(extended(), AT + 41, &[8])),
        ("an extension of 1 byte", ethernet(0x86dd, &ipv6(0, &[6]))),
        ("a fragment header of 7 bytes", ethernet(0x86dd, &ipv6(44, &[6, 0, 0, 0, 0, 0, 0]))),
        ("an authentication header past the end", ethernet(0x0800, &ipv4(CLIENT, SERVER, 51, &[6, 4, 0, 0]))),
        ("TCP of 19 bytes", ethernet(0x0800, &ipv4(CLIENT, SERVER, 6, &SEGMENT.bytes(&[])[..19]))),
        ("a data offset of 4 words", changed(version_4(), AT + 32, &[0x40])),
        (
            "a data offset past the end",
            changed(ethernet(0x86dd, &ipv6(6, &SEGMENT.bytes(&[]))), AT + 52, &[0x60]),
        ),
        ("UDP of 7 bytes", ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, &[0; 7]))),
        ("a UDP length of 7", changed(datagram(), AT + 24, &[0, 7])),
        ("a UDP length past the end", changed(datagram(), AT + 24, &[0, 49])),
        ("an ICMP echo of 7 bytes", ethernet(0x0800, &ipv4(CLIENT, SERVER, 1, &[8, 0, 0, 0, 0, 1, 0]))),
        ("ICMP of 3 bytes", ethernet(0x0800, &ipv4(CLIENT, SERVER, 1, &[3, 0, 0]))),
        ("SCTP of 11 bytes", ethernet(0x0800, &ipv4(CLIENT, SERVER, 132, &[0; 11]))),
    ];
    for (what, frame) in cases {
        assert_eq!(kind(&whole(Link::Ethernet, &frame)), "malformed", "{what}");
    }
    assert_eq!(kind(&whole(Link::RawIp, &[0x55; 40])), "malformed", "raw IP of version 5");
    assert_eq!(kind(&whole(Link::Loopback, &[0, 0, 0])), "malformed");
    assert_eq!(kind(&whole(Link::LinuxCooked, &[0; 15])), "malformed");
    assert_eq!(kind(&whole(Link::LinuxCooked2, &[0; 19])), "malformed");
}

#[test]
fn the_frames_that_these_are_made_of_are_valid() {
    for frame in [version_4(), version_6(), datagram(), extended()] {
        assert_eq!(kind(&whole(Link::Ethernet, &frame)), "ip");
    }
}

#[test]
fn a_packet_of_a_first_fragment_too_short_for_its_ports_is_no_flow_and_not_malformed() {
    let packet = changed(ipv4(CLIENT, SERVER, 6, &SEGMENT.bytes(&[])[..8]), 6, &[0x20, 0]);
    let frame = ethernet(0x0800, &packet);
    assert!(matches!(ip(whole(Link::Ethernet, &frame)).transport, Transport::None));
}

/// What is known of a frame of which so many bytes were captured.
fn known(frame: &[u8], captured: usize) -> String {
    let wire = u32::try_from(frame.len()).unwrap();
    let frame = decode(Link::Ethernet, wire, &frame[..captured]);
    match &frame.content {
        Content::Ip(packet) => {
            let transport = match packet.transport {
                Transport::None => "cut",
                _ => "ports",
            };
            format!("{} {transport}", packet.protocol)
        }
        _ => kind(&frame).to_owned(),
    }
}

#[test]
fn a_cut_frame_counts_as_far_as_its_headers_are_whole() {
    let options = {
        let mut packet = ipv4(CLIENT, SERVER, 6, &[&[1; 4], &SEGMENT.bytes(&[0; 40])[..]].concat());
        packet[0] = 0x46;
        ethernet(0x0800, &packet)
    };
    for (frame, network_end, ports_end) in
        [(version_4(), 34, 54), (version_6(), 54, 74), (datagram(), 34, 42), (options, 38, 58)]
    {
        let protocol = if frame.len() == datagram().len() { 17 } else { 6 };
        for captured in 0..frame.len() {
            let expected = if captured < network_end {
                "cut".to_owned()
            } else if captured < ports_end {
                format!("{protocol} cut")
            } else {
                format!("{protocol} ports")
            };
            assert_eq!(known(&frame, captured), expected, "{captured} of {} bytes", frame.len());
        }
    }
}

#[test]
fn version_6_cut_within_its_extensions_is_of_no_known_transport() {
    for captured in 54..62 {
        assert_eq!(known(&extended(), captured), "59 cut", "{captured} bytes");
    }
    assert_eq!(known(&extended(), 62), "6 cut");
    assert_eq!(known(&extended(), 82), "6 ports");
}

#[test]
fn lengths_are_compared_with_the_wire_also_in_cut_frames() {
    for (frame, captured, expected) in [
        (changed(version_4(), 16, &[0, 80]), 34, "6 cut"),
        (changed(version_4(), 16, &[0, 81]), 34, "malformed"),
        (changed(version_6(), 18, &[0, 61]), 54, "malformed"),
        (changed(datagram(), 38, &[0, 48]), 42, "17 ports"),
        (changed(datagram(), 38, &[0, 49]), 42, "malformed"),
        (changed(extended(), 55, &[8]), 56, "malformed"),
        (changed(version_4(), 46, &[0x40]), 54, "malformed"),
    ] {
        assert_eq!(known(&frame, captured), expected);
    }
}

#[test]
fn an_arp_that_was_cut_is_arp() {
    let frame = ethernet(
        0x0806,
        &[0, 1, 8, 0, 6, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    for captured in 14..frame.len() {
        assert_eq!(known(&frame, captured), "arp");
    }
    assert_eq!(known(&frame, 13), "cut");
}

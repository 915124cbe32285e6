//! Link layers, and tags between them and the network.
use super::*;
use crate::frames::{CLIENT, SERVER, ethernet, ipv4, ipv6, udp};

fn version_4() -> Vec<u8> {
    ipv4(CLIENT, SERVER, 17, &udp(40_000, 53, b"x"))
}

fn version_6() -> Vec<u8> {
    ipv6(17, &udp(40_000, 53, b"x"))
}

#[track_caller]
fn assert_holds(link: Link, head: &[u8], version_6_too: bool) {
    let frame = [head, &version_4()].concat();
    let frame = whole(link, &frame);
    assert_eq!(frame.network_at, head.len());
    let packet = ip(frame);
    assert_eq!(packet.source[..4], CLIENT);
    assert!(!packet.version_6);
    let Transport::Udp { source_port, destination_port, payload } = packet.transport else {
        panic!("no datagram but {:?}", packet.transport);
    };
    assert_eq!((source_port, destination_port, payload.data), (40_000, 53, &b"x"[..]));
    if version_6_too {
        assert!(ip(whole(link, &[head, &version_6()].concat())).version_6);
    }
}

#[test]
fn raw_packets_have_no_head() {
    assert_holds(Link::RawIp, &[], true);
}

#[test]
fn loopback_families_come_in_both_byte_orders() {
    assert_holds(Link::Loopback, &[0, 0, 0, 2], false);
    assert_holds(Link::Loopback, &[2, 0, 0, 0], false);
    for family in [10, 24, 28, 30] {
        for head in [[0, 0, 0, family], [family, 0, 0, 0]] {
            assert!(ip(whole(Link::Loopback, &[&head[..], &version_6()].concat())).version_6);
        }
    }
    assert_eq!(kind(&whole(Link::Loopback, &[0, 0, 0, 99, 1, 2])), "other");
}

#[test]
fn cooked_frames_say_who_sent_them() {
    for (packet_type, sent) in [(0, false), (1, false), (3, false), (4, true)] {
        let head = [0, packet_type, 0, 1, 0, 6, 2, 0, 0, 0, 0, 7, 0, 0, 8, 0];
        assert_holds(Link::LinuxCooked, &head, false);
        let frame = [&head[..], &version_4()].concat();
        let frame = whole(Link::LinuxCooked, &frame);
        assert_eq!((frame.sent, frame.source_mac), (Some(sent), Some([2, 0, 0, 0, 0, 7])));

        let head = [8, 0, 0, 0, 0, 0, 0, 2, 0, 1, packet_type, 6, 2, 0, 0, 0, 0, 7, 0, 0];
        assert_holds(Link::LinuxCooked2, &head, false);
        let frame = [&head[..], &version_4()].concat();
        let frame = whole(Link::LinuxCooked2, &frame);
        assert_eq!((frame.sent, frame.source_mac), (Some(sent), Some([2, 0, 0, 0, 0, 7])));
    }
}

#[test]
fn a_cooked_frame_without_an_address_names_no_sender() {
    let head = [0, 4, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0]; // loopback's ARPHRD and no address
    let frame = [&head[..], &version_4()].concat();
    assert_eq!(whole(Link::LinuxCooked, &frame).source_mac, None);
}

#[test]
fn tags_are_counted_and_the_outer_one_names_the_vlan() {
    let macs = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for (tags, count, vlan) in [
        (&[][..], 0, 0),
        (&[0x81, 0, 0xe0, 100], 1, 100),
        (&[0x88, 0xa8, 0x0f, 0xff, 0x81, 0, 0, 7], 2, 4095),
        (&[0x91, 0, 0, 3, 0x91, 0, 0, 7], 2, 3),
        (&[0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3], 3, 1),
    ] {
        let head = [&macs[..], tags, &[8, 0]].concat();
        assert_holds(Link::Ethernet, &head, false);
        let frame = [&head[..], &version_4()].concat();
        let frame = whole(Link::Ethernet, &frame);
        assert_eq!((frame.tags, frame.vlan), (count, vlan));
        assert_eq!(frame.source_mac, Some([2, 0, 0, 0, 0, 2]));
    }
}

#[test]
fn snap_carries_an_ethertype_and_other_llc_does_not() {
    let snap = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 50, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    assert_holds(Link::Ethernet, &snap, false);
    let mut cisco = snap;
    cisco[17..20].copy_from_slice(&[0, 0, 0x0c]);
    assert_eq!(kind(&whole(Link::Ethernet, &[&cisco[..], &version_4()].concat())), "other");
    let spanning_tree = [1, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 38, 0x42, 0x42, 3, 0, 0];
    assert_eq!(kind(&whole(Link::Ethernet, &spanning_tree)), "other");
}

#[test]
fn other_network_protocols_are_other() {
    for ethertype in [0x88cc, 0x8863, 0x8847, 0x888e] {
        assert_eq!(kind(&whole(Link::Ethernet, &ethernet(ethertype, &[0; 46]))), "other");
    }
    let arp = [0, 1, 8, 0, 6, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(kind(&whole(Link::Ethernet, &ethernet(0x0806, &arp))), "arp");
}

#[test]
fn link_types_are_known_by_their_numbers_in_files_and_in_libpcap() {
    for (number, link) in [
        (0, Link::Loopback),
        (1, Link::Ethernet),
        (12, Link::RawIp),
        (101, Link::RawIp),
        (108, Link::Loopback),
        (113, Link::LinuxCooked),
        (228, Link::RawIp),
        (229, Link::RawIp),
        (276, Link::LinuxCooked2),
    ] {
        assert_eq!(Link::from_number(number), Some(link), "{number}");
    }
    assert_eq!(Link::from_number(105), None);
    assert_eq!(Link::from_number(-1), None);
}

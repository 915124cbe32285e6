use proptest::prelude::*;

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const ANY_4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn socket(protocol: u8, local: (IpAddr, u16), remote: (IpAddr, u16), inode: u64) -> Socket {
    Socket {
        kind: Kind::Ports,
        protocol,
        state: if remote.0.is_unspecified() { state::CLOSE } else { state::ESTABLISHED },
        local,
        remote,
        only_v6: false,
        interface: 0,
        inode,
        uid: 0,
        cookie: inode,
    }
}

fn end(protocol: u8, port: u16, is_initiator: bool) -> SocketEnd {
    SocketEnd { protocol, local: (HERE, port), remote: (THERE, 53), is_initiator, is_forwarded: false }
}

fn inodes(sockets: &[Socket]) -> Vec<u64> {
    sockets.iter().map(|socket| socket.inode).collect()
}

#[test]
fn the_connected_socket_comes_before_the_bound_and_that_before_the_wildcard() {
    let connected = socket(UDP, (HERE, 5_000), (THERE, 53), 1);
    let bound = socket(UDP, (HERE, 5_000), (ANY_4, 0), 2);
    let wildcard = socket(UDP, (ANY_4, 5_000), (ANY_4, 0), 3);
    let elsewhere = socket(UDP, (HERE, 5_000), (THERE, 54), 4);
    let of = |sockets: &[Socket]| inodes(&Table::new(sockets.to_vec()).of(&end(UDP, 5_000, true)));
    assert_eq!(of(&[wildcard, bound, elsewhere, connected]), [1]);
    assert_eq!(of(&[wildcard, elsewhere, bound]), [2]);
    assert_eq!(of(&[elsewhere, wildcard]), [3]);
    assert_eq!(of(&[elsewhere]), [] as [u64; 0]);
    assert_eq!(inodes(&Table::new(vec![wildcard]).of(&end(UDP, 5_001, true))), [] as [u64; 0]);
}

#[test]
fn sockets_that_share_a_port_are_all_told() {
    let sockets = (1..=3).map(|inode| socket(UDP, (ANY_4, 5_000), (ANY_4, 0), inode)).collect();
    assert_eq!(Table::new(sockets).of(&end(UDP, 5_000, false)).len(), 3);
}

#[test]
fn ipv4_comes_to_an_ipv6_wildcard_unless_it_refuses() {
    let dual = socket(UDP, (ANY_6, 5_000), (ANY_6, 0), 1);
    assert_eq!(inodes(&Table::new(vec![dual]).of(&end(UDP, 5_000, false))), [1]);
    let refuses = Socket { only_v6: true, ..dual };
    assert!(Table::new(vec![refuses]).of(&end(UDP, 5_000, false)).is_empty());
}

#[test]
fn a_listener_is_no_socket_of_the_connection() {
    let listener = Socket { state: state::LISTEN, ..socket(TCP, (ANY_4, 80), (ANY_4, 0), 1) };
    let table = Table::new(vec![listener]);
    assert!(table.of(&end(TCP, 80, false)).is_empty());
    assert_eq!(inodes(&table.listeners(&end(TCP, 80, false))), [1]);
}

#[test]
fn a_group_reaches_everybody_bound_to_the_port() {
    let group = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251));
    let sockets =
        vec![socket(UDP, (ANY_4, 5_353), (ANY_4, 0), 1), socket(UDP, (group, 5_353), (ANY_4, 0), 2)];
    let end = SocketEnd {
        protocol: UDP,
        local: (group, 5_353),
        remote: (THERE, 5_353),
        is_initiator: false,
        is_forwarded: false,
    };
    assert_eq!(Table::new(sockets).of(&end).len(), 2);
}

#[test]
fn an_echo_belongs_to_its_ping_socket_else_to_the_sender_of_raw_icmp() {
    let ping = Socket { kind: Kind::Ping, ..socket(ICMP, (ANY_4, 77), (ANY_4, 0), 1) };
    let raw = Socket { kind: Kind::Raw, ..socket(ICMP, (ANY_4, u16::from(ICMP)), (ANY_4, 0), 2) };
    let table = Table::new(vec![ping, raw]);
    assert_eq!(inodes(&table.of(&end(ICMP, 77, true))), [1]);
    assert_eq!(inodes(&table.of(&end(ICMP, 78, true))), [2]);
    // an echo from outside is answered by the kernel, whoever listens
    assert!(table.of(&end(ICMP, 78, false)).is_empty());
}

#[test]
fn any_protocol_may_be_sent_through_the_raw_protocol_but_none_comes_to_it() {
    let sender = Socket { kind: Kind::Raw, ..socket(RAW, (ANY_4, u16::from(RAW)), (ANY_4, 0), 1) };
    let table = Table::new(vec![sender]);
    assert_eq!(inodes(&table.of(&end(253, 0, true))), [1]);
    assert!(table.of(&end(253, 0, false)).is_empty());
}

#[test]
fn lines_of_the_text_tables_are_read() {
    let line = "   0: 0100007F:1F90 0200007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 424242 1 0";
    let socket = STREAMS[0].socket(line).unwrap();
    assert_eq!(socket.local, (IpAddr::V4(Ipv4Addr::LOCALHOST), 8_080));
    assert_eq!(socket.remote, (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 54_321));
    assert_eq!((socket.state, socket.uid, socket.inode), (state::ESTABLISHED, 1_000, 424_242));
    let mapped = "1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7 1";
    let socket = STREAMS[1].socket(mapped).unwrap();
    assert_eq!((socket.local.0, socket.state), (IpAddr::V4(Ipv4Addr::LOCALHOST), state::LISTEN));
    let raw =
        " 253: 00000000:00FD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9 2 0 0";
    assert_eq!(PORTLESS[0].socket(raw).unwrap().protocol, 253);
}

#[test]
fn own_sockets_are_in_the_text_tables() {
    let bound = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut sockets = Vec::new();
    for table in DATAGRAMS {
        table.read(std::process::id(), &mut sockets);
    }
    let port = bound.local_addr().unwrap().port();
    assert!(sockets.iter().any(|socket| socket.local.1 == port && socket.inode != 0));
}

proptest! {
    #[test]
    fn any_line_is_read_or_refused(line in ".{0,200}") {
        let _ = STREAMS[0].socket(&line);
        let _ = PORTLESS[0].socket(&line);
    }
}

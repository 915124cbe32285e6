use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;

use proptest::prelude::*;

use super::*;

fn inode(socket: impl AsFd) -> u64 {
    let path = format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd());
    std::fs::metadata(path).unwrap().ino()
}

fn pair(address: SocketAddr) -> (IpAddr, u16) {
    (plain(address.ip()), address.port())
}

#[test]
fn a_connection_is_found_by_its_addresses_from_both_ends() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    let (near, far) = (pair(peer), pair(listener.local_addr().unwrap()));
    let mut diag = Diag::open().unwrap();
    let found = diag.find(TCP, near, far).unwrap().unwrap();
    assert_eq!((found.inode, found.local, found.remote), (inode(&client), near, far));
    assert_eq!(diag.find(TCP, far, near).unwrap().unwrap().inode, inode(&server));
}

#[test]
fn a_connection_not_yet_accepted_has_no_file_and_is_not_taken_for_closed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, far) = (pair(client.local_addr().unwrap()), pair(listener.local_addr().unwrap()));
    let found = Diag::open().unwrap().find(TCP, far, near).unwrap().unwrap();
    assert!(found.waits_for_accept(), "{found:?}");
}

#[test]
fn a_new_connection_finds_the_listener() {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut diag = Diag::open().unwrap();
    let local = (IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let found = diag.find(TCP, local, (Ipv4Addr::new(127, 0, 0, 9).into(), 9)).unwrap().unwrap();
    assert_eq!((found.inode, found.state, found.only_v6), (inode(&listener), state::LISTEN, false));
    assert_eq!(diag.find(TCP, (local.0, 1), local).unwrap(), None);
}

#[test]
fn a_datagram_socket_is_found_connected_and_bound() {
    let bound = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = bound.local_addr().unwrap().port();
    let connected = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    connected.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let near = pair(connected.local_addr().unwrap());
    let far = (IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let mut diag = Diag::open().unwrap();
    assert_eq!(diag.find(UDP, near, far).unwrap().unwrap().inode, inode(&connected));
    assert_eq!(diag.find(UDP, far, near).unwrap().unwrap().inode, inode(&bound));
}

#[test]
fn a_dump_lists_what_is_there() {
    let bound = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let mut sockets = Vec::new();
    Diag::open().unwrap().dump(UDP, true, u32::MAX, &mut sockets).unwrap();
    let found = sockets.iter().find(|socket| socket.inode == inode(&bound)).unwrap();
    assert_eq!(found.local, pair(bound.local_addr().unwrap()));
    assert!(!found.is_connected());
}

#[test]
fn a_protocol_without_diagnosis_is_refused_and_the_next_question_is_answered() {
    let mut diag = Diag::open().unwrap();
    let refused = diag.dump(250, false, u32::MAX, &mut Vec::new()).unwrap_err();
    assert!(matches!(refused, DiagError::Refused(_)), "{refused:?}");
    let mut sockets = Vec::new();
    diag.dump(UDP, false, u32::MAX, &mut sockets).unwrap();
    assert!(sockets.iter().all(|socket| socket.protocol == UDP));
}

proptest! {
    #[test]
    fn hostile_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut rest = bytes.as_slice();
        while let Some((_, _, after)) = next(rest) {
            prop_assert!(after.len() < rest.len());
            rest = after;
        }
    }

    #[test]
    fn a_message_of_any_content_keeps_its_bounds(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        length in 0_u32..400,
    ) {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&BY_FAMILY.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(&body);
        if let Some((_, _, after)) = next(&bytes) {
            prop_assert!(after.len() < bytes.len());
        }
        let _ = socket_of(&body);
    }
}

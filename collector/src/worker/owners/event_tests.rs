//! Events as the kernel programs write them.
use super::*;
use crate::flows::record::FlowKind;

/// As the kernel program writes it.
pub(in crate::worker::owners) fn told(
    (time, how, state): (u64, How, u8),
    (socket, namespace): (u64, u64),
    (pid, name): (u32, &str),
    tuple: Option<(u8, &str, &str)>,
) -> Vec<u8> {
    let mut bytes = vec![0; SOCKET_BYTES];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &time.to_ne_bytes());
    put(8, &SOCKET_EVENT.to_ne_bytes());
    put(12, &[how as u8, 1, state, SOCK_STREAM]);
    put(16, &socket.to_ne_bytes());
    put(24, &namespace.to_ne_bytes());
    put(32, &(u64::from(pid) * 1_000).to_ne_bytes());
    put(40, &pid.to_ne_bytes());
    put(44, &7u32.to_ne_bytes());
    put(56, &1000u32.to_ne_bytes());
    put(64, name.as_bytes());
    if let Some((protocol, local, remote)) = tuple {
        for (at, port, end) in [(80, 112, local), (96, 114, remote)] {
            let end: std::net::SocketAddr = end.parse().unwrap();
            match end.ip() {
                IpAddr::V4(address) => put(at, &address.octets()),
                IpAddr::V6(address) => put(at, &address.octets()),
            }
            put(port, &end.port().to_be_bytes());
            put(116, &[protocol, u8::from(end.is_ipv6())]);
        }
    }
    bytes
}

/// As the kernel program writes it: frames of 100 bytes.
pub(in crate::worker::owners) fn framed(
    (time, interface, namespace): (u64, u32, u64),
    frames: u64,
    (pid, name): (u32, &str),
) -> Vec<u8> {
    let mut bytes = vec![0; FRAMES_BYTES];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &time.to_ne_bytes());
    put(8, &FRAMES_EVENT.to_ne_bytes());
    put(12, &interface.to_ne_bytes());
    put(16, &frames.to_ne_bytes());
    put(24, &(frames * 100).to_ne_bytes());
    put(32, &namespace.to_ne_bytes());
    put(40, &(u64::from(pid) * 1_000).to_ne_bytes());
    put(48, &pid.to_ne_bytes());
    put(52, &7u32.to_ne_bytes());
    put(72, name.as_bytes());
    bytes
}

/// As the kernel program writes it: the initiator's end first.
pub(in crate::worker::owners) fn translated(
    (time, namespace, by_socket): (u64, u64, bool),
    protocol: u8,
    before: (&str, &str),
    after: (&str, &str),
) -> Vec<u8> {
    let socket = |(local, remote)| told((0, How::Made, 0), (0, 0), (0, ""), Some((protocol, local, remote)));
    let mut bytes = vec![0; TUPLE_BEFORE];
    bytes[..8].copy_from_slice(&time.to_ne_bytes());
    bytes[8..12].copy_from_slice(&TRANSLATION_EVENT.to_ne_bytes());
    bytes[12] = by_socket.into();
    bytes[16..24].copy_from_slice(&namespace.to_ne_bytes());
    bytes.extend(&socket(before)[SOCKETS_TUPLE..]);
    bytes.extend(&socket(after)[SOCKETS_TUPLE..]);
    bytes
}

fn end(bytes: &[u8]) -> End {
    let Some(Event::Socket(SocketEvent { end: Some(end), .. })) = Event::read(bytes) else {
        panic!("no end")
    };
    end
}

#[test]
fn both_sockets_of_a_connection_have_the_same_key_and_other_ends() {
    let who = (1, "x");
    let one = end(&told((1, How::Made, 1), (1, 1), who, Some((6, "10.0.0.1:5000", "10.0.0.2:80"))));
    let two = end(&told((1, How::Made, 1), (2, 1), who, Some((6, "10.0.0.2:80", "10.0.0.1:5000"))));
    assert_eq!(one.key, two.key);
    assert_ne!(one.low, two.low);
    let other = end(&told((1, How::Made, 1), (1, 1), who, Some((6, "[fd00::1]:1", "[fd00::2]:2"))));
    assert_eq!(other.key.low(), ("fd00::1".parse().unwrap(), 1));
}

#[test]
fn a_translation_has_the_initiators_end_before_and_after() {
    let bytes = translated(
        (5, 7, true),
        17,
        ("10.0.9.2:5000", "192.0.2.1:53"),
        ("198.51.100.1:6000", "192.0.2.1:53"),
    );
    assert_eq!(bytes.len(), TRANSLATION_BYTES);
    let Some(Event::Translation(event)) = Event::read(&bytes) else { panic!("no event") };
    assert_eq!((event.time, event.network_namespace, event.by_socket), (5, 7, true));
    assert_eq!(event.before.place(), ("10.0.9.2".parse().unwrap(), 5000));
    assert_eq!(event.after.place(), ("198.51.100.1".parse().unwrap(), 6000));
    assert_eq!(event.before.other().place(), event.after.other().place());
    assert_eq!(Event::read(&bytes[..TRANSLATION_BYTES - 1]), None);
    let mut nothing = bytes;
    nothing[TUPLE_BEFORE + 36] = 0;
    assert_eq!(Event::read(&nothing), None);
}

#[test]
fn a_ping_has_its_identifier_for_both_ports() {
    let mut bytes = told((1, How::Sent, 7), (1, 1), (1, "ping"), Some((1, "10.0.0.1:9", "10.0.0.2:0")));
    bytes[114..116].copy_from_slice(&8u16.to_ne_bytes());
    let echo = end(&bytes);
    assert_eq!((echo.key.ports(), echo.key.kind()), ((9, 9), FlowKind::Flow));
    bytes[114..116].copy_from_slice(&3u16.to_ne_bytes());
    assert_eq!(end(&bytes).key.kind(), FlowKind::Remnant);
}

#[test]
fn a_program_has_its_path_and_its_arguments() {
    let mut bytes = vec![0; PROGRAM_BYTES];
    bytes[8..12].copy_from_slice(&PROGRAM_EVENT.to_ne_bytes());
    bytes[12..16].copy_from_slice(&8u32.to_ne_bytes());
    for (part, name) in ["curl", "bin", "usr", "/", "/"].into_iter().enumerate() {
        bytes[32 + part * PART_BYTES..][..name.len()].copy_from_slice(name.as_bytes());
    }
    bytes[416..424].copy_from_slice(b"curl\0-v\0");
    let Some(Event::Program(event)) = Event::read(&bytes) else { panic!("no event") };
    assert_eq!(event.path, b"/usr/bin/curl");
    assert_eq!(event.command_line, b"curl -v");
    for part in 0..PATH_PARTS {
        bytes[32 + part * PART_BYTES..][..2].copy_from_slice(b"d\0");
    }
    let Some(Event::Program(event)) = Event::read(&bytes) else { panic!("no event") };
    assert_eq!(event.path, "…/d/d/d/d/d/d/d/d".as_bytes());
}

#[test]
fn bytes_of_another_layout_are_no_event() {
    let bytes = told((1, How::Made, 1), (1, 1), (1, "x"), None);
    assert!(Event::read(&bytes).is_some());
    assert_eq!(Event::read(&bytes[..SOCKET_BYTES - 1]), None);
    assert_eq!(Event::read(&[]), None);
    let mut unknown = bytes.clone();
    unknown[12] = 9;
    assert_eq!(Event::read(&unknown), None);
    unknown[8] = 3;
    assert_eq!(Event::read(&unknown), None);
}

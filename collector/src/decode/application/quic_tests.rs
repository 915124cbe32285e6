//! The published vectors, and client Initials sealed with keys that those prove.
use proptest::prelude::*;

use super::super::tls::{self, Hello};
use super::*;

const DESTINATION: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The frames that the client's Initial carries in RFC 9001 appendix A.2 and RFC 9369 appendix A.2.
fn published_frames() -> Vec<u8> {
    let mut frames = hex("060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868
        04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
        616d706c652e636f6dff01000100000a00080006001d00170018001000070005
        04616c706e000500050100000000003300260024001d00209370b2c9caa47fba
        baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400
        0d0010000e0403050306030203080408050806002d00020101001c0002400100
        3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000
        75300901100f088394c8f03e51570806048000ffff");
    frames.resize(1162, 0);
    frames
}

/// One Initial of `version` to `destination`, protected under the keys of `first`.
pub(crate) fn seal(version: u32, destination: &[u8], first: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
    let keys = Keys::of_client(version, first).unwrap();
    let kind = if version == VERSION_1 { 0xc3 } else { 0xd3 };
    let length = u16::try_from(4 + frames.len() + 16).unwrap() | 0x4000;
    let mut header = vec![kind];
    header.extend(version.to_be_bytes());
    header.push(u8::try_from(destination.len()).unwrap());
    header.extend(destination);
    header.extend([0, 0]);
    header.extend(length.to_be_bytes());
    let number_at = header.len();
    header.extend(number.to_be_bytes());
    let mut sealed = frames.to_vec();
    let associated = aead::Aad::from(header.clone());
    keys.payload.seal_in_place_append_tag(keys.nonce(number), associated, &mut sealed).unwrap();
    let mut packet = [header, sealed].concat();
    let mask = keys.header.new_mask(&packet[number_at + 4..number_at + 20]).unwrap();
    packet[0] ^= mask[0] & 0x0f;
    for (byte, mask) in packet[number_at..number_at + 4].iter_mut().zip(&mask[1..]) {
        *byte ^= mask;
    }
    packet
}

/// A CRYPTO frame.
pub(crate) fn crypto_of(offset: usize, data: &[u8]) -> Vec<u8> {
    let number = |number: usize| (u32::try_from(number).unwrap() | 0x8000_0000).to_be_bytes();
    [&[6][..], &number(offset), &number(data.len()), data].concat()
}

fn opened(packet: &[u8]) -> Option<Vec<(usize, Vec<u8>)>> {
    let long = long(packet)?;
    Some(long.open(packet, long.destination)?.crypto)
}

fn name_of(packet: &[u8]) -> Hello {
    let crypto = opened(packet).unwrap();
    assert_eq!(crypto.len(), 1);
    assert_eq!(crypto[0].0, 0);
    tls::handshake(&crypto[0].1)
}

/// Header, the first block of what is sealed, and the tag, which covers all of it.
fn assert_published(packet: &[u8], start: &str, tag: &str) {
    assert_eq!(packet.len(), 1200);
    assert_eq!(packet[..38], hex(start));
    assert_eq!(packet[1184..], hex(tag));
}

#[test]
fn the_initial_of_rfc_9001_opens_and_names_its_server() {
    let packet = seal(VERSION_1, &DESTINATION, &DESTINATION, 2, &published_frames());
    assert_published(
        &packet,
        "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b",
        "e221af44860018ab0856972e194cd934",
    );
    assert_eq!(name_of(&packet), Hello::Whole(Some("example.com".into())));
}

#[test]
fn the_initial_of_rfc_9369_opens_and_names_its_server() {
    let packet = seal(VERSION_2, &DESTINATION, &DESTINATION, 2, &published_frames());
    assert_published(
        &packet,
        "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071",
        "a18b2faa745b6fe189cf772a9f84cbfc",
    );
    assert_eq!(name_of(&packet), Hello::Whole(Some("example.com".into())));
}

#[test]
fn a_flipped_bit_anywhere_keeps_an_initial_shut() {
    let packet = seal(VERSION_1, &DESTINATION, &DESTINATION, 0, &published_frames());
    for at in 0..packet.len() {
        let mut packet = packet.clone();
        packet[at] ^= 1;
        assert_eq!(opened(&packet), None, "byte {at}");
    }
}

#[test]
fn other_packets_of_a_handshake_are_not_opened() {
    // RFC 9000 section 17.2: 0-RTT, Handshake and Retry have other types in the same place
    let packet = seal(VERSION_1, &DESTINATION, &DESTINATION, 0, &published_frames());
    for kind in [0xd0, 0xe0, 0xf0] {
        let mut packet = packet.clone();
        packet[0] = kind | packet[0] & 0x0f;
        assert!(long(&packet).is_some());
        assert_eq!(opened(&packet), None);
    }
    assert!(long(&[0x40, 0, 0, 0, 1, 0, 0]).is_none(), "a short header");
    assert!(long(&[0xc0, 0, 0, 0, 0, 0, 0]).is_none(), "a version negotiation");
}

#[test]
fn acknowledgements_pings_and_padding_may_stand_between_pieces() {
    let pieces = [
        crypto_of(5, b"world"),
        vec![0, 0, 1, 2, 0x0a, 0x05, 1, 2, 3, 4],
        vec![3, 7, 1, 0, 7, 1, 2, 3],
        crypto_of(0, b"hello"),
        vec![0x1c, 0, 0, 0],
        crypto_of(10, b"after a frame that ends the packet"),
    ];
    let packet = seal(VERSION_1, &DESTINATION, &DESTINATION, 1, &pieces.concat());
    assert_eq!(opened(&packet), Some(vec![(5, b"world".to_vec()), (0, b"hello".to_vec())]));
}

#[test]
fn lengths_that_lie_inside_a_sealed_packet_end_it() {
    for frames in
        [vec![6, 0, 0x7f, 0xff], vec![6, 0xff], vec![2, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
    {
        let mut frames = frames;
        frames.extend([0; 3]);
        let packet = seal(VERSION_1, &DESTINATION, &DESTINATION, 1, &frames);
        assert_eq!(opened(&packet), Some(Vec::new()));
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), like in any::<bool>()) {
        if like && bytes.len() > 16 {
            bytes[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8]);
        }
        if let Some(long) = long(&bytes) {
            prop_assert_eq!(long.open(&bytes, long.destination), None);
        }
    }

    #[test]
    fn sealed_garbage_never_panics(frames in proptest::collection::vec(any::<u8>(), 4..200)) {
        let packet = seal(VERSION_1, &DESTINATION, &DESTINATION, 1, &frames);
        prop_assert!(opened(&packet).is_some());
    }
}

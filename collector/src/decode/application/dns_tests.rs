use proptest::prelude::*;

use super::*;

const ANSWER: &[u8] =
    b"\x00\x07\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x03WWW\x07example\x03net\x00\x00\x01\x00\x01\
    \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x06\x03cdn\xc0\x10\
    \xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";

/// A message of one question for `name` (in wire form) and these sections' records.
fn of(flags: u8, code: u8, counts: [u8; 3], name: &[u8], records: &[u8]) -> Vec<u8> {
    let [answers, authorities, additional] = counts;
    let head = [0, 7, flags, code, 0, 1, 0, answers, 0, authorities, 0, additional];
    [&head[..], name, b"\0\x01\0\x01", records].concat()
}

#[test]
fn an_address_behind_an_alias_has_the_name_that_was_asked_for() {
    let message = message(ANSWER).unwrap();
    assert_eq!(message.addresses, [("192.0.2.1".parse().unwrap(), "www.example.net".to_owned())]);
}

#[test]
fn both_kinds_of_addresses_are_read_and_other_classes_are_not() {
    let a = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";
    let chaos = b"\xc0\x0c\0\x01\0\x03\0\0\0\x3c\0\x04\xc0\0\x02\x02";
    let aaaa = b"\xc0\x0c\0\x1c\0\x01\0\0\0\x3c\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07";
    let bytes = of(0x81, 0x80, [3, 0, 0], b"\x01a\0", &[&a[..], chaos, aaaa].concat());
    let addresses: Vec<_> = message(&bytes).unwrap().addresses.iter().map(|(ip, _)| ip.to_string()).collect();
    assert_eq!(addresses, ["192.0.2.1", "2001:db8::7"]);
}

#[test]
fn only_answers_of_a_positive_response_name_addresses() {
    let a = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";
    let named =
        |flags, code, counts| message(&of(flags, code, counts, b"\x01a\0", a)).unwrap().addresses.len();
    assert_eq!(named(0x81, 0x80, [1, 0, 0]), 1);
    assert_eq!(named(0x01, 0x00, [1, 0, 0]), 0, "a query");
    assert_eq!(named(0x81, 0x83, [1, 0, 0]), 0, "no such name");
    assert_eq!(named(0x81, 0x80, [0, 1, 0]), 0, "an authority's glue");
    assert_eq!(named(0x81, 0x80, [0, 0, 1]), 0, "an additional record");
}

#[test]
fn multicast_answers_name_by_their_owner_also_with_the_cache_flush_bit() {
    let head = b"\0\0\x84\0\0\0\0\x01\0\0\0\x01";
    let first = b"\x07printer\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\0\x09";
    let second = b"\x03box\xc0\x14\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\0\x08";
    let message = message(&[&head[..], first, second].concat()).unwrap();
    let named: Vec<_> = message.addresses.iter().map(|(ip, name)| format!("{ip} {name}")).collect();
    assert_eq!(named, ["10.0.0.9 printer.local", "10.0.0.8 box.local"]);
}

#[test]
fn pointers_that_do_not_lead_backwards_are_broken() {
    let itself = b"\xc0\x0c";
    let forward = b"\xc0\x0e\x01a\0";
    let past_the_end = b"\xff\xff";
    let reserved = b"\x40a\0";
    for name in [&itself[..], forward, past_the_end, reserved] {
        assert_eq!(message(&of(1, 0, [0, 0, 0], name, b"")), Err(Broken), "{name:02x?}");
    }
    // two names that point at each other
    let record = b"\xc0\x12\0\x01\0\x01\0\0\0\0\0\x04\xc0\0\x02\x01";
    assert_eq!(message(&of(0x81, 0x80, [1, 0, 0], b"\xc0\x12", record)), Err(Broken));
}

#[test]
fn a_name_longer_than_255_bytes_is_broken() {
    let label = [&[63][..], &[b'a'; 63]].concat();
    let name = |labels: usize| [label.repeat(labels), vec![0]].concat();
    assert!(message(&of(1, 0, [0, 0, 0], &name(3), b"")).unwrap().name.is_some());
    assert_eq!(message(&of(1, 0, [0, 0, 0], &name(4), b"")), Err(Broken));
}

#[test]
fn hostile_names_are_escaped() {
    let message = message(&of(1, 0, [0, 0, 0], b"\x05a.b\x0a<\x03net\0", b"")).unwrap();
    assert_eq!(message.name.as_deref(), Some(r"a\x2eb\x0a<.net"));
    let long = [&[60][..], &[7; 60], &[60], &[7; 60], &[0]].concat();
    let message = super::message(&of(1, 0, [0, 0, 0], &long, b"")).unwrap();
    assert_eq!(message.name, None, "too long when escaped");
}

#[test]
fn an_address_of_the_wrong_length_is_broken() {
    let record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x05\xc0\0\x02\x01\x01";
    assert_eq!(message(&of(0x81, 0x80, [1, 0, 0], b"\x01a\0", record)), Err(Broken));
}

#[test]
fn every_cut_answer_is_broken_and_none_panics() {
    for end in 0..ANSWER.len() {
        assert_eq!(message(&ANSWER[..end]), Err(Broken), "{end}");
    }
}

#[test]
fn counts_that_lie_are_broken_and_cost_nothing() {
    let mut bytes = ANSWER.to_vec();
    bytes[6..12].copy_from_slice(&[0xff; 6]);
    assert_eq!(message(&bytes), Err(Broken));
    bytes[4..6].copy_from_slice(&[0xff; 2]);
    assert_eq!(message(&bytes), Err(Broken));
}

#[test]
fn only_a_whole_plain_query_is_known_by_its_content() {
    let query = of(1, 0, [0, 0, 0], b"\x01a\x03net\0", b"");
    assert!(is_query(&query));
    assert!(is_query(ANSWER));
    for (at, value) in [(2, 0x79), (3, 0x70), (5, 2), (5, 0), (7, 1), (9, 1), (11, 2)] {
        let mut other = query.clone();
        other[at] = value;
        assert!(!is_query(&other), "byte {at} as {value}");
    }
    assert!(!is_query(&query[..query.len() - 1]));
    assert!(!is_query(&[0; 40]));
}

proptest! {
    #[test]
    fn changed_answers_never_panic_and_their_names_print(
        changes in proptest::collection::vec((0usize..ANSWER.len(), any::<u8>()), 0..6)
    ) {
        let mut bytes = ANSWER.to_vec();
        changes.iter().for_each(|(at, value)| bytes[*at] = *value);
        if let Ok(message) = message(&bytes) {
            let names = message.name.iter().chain(message.addresses.iter().map(|(_, name)| name));
            for name in names {
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic()) && name.len() <= 255);
            }
        }
    }
}

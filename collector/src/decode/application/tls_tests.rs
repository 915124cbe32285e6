use proptest::prelude::*;

use super::*;
use crate::frames::{self, half};

const HELLO: frames::Hello<'_> = frames::Hello { name: Some("Example.NET"), share: 1800, grease: true };

fn named(name: &str) -> Hello {
    Hello::Whole(Some(name.into()))
}

/// The message in records of at most `piece` bytes.
fn records(message: &[u8], piece: usize) -> Vec<u8> {
    message.chunks(piece).flat_map(|part| [&[22, 3, 1], &half(part.len())[..], part].concat()).collect()
}

#[test]
fn a_name_is_found_in_one_record_and_in_many() {
    for piece in [10_000, 700, 50, 20] {
        assert_eq!(stream(&records(&HELLO.message(), piece)), named("example.net"), "{piece}");
    }
}

#[test]
fn every_beginning_of_a_hello_asks_for_more() {
    for hello in [HELLO.record(), records(&HELLO.message(), 100)] {
        for end in 3..hello.len() {
            assert_eq!(stream(&hello[..end]), Hello::More, "{end}");
        }
    }
}

#[test]
fn hellos_without_a_name_are_whole() {
    for (share, grease) in [(0, false), (32, false), (1216, true)] {
        let hello = frames::Hello { name: None, share, grease };
        assert_eq!(stream(&hello.record()), Hello::Whole(None));
    }
    // TLS 1.0 knew hellos without extensions
    let body = [&[3, 1][..], &[7; 32], &[0, 0, 2, 0, 5, 1, 0]].concat();
    let message = [&[1, 0][..], &half(body.len()), &body].concat();
    assert_eq!(stream(&records(&message, 1000)), Hello::Whole(None));
}

#[test]
fn an_address_as_server_name_names_nobody() {
    for name in ["192.0.2.1", "2001:db8::1"] {
        let hello = frames::Hello { name: Some(name), share: 32, grease: false };
        assert_eq!(stream(&hello.record()), Hello::Whole(None), "{name}");
    }
}

#[test]
fn a_servers_hello_is_tls_and_other_records_are_not() {
    assert_eq!(stream(&[22, 3, 3, 0, 90, 2, 0, 0, 86]), Hello::Whole(None));
    for bytes in
        [&[23, 3, 3, 0, 90, 1][..], &[21, 3, 3, 0, 2, 1, 0], &[22, 2, 0, 0, 90, 1], &[22, 3, 5, 0, 90, 1]]
    {
        assert_eq!(stream(bytes), Hello::Not, "{bytes:?}");
    }
    assert_eq!(stream(b""), Hello::Not);
}

#[test]
fn lengths_that_lie_are_bad() {
    let hello = frames::Hello { name: Some("example.net"), share: 0, grease: false }.record();
    let name_at = hello.windows(7).position(|part| part == b"example").unwrap();
    let list = name_at - 5;
    for (what, at, value) in [
        ("the record's length", 3, 0x7f),
        ("the message's length", 6, 0xff),
        ("the session id's length", 9 + 34, 200),
        ("the ciphers' length", 9 + 35, 200),
        ("the extensions' length", list - 10, 0x70),
        ("an extension's length", list - 2, 0x70),
        ("the name list's length", list, 0x70),
        ("the name's length", name_at - 2, 0x70),
    ] {
        let mut hello = hello.clone();
        hello[at] = value;
        assert_eq!(stream(&hello), Hello::Bad, "{what}");
    }
    let mut short = hello;
    short[8] = 20; // shorter than any hello
    assert_eq!(stream(&short), Hello::Bad);
}

#[test]
fn bytes_that_do_not_print_are_escaped() {
    let hello = frames::Hello { name: Some("a\n<b"), share: 0, grease: false };
    assert_eq!(stream(&hello.record()), named(r"a\x0a<b"));
}

proptest! {
    #[test]
    fn changed_hellos_never_panic_and_their_names_print(
        changes in proptest::collection::vec((0usize..300, any::<u8>()), 0..6),
        end in 0usize..2200,
    ) {
        let mut hello = records(&HELLO.message(), 500);
        changes.iter().for_each(|(at, value)| hello[*at] = *value);
        if let Hello::Whole(Some(name)) = stream(&hello[..end.min(hello.len())]) {
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic()) && name.len() <= 255);
        }
    }
}

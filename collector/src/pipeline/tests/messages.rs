//! DNS over TCP, cut into segments.
use proptest::prelude::*;

use super::*;
use crate::frames::half;

/// An answer for `wwwN.example.net` with so many addresses, its length before it.
fn answer(number: u8, addresses: u8) -> Vec<u8> {
    let head = [0, number, 0x81, 0x80, 0, 1, 0, addresses, 0, 0, 0, 0];
    let question = [b"\x04www", &[b'0' + number][..], b"\x07example\x03net\0\0\x01\0\x01"].concat();
    let records = (0..addresses)
        .flat_map(|address| [b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0", &[number, address][..]].concat());
    let message: Vec<u8> = head.into_iter().chain(question).chain(records).collect();
    [&half(message.len())[..], &message].concat()
}

/// A transfer's answer: one record of text after the other.
fn long_answer(bytes: usize) -> Vec<u8> {
    let head = [0, 9, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    let question = b"\x01z\0\0\xfc\0\x01";
    let record = [&b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c"[..], &half(bytes), &vec![b'x'; bytes]].concat();
    let message = [&head[..], question, &record].concat();
    [&half(message.len())[..], &message].concat()
}

fn sequence(at: usize) -> u32 {
    5000 + u32::try_from(at).unwrap()
}

#[test]
fn a_length_in_a_segment_of_its_own_belongs_to_the_message_in_the_next() {
    let stream = answer(1, 1);
    let mut talk = Talk::new(53);
    talk.handshake().segment(false, 5000, 0x18, &stream[..2]).segment(false, 5002, 0x18, &stream[2..]);
    assert_eq!(talk.named(), ["192.0.1.0 is www1.example.net"]);
    assert!(talk.pipeline.inspection.messages.is_empty());
}

#[test]
fn a_long_answer_names_its_addresses_in_any_order_of_its_segments() {
    let stream = [answer(1, 60), answer(2, 1)].concat();
    for order in [[0, 1, 2], [0, 2, 1], [0, 2, 2], [0, 1, 0]] {
        let mut talk = Talk::new(53);
        talk.handshake();
        for part in order.into_iter().chain([1]) {
            let from = part * 400;
            talk.segment(false, sequence(from), 0x10, &stream[from..(from + 400).min(stream.len())]);
        }
        let last = if order.contains(&2) { 61 } else { 0 };
        assert_eq!((talk.named().len(), talk.pipeline.counters().malformed_messages), (last, 0), "{order:?}");
    }
}

#[test]
fn a_message_that_is_too_long_to_be_kept_is_passed_over_and_the_next_one_read() {
    let stream = [long_answer(60_000), answer(1, 1), answer(2, 1)].concat();
    let mut talk = Talk::new(53);
    talk.handshake();
    for (number, piece) in stream.chunks(1_400).enumerate() {
        talk.segment(false, sequence(number * 1_400), 0x10, piece);
    }
    assert_eq!(talk.named(), ["192.0.1.0 is www1.example.net", "192.0.2.0 is www2.example.net"]);
    assert_eq!(talk.pipeline.counters().malformed_messages, 0);
    assert!(talk.pipeline.inspection.messages.is_empty());
}

#[test]
fn a_broken_message_in_two_segments_counts_once() {
    let mut stream = answer(1, 2);
    stream[14] = 0xc0; // its name points at itself
    stream[15] = 12;
    let mut talk = Talk::new(53);
    talk.handshake().segment(false, 5000, 0x10, &stream[..30]).segment(false, 5030, 0x18, &stream[30..]);
    assert_eq!((talk.named().len(), talk.pipeline.counters().malformed_messages), (0, 1));
}

#[test]
fn what_is_no_dns_on_its_port_is_not_kept() {
    let mut talk = Talk::new(53);
    talk.handshake().segment(false, 5000, 0x10, &[0xff; 1_000]).segment(
        true,
        1000,
        0x10,
        b"GET / HTTP/1.1\r\n",
    );
    assert!(talk.pipeline.inspection.messages.is_empty());
    assert_eq!(talk.pipeline.counters().malformed_messages, 0);
}

#[test]
fn messages_that_never_end_take_bounded_memory_and_do_not_keep_others_from_being_read() {
    let endless = [&[0x40, 0][..], &answer(3, 1)[2..]].concat();
    let mut talk = Talk::with(Settings { mode: Mode::File, ..Settings::default() }, 53);
    for port in 1..=2_000 {
        talk.ports.0 = port;
        talk.handshake().segment(false, 5000, 0x10, &endless);
        for number in 1..70 {
            // every other byte
            talk.segment(false, sequence(endless.len() + 2 * number), 0x10, &[0]);
        }
        talk.segment(false, 5000 + 100_000, 0x10, &[0; 100]);
        talk.handshake().segment(true, 1000, 0x10, &endless);
    }
    assert!(talk.pipeline.inspection.messages.len() <= 512);
    talk.ports.0 = 60_000;
    let stream = answer(1, 1);
    talk.handshake().segment(false, 5000, 0x10, &stream[..9]).segment(false, 5009, 0x18, &stream[9..]);
    assert_eq!(talk.named(), ["192.0.1.0 is www1.example.net"]);
}

/// How many names are read of a stream of five answers with ten names, cut into segments of these lengths again and again.
fn read_in_segments(lengths: &[usize]) -> usize {
    let stream: Vec<u8> = (0..5).flat_map(|number| answer(number, number)).collect();
    let mut talk = Talk::new(53);
    talk.handshake();
    let mut at = 0;
    for length in lengths.iter().cycle() {
        let end = (at + length).min(stream.len());
        talk.segment(false, sequence(at), 0x10, &stream[at..end]);
        at = end;
        if at == stream.len() {
            break;
        }
    }
    assert!(talk.pipeline.inspection.messages.is_empty());
    talk.named().len()
}

#[test]
fn a_stream_of_single_bytes_is_read() {
    assert_eq!(read_in_segments(&[1]), 10);
}

proptest! {
    #[test]
    fn wherever_a_stream_is_cut_all_its_messages_are_read(cuts in proptest::collection::vec(1_usize..300, 1..30)) {
        prop_assert_eq!(read_in_segments(&cuts), 10);
    }
}

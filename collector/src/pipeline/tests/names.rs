//! Names that pass by in hellos, requests and answers.
use super::*;
use crate::decode::application::quic::tests::{crypto_of, seal};
use crate::frames::{Hello, half};

const FIRST: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const HELLO: Hello<'_> = Hello { name: Some("www.example.net"), share: 1800, grease: true };

fn orders() -> Vec<[usize; 3]> {
    vec![[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
}

#[test]
fn a_large_hello_over_three_segments_names_its_server_in_any_order() {
    let hello = HELLO.record();
    assert!(hello.len() > 1900);
    for order in orders() {
        let mut talk = Talk::new(443);
        talk.handshake();
        for part in order {
            let from = part * 800;
            let piece = &hello[from..(from + 800).min(hello.len())];
            talk.segment(true, 1000 + u32::try_from(from).unwrap(), 0x18, piece);
        }
        assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"], "{order:?}");
        assert_eq!(talk.flow_name(), Some("www.example.net".into()), "{order:?}");
        assert_eq!((talk.application(), talk.pipeline.counters().malformed_messages), ("https", 0));
    }
}

#[test]
fn a_hello_whose_numbers_wrap_is_put_together() {
    let hello = HELLO.record();
    let start = u32::MAX - 500;
    let mut talk = Talk::new(443);
    talk.segment(true, start.wrapping_sub(1), 2, &[]).segment(false, 4999, 0x12, &[]);
    talk.segment(true, start, 0x10, &[]);
    talk.segment(true, start.wrapping_add(1000), 0x18, &hello[1000..]);
    talk.segment(true, start, 0x10, &hello[..1000]);
    assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"]);
}

#[test]
fn a_segment_sent_twice_does_not_lose_the_hello() {
    let hello = HELLO.record();
    let mut talk = Talk::new(443);
    talk.handshake().segment(true, 1000, 0x10, &hello[..900]).segment(true, 1000, 0x10, &hello[..900]);
    talk.segment(false, 5000, 0x10, &[]).segment(true, 1900, 0x18, &hello[900..]);
    assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"]);
}

#[test]
fn a_hello_without_a_name_is_still_tls() {
    let mut talk = Talk::new(8443);
    talk.handshake().segment(true, 1000, 0x18, &Hello { share: 32, ..Hello::default() }.record());
    assert_eq!(talk.named(), [""; 0]);
    assert_eq!(talk.application(), "https");
    assert_eq!(talk.pipeline.counters().malformed_messages, 0);
}

#[test]
fn a_hello_whose_lengths_lie_counts_once_as_a_malformed_message() {
    let mut talk = Talk::new(443);
    let mut hello = HELLO.record();
    hello[9 + 34] = 77; // the session id's length
    talk.handshake().segment(true, 1000, 0x18, &hello).segment(true, 1000 + 3000, 0x18, b"more");
    assert_eq!(talk.named(), [""; 0]);
    assert_eq!(talk.pipeline.counters().malformed_messages, 1);
}

#[test]
fn a_hello_that_breaks_off_counts_each_time_it_comes() {
    let mut talk = Talk::new(443);
    for _ in 0..500 {
        talk.segment(true, 1, 0x18, &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0xff, 0xff, 0xff, 0xff]);
    }
    assert_eq!(talk.pipeline.counters().malformed_messages, 500);
}

#[test]
fn a_request_names_its_server_and_its_flow() {
    let mut talk = Talk::new(8080);
    talk.handshake().segment(true, 1000, 0x18, b"GET / HTTP/1.1\r\nHost: Example.NET:8080\r\n\r\n");
    assert_eq!(talk.named(), ["192.0.2.80 is example.net"]);
    assert_eq!((talk.application(), talk.flow_name()), ("http", Some("example.net".into())));
}

#[test]
fn what_is_asked_of_a_proxy_names_the_flow_and_not_the_proxy() {
    for request in [
        &b"GET http://example.net/ HTTP/1.1\r\nHost: example.net\r\n\r\n"[..],
        b"CONNECT example.net:443 HTTP/1.1\r\nHost: example.net:443\r\n\r\n",
    ] {
        let mut talk = Talk::new(3128);
        talk.handshake().segment(true, 1000, 0x18, request);
        assert_eq!(talk.named(), [""; 0]);
        assert_eq!((talk.application(), talk.flow_name()), ("http", Some("example.net".into())));
    }
}

#[test]
fn a_quic_hello_over_two_initials_names_its_server_in_any_order() {
    let hello = HELLO.message();
    let (start, rest) = hello.split_at(1000);
    for version in [1, 0x6b33_43cf] {
        let packets = [
            seal(version, &FIRST, &FIRST, 0, &crypto_of(0, start)),
            seal(version, &FIRST, &FIRST, 1, &crypto_of(1000, rest)),
        ];
        for order in [[0, 1], [1, 0]] {
            let mut talk = Talk::new(443);
            talk.datagram(true, &packets[order[0]]).datagram(true, &packets[order[1]]);
            assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"], "{order:?}");
            assert_eq!((talk.application(), talk.flow_name()), ("quic", Some("www.example.net".into())));
        }
    }
}

#[test]
fn a_quic_hello_in_shuffled_frames_over_two_initials_names_its_server() {
    let hello = HELLO.message();
    let frames: Vec<_> =
        hello.chunks(80).enumerate().map(|(number, piece)| crypto_of(number * 80, piece)).collect();
    let packets = [1, 0].map(|parity| {
        let part = frames.iter().enumerate().rev().filter(|(number, _)| number % 2 == parity);
        let part: Vec<u8> = part.flat_map(|(_, frame)| frame.clone()).collect();
        seal(1, &FIRST, &FIRST, 0, &part)
    });
    let mut talk = Talk::new(443);
    talk.datagram(true, &packets[0]).datagram(true, &packets[1]);
    assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"]);
}

#[test]
fn a_servers_answer_between_two_initials_does_not_lose_the_hello() {
    let hello = HELLO.message();
    let (start, rest) = hello.split_at(1000);
    let chosen = [9; 12]; // the server's connection id, which the client uses from then on
    let mut talk = Talk::new(443);
    talk.datagram(true, &seal(1, &FIRST, &FIRST, 0, &crypto_of(0, start)));
    talk.datagram(false, &seal(1, &[], &FIRST, 0, &[2, 0, 0, 0, 0, 0, 0, 0]));
    talk.datagram(true, &seal(1, &chosen, &FIRST, 1, &crypto_of(1000, rest)));
    assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"]);
}

#[test]
fn a_hello_after_a_retry_names_its_server() {
    let hello = HELLO.message();
    let (start, rest) = hello.split_at(1000);
    let chosen = [9; 12]; // RFC 9001 section 5.2: after a Retry keys follow from the id that it chose
    let mut talk = Talk::new(443);
    talk.datagram(true, &seal(1, &FIRST, &FIRST, 0, &crypto_of(0, start)));
    talk.datagram(true, &seal(1, &chosen, &chosen, 1, &crypto_of(0, start)));
    talk.datagram(true, &seal(1, &chosen, &chosen, 2, &crypto_of(1000, rest)));
    assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"]);
}

#[test]
fn hellos_that_never_end_do_not_keep_others_from_being_read() {
    let hello = HELLO.message();
    let (start, rest) = hello.split_at(1000);
    for quic in [true, false] {
        let mut talk = Talk::with(Settings { mode: Mode::File, ..Settings::default() }, 443);
        for port in 1..=2000 {
            talk.ports.0 = port;
            if quic {
                talk.datagram(true, &seal(1, &FIRST, &FIRST, 0, &crypto_of(0, start)));
            } else {
                talk.handshake().segment(true, 1000, 0x10, &HELLO.record()[..900]);
            }
        }
        talk.ports.0 = 60_000;
        talk.datagram(true, &seal(1, &FIRST, &FIRST, 0, &crypto_of(0, start)));
        talk.datagram(true, &seal(1, &FIRST, &FIRST, 1, &crypto_of(1000, rest)));
        assert_eq!(talk.named(), ["192.0.2.80 is www.example.net"], "filled with QUIC: {quic}");
    }
}

#[test]
fn an_initial_that_does_not_open_is_nameless_and_not_malformed() {
    let mut packet = seal(1, &FIRST, &FIRST, 0, &crypto_of(0, &HELLO.message()[..500]));
    packet[100] ^= 1;
    let mut talk = Talk::new(4433);
    talk.datagram(true, &packet);
    assert_eq!((talk.named().len(), talk.application()), (0, "quic"));
    assert_eq!(talk.pipeline.counters().malformed_messages, 0);
}

/// An answer for `www.example.net`: 192.0.2.1.
fn answer() -> Vec<u8> {
    let head = b"\0\x07\x81\x80\0\x01\0\x01\0\0\0\0";
    let question = b"\x03www\x07example\x03net\0\0\x01\0\x01";
    [&head[..], question, b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01"].concat()
}

#[test]
fn answers_name_addresses_over_udp_and_tcp() {
    let mut talk = Talk::new(53);
    talk.datagram(false, &answer());
    assert_eq!(talk.named(), ["192.0.2.1 is www.example.net"]);

    let message = [&half(answer().len())[..], &answer()].concat();
    let mut talk = Talk::new(53);
    talk.handshake().segment(false, 5000, 0x18, &message);
    assert_eq!((talk.application(), talk.named().len()), ("dns", 1));
}

#[test]
fn two_messages_in_one_segment_are_both_read() {
    let mut other = answer();
    *other.last_mut().unwrap() = 2;
    let messages = [answer(), other].map(|message| [&half(message.len())[..], &message].concat());
    let mut talk = Talk::new(53);
    talk.handshake().segment(false, 5000, 0x18, &messages.concat());
    assert_eq!(talk.named(), ["192.0.2.1 is www.example.net", "192.0.2.2 is www.example.net"]);
}

#[test]
fn the_middle_of_a_stream_of_messages_is_not_taken_for_a_message() {
    let mut talk = Talk::new(53);
    talk.handshake().segment(false, 5000, 0x18, &[0, 4, 1, 2, 3, 4, 0xff, 0xff, 5]);
    assert_eq!(talk.pipeline.counters().malformed_messages, 0);
    talk.segment(false, 5009, 0x18, &[0, 4, 1, 2, 3, 4]);
    assert_eq!(talk.pipeline.counters().malformed_messages, 1);
}

#[test]
fn dns_on_another_port_is_known_by_its_content() {
    let mut talk = Talk::new(5300);
    talk.datagram(true, b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03net\0\0\x01\0\x01");
    talk.datagram(false, &answer());
    assert_eq!((talk.named().len(), talk.application()), (1, "dns"));
}

#[test]
fn a_name_is_told_once_for_each_address() {
    let mut talk = Talk::new(53);
    for _ in 0..5 {
        talk.datagram(false, &answer());
    }
    assert_eq!(talk.named().len(), 1);
}

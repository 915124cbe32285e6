//! Sections, interfaces and blocks of every kind.
use proptest::prelude::*;

use super::super::file::FileError;
use super::super::file::tests::{Writing, read};

fn block(file: &mut Writing, kind: u32, body: &Writing) {
    let length = u32::try_from(12 + body.bytes.len()).unwrap();
    file.word(kind).word(length).raw(&body.bytes).word(length);
}

/// A file with the head of its first section.
fn section(big: bool) -> Writing {
    let mut file = Writing::new(big);
    section_block(&mut file);
    file
}

fn section_block(file: &mut Writing) {
    let mut body = Writing::new(file.big);
    body.word(0x1a2b_3c4d).half(1).half(0).word(u32::MAX).word(u32::MAX);
    block(file, super::SECTION, &body);
}

fn option(body: &mut Writing, code: u16, value: &[u8]) {
    body.half(code).half(u16::try_from(value.len()).unwrap()).raw(value);
    let padding = value.len().next_multiple_of(4) - value.len();
    body.raw(&[0; 3][..padding]);
}

fn interface(file: &mut Writing, link_type: u16, snap: u32, options: &[(u16, &[u8])]) {
    let mut body = Writing::new(file.big);
    body.half(link_type).half(0).word(snap);
    options.iter().for_each(|(code, value)| option(&mut body, *code, value));
    block(file, super::INTERFACE, &body);
}

fn padded(body: &mut Writing, data: &[u8]) {
    body.raw(data).raw(&[0; 3][..data.len().next_multiple_of(4) - data.len()]);
}

fn enhanced(file: &mut Writing, interface: u32, ticks: u64, data: &[u8]) {
    let mut body = Writing::new(file.big);
    let length = u32::try_from(data.len()).unwrap();
    let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
    body.word(interface).word(high).word(low).word(length).word(length + 100);
    padded(&mut body, data);
    option(&mut body, 1, b"a comment");
    block(file, super::ENHANCED_PACKET, &body);
}

fn simple(file: &mut Writing, wire_length: u32, data: &[u8]) {
    let mut body = Writing::new(file.big);
    body.word(wire_length);
    padded(&mut body, data);
    block(file, super::SIMPLE_PACKET, &body);
}

#[test]
fn interfaces_have_their_own_links_and_clocks() {
    for big in [false, true] {
        let mut file = section(big);
        let offset = 1000i64;
        let offset = if big { offset.to_be_bytes() } else { offset.to_le_bytes() };
        interface(&mut file, 1, 0, &[]);
        interface(&mut file, 113, 0, &[(2, b"eth0"), (9, &[9]), (0, &[])]);
        interface(&mut file, 101, 0, &[(9, &[3])]);
        interface(&mut file, 276, 0, &[(9, &[0x80 | 10]), (14, &offset)]);
        for (number, ticks) in [(0, 2_500_000), (1, 2_500_000_000), (2, 2500), (3, 2560)] {
            enhanced(&mut file, number, ticks, b"abcde");
        }
        let (packets, end) = read(&file.bytes);
        end.unwrap();
        let got: Vec<_> = packets.iter().map(|packet| (packet.0, packet.2)).collect();
        let seconds = 2_500_000_000;
        assert_eq!(
            got,
            [(seconds, 1), (seconds, 113), (seconds, 101), (seconds + 1_000_000_000_000, 276)],
            "big endian {big}"
        );
        assert!(packets.iter().all(|packet| packet.1 == 105 && packet.3 == b"abcde"));
    }
}

#[test]
fn a_negative_offset_and_times_before_the_epoch_stop_at_zero() {
    let mut file = section(false);
    interface(&mut file, 1, 0, &[(14, &(-2i64).to_le_bytes())]);
    enhanced(&mut file, 0, 5_000_000, b"a");
    enhanced(&mut file, 0, 1_000_000, b"b");
    let times: Vec<_> = read(&file.bytes).0.iter().map(|packet| packet.0).collect();
    assert_eq!(times, [3_000_000_000, 0]);
}

#[test]
fn a_new_section_forgets_the_interfaces_and_may_turn_the_byte_order() {
    let mut file = section(false);
    interface(&mut file, 1, 0, &[]);
    enhanced(&mut file, 0, 1, b"one");
    for big in [true, false] {
        file.big = big;
        section_block(&mut file);
        interface(&mut file, if big { 101 } else { 113 }, 0, &[]);
        enhanced(&mut file, 0, 2, b"two");
    }
    let (packets, end) = read(&file.bytes);
    end.unwrap();
    let links: Vec<_> = packets.iter().map(|packet| packet.2).collect();
    assert_eq!(links, [1, 101, 113]);
    section_block(&mut file);
    enhanced(&mut file, 0, 3, b"three");
    let (packets, end) = read(&file.bytes);
    assert_eq!(packets.len(), 3);
    assert!(end.unwrap_err().to_string().contains("interface 0 is not described"));
}

#[test]
fn simple_packets_have_the_first_interfaces_link_and_snap_length() {
    for big in [false, true] {
        let mut file = section(big);
        interface(&mut file, 1, 6, &[]);
        interface(&mut file, 113, 0, &[]);
        enhanced(&mut file, 1, 7, b"x");
        simple(&mut file, 1500, b"abcdef");
        simple(&mut file, 3, b"abc");
        let (packets, end) = read(&file.bytes);
        end.unwrap();
        assert_eq!(packets[1], (7000, 1500, 1, b"abcdef".to_vec()), "the time of the packet before");
        assert_eq!(packets[2], (7000, 3, 1, b"abc".to_vec()));
    }
}

#[test]
fn packets_of_the_obsolete_kind_are_read() {
    for big in [false, true] {
        let mut file = section(big);
        interface(&mut file, 101, 0, &[]);
        interface(&mut file, 1, 0, &[]);
        let mut body = Writing::new(big);
        body.half(1).half(3).word(0).word(9).word(2).word(60);
        padded(&mut body, b"xy");
        block(&mut file, super::OBSOLETE_PACKET, &body);
        assert_eq!(read(&file.bytes).0, [(9000, 60, 1, b"xy".to_vec())], "big endian {big}");
    }
}

#[test]
fn unknown_blocks_are_stepped_over_also_when_they_are_large() {
    let mut file = section(false);
    for (kind, length) in [(4, 40), (5, 24), (0xbad, 0), (0x0000_000a, 3_000_000)] {
        let mut body = Writing::new(false);
        body.raw(&vec![0xee; length]);
        block(&mut file, kind, &body);
    }
    interface(&mut file, 1, 0, &[]);
    enhanced(&mut file, 0, 1, b"found");
    let (packets, end) = read(&file.bytes);
    end.unwrap();
    assert_eq!(packets.len(), 1);
    let (_, end) = read(&file.bytes[..2_000_000]);
    assert!(matches!(end, Err(FileError::BreaksOff { .. })), "{end:?}");
}

fn every_kind() -> (Vec<u8>, Vec<usize>) {
    let mut file = section(false);
    let mut ends = vec![file.bytes.len()];
    interface(&mut file, 1, 0, &[(9, &[9])]);
    ends.push(file.bytes.len());
    enhanced(&mut file, 0, 1, b"abcde");
    ends.push(file.bytes.len());
    simple(&mut file, 3, b"abc");
    ends.push(file.bytes.len());
    (file.bytes, ends)
}

#[test]
fn a_file_broken_off_anywhere_gives_what_was_readable_and_the_offset_of_the_rest() {
    let (file, ends) = every_kind();
    for length in 4..=file.len() {
        let (packets, end) = read(&file[..length]);
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(packets.len(), whole.saturating_sub(2), "{length} bytes");
        let start = whole.checked_sub(1).map_or(0, |last| ends[last]);
        match end {
            Ok(()) => assert_eq!(start, length, "{length} bytes are no whole file"),
            Err(FileError::BreaksOff { offset, missing, .. }) => {
                assert_eq!(offset, u64::try_from(start).unwrap(), "{length} bytes");
                assert!(missing > 0 && length + missing <= file.len());
            }
            Err(other) => panic!("{length} bytes: {other}"),
        }
    }
}

#[test]
fn lengths_that_lie_are_broken_with_their_offset() {
    let (file, ends) = every_kind();
    let enhanced = ends[1];
    for (what, at, value) in [
        ("a block below its own head", enhanced + 4, 8u32),
        ("a block of an odd length", enhanced + 4, 33),
        ("a packet that does not fit its block", enhanced + 20, 400),
        ("an interface that is not described", enhanced + 8, 7),
    ] {
        let mut file = file.clone();
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let (packets, end) = read(&file);
        assert!(packets.is_empty(), "{what}");
        let expected = u64::try_from(enhanced).unwrap();
        assert!(
            matches!(&end, Err(FileError::Broken { offset, .. }) if *offset == expected),
            "{what}: {end:?}"
        );
    }
    let mut order = file;
    order[8] ^= 1;
    assert!(matches!(read(&order).1, Err(FileError::Broken { offset: 0, .. })));
}

proptest! {
    #[test]
    fn changed_files_never_panic(changes in proptest::collection::vec((0usize..130, any::<u8>()), 1..8)) {
        let (mut file, _) = every_kind();
        let length = file.len();
        changes.iter().for_each(|(at, value)| file[at % length] = *value);
        prop_assert!(read(&file).0.len() <= 2);
    }

    #[test]
    fn any_resolution_and_time_gives_a_time(resolution in any::<u8>(), ticks in any::<u64>(), offset in any::<i64>()) {
        let mut file = section(false);
        interface(&mut file, 1, 0, &[(9, &[resolution]), (14, &offset.to_le_bytes())]);
        enhanced(&mut file, 0, ticks, b"x");
        let (packets, end) = read(&file.bytes);
        prop_assert!(packets.len() == 1 || end.is_err());
    }
}

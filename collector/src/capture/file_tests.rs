//! Files of every byte order and precision, whole, broken off anywhere, and broken.
use std::io::Write;

use proptest::prelude::*;

use super::*;

/// Writes a file field by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writing {
    pub bytes: Vec<u8>,
    pub big: bool,
}

impl Writing {
    pub(crate) fn new(big: bool) -> Self {
        Self { bytes: Vec::new(), big }
    }

    pub(crate) fn word(&mut self, word: u32) -> &mut Self {
        self.bytes.extend(if self.big { word.to_be_bytes() } else { word.to_le_bytes() });
        self
    }

    pub(crate) fn half(&mut self, half: u16) -> &mut Self {
        self.bytes.extend(if self.big { half.to_be_bytes() } else { half.to_le_bytes() });
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self
    }

    fn pcap_head(&mut self, magic: u32, link_type: u32) -> &mut Self {
        self.word(magic).half(2).half(4).word(0).word(0).word(65_535).word(link_type)
    }

    fn pcap_packet(&mut self, time: (u32, u32), wire_length: u32, data: &[u8]) -> &mut Self {
        self.word(time.0).word(time.1).word(u32::try_from(data.len()).unwrap()).word(wire_length).raw(data)
    }
}

/// Time, wire length, link type and bytes of a packet.
pub(crate) type Read = (u64, u32, i32, Vec<u8>);

/// What is readable, and how reading ended.
pub(crate) fn read(bytes: &[u8]) -> (Vec<Read>, Result<(), FileError>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut packets = Vec::new();
    let mut capture = match CaptureFile::open(file.path()) {
        Ok(capture) => capture,
        Err(error) => return (packets, Err(error)),
    };
    loop {
        let batch = match capture.next_batch() {
            Ok(batch) => batch,
            Err(error) => return (packets, Err(error)),
        };
        if batch.packets().is_empty() {
            return (packets, Ok(()));
        }
        let read = batch.packets().iter().map(|p| (p.time, p.wire_length, p.link_type, p.data.to_vec()));
        packets.extend(read);
    }
}

const SECONDS: u32 = 1_700_000_000;

fn two_packets(magic: u32, big: bool) -> Vec<u8> {
    let mut file = Writing::new(big);
    file.pcap_head(magic, 1).pcap_packet((SECONDS, 123_456), 4, b"abcd").pcap_packet(
        (SECONDS + 1, 0),
        90,
        b"efg",
    );
    file.bytes
}

#[test]
fn both_byte_orders_and_precisions_say_the_same() {
    for big in [false, true] {
        for (magic, nanos) in [(0xa1b2_c3d4, 123_456_000), (0xa1b2_3c4d, 123_456)] {
            let (packets, end) = read(&two_packets(magic, big));
            end.unwrap();
            let start = u64::from(SECONDS) * 1_000_000_000;
            let expected =
                [(start + nanos, 4, 1, b"abcd".to_vec()), (start + 1_000_000_000, 90, 1, b"efg".to_vec())];
            assert_eq!(packets, expected, "{magic:#x}, big endian {big}");
        }
    }
}

#[test]
fn a_patched_pcap_has_longer_packet_heads() {
    let mut file = Writing::new(false);
    file.pcap_head(0xa1b2_cd34, 113)
        .word(SECONDS)
        .word(1)
        .word(2)
        .word(2)
        .word(7)
        .half(8)
        .raw(&[0, 0, b'x', b'y']);
    let (packets, end) = read(&file.bytes);
    end.unwrap();
    assert_eq!(packets, [(u64::from(SECONDS) * 1_000_000_000 + 1000, 2, 113, b"xy".to_vec())]);
}

#[test]
fn the_length_of_the_frame_check_sequence_is_no_part_of_the_link_type() {
    let mut file = Writing::new(true);
    file.pcap_head(0xa1b2_c3d4, 0x2400_0001).pcap_packet((1, 0), 1, b"x");
    assert_eq!(read(&file.bytes).0[0].2, 1);
}

#[test]
fn a_packet_is_never_longer_captured_than_on_the_wire() {
    let mut file = Writing::new(false);
    file.pcap_head(0xa1b2_c3d4, 1).pcap_packet((1, 0), 2, b"abcd");
    assert_eq!(read(&file.bytes).0[0].1, 4);
}

#[test]
fn a_file_broken_off_anywhere_gives_what_was_readable_and_the_offset_of_the_rest() {
    let file = two_packets(0xa1b2_c3d4, false);
    let (first, second) = (24, 24 + 16 + 4);
    for end in 0..=file.len() {
        let (packets, result) = read(&file[..end]);
        let (readable, offset) = match end {
            0..24 => (0, 0),
            24..44 => (0, first),
            44..63 => (1, second),
            _ => (2, second),
        };
        assert_eq!(packets.len(), readable, "{end} bytes");
        match result {
            Ok(()) => assert!([24, 44, 63].contains(&end), "{end} bytes are no whole file"),
            Err(FileError::NotACapture { .. }) => assert!(end < 4),
            Err(FileError::BreaksOff { offset: at, missing, .. }) => {
                assert_eq!(at, offset, "{end} bytes");
                assert!(missing > 0 && end + missing <= file.len());
            }
            Err(other) => panic!("{end} bytes: {other}"),
        }
    }
}

#[test]
fn what_is_no_capture_is_refused_by_name() {
    for bytes in [&b""[..], b"abc", b"PK\x03\x04 a zip file, not a capture", &[0; 100]] {
        let (packets, end) = read(bytes);
        assert!(packets.is_empty());
        let error = end.unwrap_err();
        assert!(matches!(error, FileError::NotACapture { .. }), "{error}");
        assert!(error.to_string().contains("neither a pcap nor a pcapng file"), "{error}");
    }
}

#[test]
fn a_packet_longer_than_any_is_broken_and_not_allocated() {
    let mut file = Writing::new(false);
    file.pcap_head(0xa1b2_c3d4, 1).pcap_packet((1, 0), 1, b"x").word(1).word(0).word(u32::MAX).word(9);
    let (packets, end) = read(&file.bytes);
    assert_eq!(packets.len(), 1);
    assert!(matches!(end, Err(FileError::Broken { offset: 41, .. })), "{end:?}");
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let error = CaptureFile::open(Path::new("/nonexistent/x.pcap")).unwrap_err();
    assert_eq!(error.to_string(), "/nonexistent/x.pcap: cannot be opened");
}

#[test]
fn packets_across_the_reading_buffers_end_are_whole() {
    let mut file = Writing::new(false);
    file.pcap_head(0xa1b2_c3d4, 1);
    for number in 0..40u8 {
        file.pcap_packet((u32::from(number), 0), 70_001, &vec![number; 70_001]);
    }
    assert!(file.bytes.len() > 2 * PIECE);
    let (packets, end) = read(&file.bytes);
    end.unwrap();
    assert_eq!(packets.len(), 40);
    for (number, packet) in (0u8..).zip(&packets) {
        assert!(packet.3.len() == 70_001 && packet.3.iter().all(|byte| *byte == number), "packet {number}");
    }
}

proptest! {
    #[test]
    fn changed_files_never_panic(
        changes in proptest::collection::vec((0usize..63, any::<u8>()), 1..8),
        nanoseconds in any::<bool>(),
        big in any::<bool>(),
    ) {
        let mut file = two_packets(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }, big);
        changes.iter().for_each(|(at, value)| file[*at] = *value);
        prop_assert!(read(&file).0.len() <= 3);
    }
}

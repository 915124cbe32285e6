//! An entry as it lies on disk: deflated (RFC 1951) behind a mark. Entries without the mark are from before that, and
//! stay readable.
use std::borrow::Cow;
use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// No protobuf message begins with it: field numbers begin at 1.
const DEFLATED: u8 = 0;
/// Longer than any entry; its encoding is refused rather than kept in memory.
const MOST_BYTES: usize = 16 << 20;

pub(super) fn pack(encoded: Vec<u8>) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(vec![DEFLATED], Compression::default());
    match encoder.write_all(&encoded).and_then(|()| encoder.finish()) {
        Ok(packed) if packed.len() < encoded.len() => packed,
        Ok(_) | Err(_) => encoded,
    }
}

/// # Errors
/// It is no deflated text, or longer than an entry can be.
pub(super) fn unpack(stored: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    let Some((&DEFLATED, deflated)) = stored.split_first() else { return Ok(Cow::Borrowed(stored)) };
    let mut encoded = Vec::new();
    DeflateDecoder::new(deflated).take(MOST_BYTES as u64 + 1).read_to_end(&mut encoded)?;
    if encoded.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it is longer than {MOST_BYTES} bytes")));
    }
    Ok(Cow::Owned(encoded))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use weir_shared::wire::v1;

    use super::*;

    #[test]
    fn an_entry_comes_back_whatever_it_was_and_lies_no_longer_than_it_is() {
        let texts = [vec![], vec![8], vec![8, 1, 2], b"\x08/usr/bin/curl".repeat(1_000), (8..=255).collect()];
        for encoded in texts {
            let stored = pack(encoded.clone());
            assert!(stored.len() <= encoded.len());
            assert_eq!(*unpack(&stored).unwrap(), encoded);
        }
        assert!(pack(b"\x08/usr/bin/curl".repeat(1_000)).len() < 300);
    }

    #[test]
    fn an_entry_from_before_entries_were_packed_is_read_as_it_lies() {
        let entry = v1::JournalEntry { sequence: 1, previous_sequence: 0, content: None };
        let plain = entry.encode_to_vec();
        assert!(matches!(unpack(&plain), Ok(Cow::Borrowed(read)) if read == plain));
    }

    #[test]
    fn what_is_damaged_or_swells_without_end_is_an_error() {
        unpack(&[DEFLATED, 0xff, 0xff]).unwrap_err();
        let bomb = pack(vec![8; MOST_BYTES + 1]);
        assert!(bomb.len() < 100_000);
        unpack(&bomb).unwrap_err();
    }
}

//! Text for entries of known size.

/// Text that packs badly, so that entries are as long on disk as they are here.
pub(crate) fn unlike_itself(bytes: usize) -> String {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + u8::try_from((state >> 24) % 94).unwrap())
    };
    (0..bytes).map(|_| next()).collect()
}

//! WireGuard (<https://www.wireguard.com/protocol/>): messages of fixed length.

pub(super) fn is_handshake(payload: &[u8]) -> bool {
    matches!(
        (payload, payload.len()),
        ([1, 0, 0, 0, ..], 148) | ([2, 0, 0, 0, ..], 92) | ([3, 0, 0, 0, ..], 64)
    )
}

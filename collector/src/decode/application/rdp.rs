//! RDP ([MS-RDPBCGR] section 2.2.1.1): the client's connection request.

/// TPKT version 3 with a length that fits, then an X.224 connection request or confirm.
pub(super) fn is_request(payload: &[u8]) -> bool {
    let [3, 0, l0, l1, rest, 0xe0 | 0xd0, ..] = payload else { return false };
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    length == payload.len() && usize::from(*rest) + 5 == length
}

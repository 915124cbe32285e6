//! NTP (RFC 5905 section 7.3).

/// A client's or server's message of version 3 or 4 with the port on one side.
pub(super) fn is_message(payload: &[u8], ports: (u16, u16)) -> bool {
    let [first, stratum, ..] = payload else { return false };
    let (version, mode) = (first >> 3 & 7, first & 7);
    (ports.0 == 123 || ports.1 == 123)
        && payload.len() >= 48
        && matches!(version, 3 | 4)
        && matches!(mode, 1..=5)
        && *stratum <= 16
}

//! DHCP (RFC 2131): BOOTP with its magic cookie.

pub(super) fn is_message(payload: &[u8]) -> bool {
    matches!(payload, [1 | 2, 1, 6, ..]) && payload.get(236..240) == Some(&[99, 130, 83, 99])
}

//! SSH (RFC 4253 section 4.2).

pub(super) fn is_banner(payload: &[u8]) -> bool {
    payload.starts_with(b"SSH-2.0-") || payload.starts_with(b"SSH-1.")
}

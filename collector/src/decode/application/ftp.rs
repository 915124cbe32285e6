//! FTP (RFC 959): the server's greeting.

pub(super) fn is_greeting(payload: &[u8]) -> bool {
    let line = payload.get(..payload.len().min(128)).unwrap_or_default();
    (line.starts_with(b"220 ") || line.starts_with(b"220-"))
        && line.windows(3).any(|word| word.eq_ignore_ascii_case(b"ftp"))
}

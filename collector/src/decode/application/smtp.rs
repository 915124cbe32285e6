//! SMTP (RFC 5321): the server's greeting, and the client's.

pub(super) fn is_greeting(payload: &[u8]) -> bool {
    let line = payload.get(..payload.len().min(128)).unwrap_or_default();
    let greets = line.starts_with(b"220 ") || line.starts_with(b"220-");
    greets && line.windows(4).any(|word| word.eq_ignore_ascii_case(b"smtp"))
        || line
            .get(..5)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"ehlo ") || word.eq_ignore_ascii_case(b"helo "))
}

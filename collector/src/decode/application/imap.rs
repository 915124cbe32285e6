//! IMAP (RFC 9051) and POP3 (RFC 1939): the servers' greetings.

pub(super) fn is_imap(payload: &[u8]) -> bool {
    payload.starts_with(b"* OK ") || payload.starts_with(b"* PREAUTH ")
}

pub(super) fn is_pop3(payload: &[u8]) -> bool {
    payload.starts_with(b"+OK ") && payload.ends_with(b"\r\n")
}

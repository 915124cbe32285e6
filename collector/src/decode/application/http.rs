//! HTTP/1 (RFC 9112): requests with their host, and responses.
use super::names;

const METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE "];

pub fn is_request(payload: &[u8]) -> bool {
    let begins_one = matches!(payload.first(), Some(b'G' | b'P' | b'H' | b'D' | b'O' | b'C' | b'T'));
    begins_one && METHODS.iter().any(|method| payload.starts_with(method))
}

pub fn is_response(payload: &[u8]) -> bool {
    payload.starts_with(b"HTTP/1.")
}

/// CONNECT, or a target with a scheme (RFC 9112 section 3.2.2).
pub fn is_to_proxy(payload: &[u8]) -> bool {
    if !is_request(payload) {
        return false;
    }
    let mut words = payload.split(|byte| *byte == b' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return false };
    method == b"CONNECT" || target.starts_with(b"http://")
}

/// The Host field's name, as far as the head was captured.
pub fn host(payload: &[u8]) -> Option<String> {
    let mut lines = payload.split(|byte| *byte == b'\n').skip(1);
    let mut whole = lines.next()?;
    loop {
        let line = whole.strip_suffix(b"\r").unwrap_or(whole);
        if line.is_empty() {
            return None;
        }
        let next = lines.next()?; // the last line may be cut
        if let Some((name, value)) = line.split_at_checked(5)
            && name.eq_ignore_ascii_case(b"host:")
        {
            return names::host(value);
        }
        whole = next;
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

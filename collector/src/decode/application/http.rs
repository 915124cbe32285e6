//! HTTP/1 (RFC 9112): requests with their host, and responses.
use super::names;

const METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE "];

pub fn is_request(payload: &[u8]) -> bool {
    METHODS.iter().any(|method| payload.starts_with(method))
}

pub fn is_response(payload: &[u8]) -> bool {
    payload.starts_with(b"HTTP/1.")
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
mod tests {
    use super::*;

    #[test]
    fn the_host_is_named_without_port_and_only_when_whole() {
        let request = b"GET / HTTP/1.1\r\nAccept: */*\r\nhOST: Example.NET:8080\r\n\r\n";
        assert_eq!(host(request), Some("example.net".into()));
        assert_eq!(host(&request[..40]), None);
        assert_eq!(host(b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n"), None);
    }
}

//! Values as text, the same words as in the scripts (`assets/format.js`).
use weir_shared::health::CaptureState;

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3), for a value behind `?name=`.
pub(super) fn query_value(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

pub(super) const fn capture_state(state: CaptureState) -> &'static str {
    match state {
        CaptureState::Up => "up",
        CaptureState::Gone => "gone",
        CaptureState::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_name_cannot_leave_its_query_value() {
        assert_eq!(query_value("eth0.7"), "eth0.7");
        assert_eq!(query_value("a&b=\"<ü"), "a%26b%3D%22%3C%C3%BC");
    }
}

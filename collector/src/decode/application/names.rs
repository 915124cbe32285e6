//! Names as hostile bytes give them.
use crate::flows::record::LONGEST_NAME;

/// Lower case, graphic ASCII as it is, other bytes as `\xNN`; None where it is empty or too long.
pub fn escape(bytes: &[u8]) -> Option<String> {
    use std::fmt::Write;
    if bytes.is_empty() || bytes.len() > LONGEST_NAME {
        return None;
    }
    let mut name = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() {
            name.push(char::from(byte.to_ascii_lowercase()));
        } else {
            write!(name, "\\x{byte:02x}").ok()?;
        }
    }
    (name.len() <= LONGEST_NAME).then_some(name)
}

/// A host's name without port; None for an address, which names nobody.
pub fn host(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.trim_ascii();
    let end = bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len());
    let name = escape(bytes.get(..end)?.strip_suffix(b".").unwrap_or(bytes.get(..end)?))?;
    let is_name = !name.starts_with('[') && name.parse::<std::net::Ipv4Addr>().is_err();
    is_name.then_some(name)
}

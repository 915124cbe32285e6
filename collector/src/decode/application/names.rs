//! Names as hostile bytes give them.
use crate::flows::record::LONGEST_NAME;

/// Lower case, graphic ASCII as it is, the backslash and other bytes as `\xNN`; None where it is empty or too long.
pub fn escape(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() || bytes.len() > LONGEST_NAME {
        return None;
    }
    let mut name = String::with_capacity(bytes.len());
    bytes.iter().for_each(|byte| push(&mut name, *byte));
    (name.len() <= LONGEST_NAME).then_some(name)
}

/// One byte of a name, escaped so that no two names look the same.
fn push(name: &mut String, byte: u8) {
    if byte.is_ascii_graphic() && byte != b'\\' {
        name.push(char::from(byte.to_ascii_lowercase()));
    } else {
        push_escaped(name, byte);
    }
}

fn push_escaped(name: &mut String, byte: u8) {
    name.push_str("\\x");
    for half in [byte >> 4, byte & 15] {
        name.extend(char::from_digit(u32::from(half), 16));
    }
}

/// A domain name's labels joined by dots; a dot inside a label is escaped.
pub fn join(name: &mut String, label: &[u8]) {
    if !name.is_empty() {
        name.push('.');
    }
    for byte in label {
        if *byte == b'.' { push_escaped(name, b'.') } else { push(name, *byte) }
    }
}

/// A host's name without port; None for an address, which names nobody.
pub fn host(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.trim_ascii();
    let mut parts = bytes.splitn(2, |byte| *byte == b':');
    let name = parts.next()?;
    let port = parts.next().unwrap_or_default();
    if !port.iter().all(u8::is_ascii_digit) {
        return None; // an IPv6 address, with or without brackets
    }
    let name = escape(name.strip_suffix(b".").unwrap_or(name))?;
    let is_name = !name.starts_with('[') && name.parse::<std::net::Ipv4Addr>().is_err();
    is_name.then_some(name)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;

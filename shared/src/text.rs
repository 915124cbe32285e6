//! Text from the network is hostile: it may hold terminal escapes, line breaks, or marks that reverse what follows.
use std::borrow::Cow;
use std::fmt::Write as _;

/// Makes text safe for one line of a terminal or log. C0 and C1 controls become `\xNN`; marks that change the
/// direction of text, line and paragraph separators, and zero-width characters `\u{NNNN}`
/// (Unicode Standard Annex 9 and Technical Report 36). A second application changes nothing.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push(&mut safe, character);
    }
    Cow::Owned(safe)
}

/// The same for bytes that should be text; those that are not UTF-8 become `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(&mut safe, character);
        }
        for byte in chunk.invalid() {
            push_code(&mut safe, u32::from(*byte));
        }
    }
    safe
}

fn push(safe: &mut String, character: char) {
    if is_hostile(character) {
        push_code(safe, character.into());
    } else {
        safe.push(character);
    }
}

fn push_code(safe: &mut String, code: u32) {
    let written =
        if code < 0x100 { write!(safe, "\\x{code:02x}") } else { write!(safe, "\\u{{{code:04x}}}") };
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_visible() {
        assert_eq!(escape("a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
        assert_eq!(escape("\u{9b}31m"), "\\x9b31m");
        assert_eq!(escape("txt.\u{202e}exe"), "txt.\\u{202e}exe");
        assert_eq!(escape_bytes(b"ok\xff\x07"), "ok\\xff\\x07");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["example.org", "bücher.example", "日本.jp", "back\\slash"] {
            assert!(matches!(escape(name), Cow::Borrowed(same) if same == name));
        }
    }

    #[test]
    fn escaping_twice_changes_nothing() {
        let once = escape("\u{7f}\u{2066}x").into_owned();
        assert_eq!(escape(&once), once);
    }
}

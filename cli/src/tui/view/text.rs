//! Text that fits and does no harm: whatever comes from outside is escaped here, on its way to the screen.
use ratatui::style::Style;
use ratatui::text::Span;
use shared::text::escape;
use weir_shared as shared;

/// Shows that something was cut.
const CUT: char = '~';

/// A piece of a line; control characters and marks that turn text around are spelled out.
pub(super) fn span(text: &str, style: Style) -> Span<'static> {
    Span::styled(escape(text).into_owned(), style)
}

/// Exactly `width` columns of the screen, cut where it is longer.
pub(super) fn fitted(text: &str, width: u16, right: bool) -> String {
    let text = escape(text);
    let width = usize::from(width);
    let have = columns(&text);
    if have > width {
        return cut(&text, width);
    }
    let space = " ".repeat(width.saturating_sub(have));
    if right { format!("{space}{text}") } else { format!("{text}{space}") }
}

pub(super) fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

fn cut(text: &str, width: usize) -> String {
    let mut short = String::new();
    let mut have = 0_usize;
    for character in text.chars() {
        let more = columns(character.encode_utf8(&mut [0; 4]));
        if have.saturating_add(more) >= width {
            break;
        }
        have = have.saturating_add(more);
        short.push(character);
    }
    short.extend(std::iter::once(CUT).take(width));
    short.extend(std::iter::repeat_n(' ', width.saturating_sub(have.saturating_add(1))));
    short
}

/// A text in lines of at most `width` columns, broken at spaces where there are any.
pub(super) fn wrapped(text: &str, width: u16) -> Vec<String> {
    let text = escape(text);
    let width = usize::from(width).max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let have = lines.last().map_or(0, |line| columns(line));
        if have > 0 && have.saturating_add(1).saturating_add(columns(word)) > width {
            lines.push(String::new());
        } else if have > 0 {
            push(&mut lines, ' ', width);
        }
        word.chars().for_each(|character| push(&mut lines, character, width));
    }
    lines
}

fn push(lines: &mut Vec<String>, character: char, width: usize) {
    let full = lines.last().is_none_or(|line| columns(line) >= width);
    if full {
        lines.push(String::new());
    }
    if let Some(line) = lines.last_mut() {
        line.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_width_it_is_given_whatever_is_in_it() {
        for text in [
            "",
            "curl",
            "a long name that does not fit",
            "日本語の名前です",
            "e\u{301}\u{301}",
            "\x1b[2J\u{202e}",
        ] {
            for width in 0..20 {
                assert_eq!(columns(&fitted(text, width, true)), usize::from(width), "{text:?} in {width}");
            }
        }
        assert_eq!(fitted("curl", 6, true), "  curl");
        assert_eq!(fitted("chromium", 6, false), "chrom~");
        assert_eq!(fitted("\x07", 8, false), "\\x07    ");
    }

    #[test]
    fn long_lines_are_broken_at_spaces() {
        assert_eq!(wrapped("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}

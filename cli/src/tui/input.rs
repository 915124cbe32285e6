//! Keys to what is meant by them. Lower and upper case mean the same.
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::Tab;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Quit,
    /// Starts a session, or stops the running one.
    Session,
    Reset,
    Help,
    Threshold,
    Move(Step),
    Filter,
    Sort,
    Enter,
    NextTab,
    PreviousTab,
    Tab(Tab),
    Freeze,
    Units,
    Interfaces,
    Escape,
    Redraw,
    /// While text is typed.
    Type(String),
    Erase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// Nothing where the event means nothing here. While `typing` letters are text.
pub(super) fn intent(event: &Event, typing: bool) -> Option<Intent> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => of_key(*key, typing),
        Event::Paste(text) if typing => Some(Intent::Type(text.clone())),
        Event::Resize(..) => Some(Intent::Redraw),
        _ => None,
    }
}

fn of_key(key: KeyEvent, typing: bool) -> Option<Intent> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c' | 'C') => Some(Intent::Quit),
            KeyCode::Char('l' | 'L') => Some(Intent::Redraw),
            KeyCode::Char('h') if typing => Some(Intent::Erase),
            _ => None,
        };
    }
    match key.code {
        KeyCode::Char(character) if typing => Some(Intent::Type(character.to_string())),
        KeyCode::Char(character) => of_letter(character.to_ascii_lowercase()),
        KeyCode::Backspace if typing => Some(Intent::Erase),
        KeyCode::Enter => Some(Intent::Enter),
        KeyCode::Esc => Some(Intent::Escape),
        KeyCode::Tab | KeyCode::Right => Some(Intent::NextTab),
        KeyCode::BackTab | KeyCode::Left => Some(Intent::PreviousTab),
        KeyCode::Up => Some(Intent::Move(Step::Up)),
        KeyCode::Down => Some(Intent::Move(Step::Down)),
        KeyCode::PageUp => Some(Intent::Move(Step::PageUp)),
        KeyCode::PageDown => Some(Intent::Move(Step::PageDown)),
        KeyCode::Home => Some(Intent::Move(Step::First)),
        KeyCode::End => Some(Intent::Move(Step::Last)),
        _ => None,
    }
}

fn of_letter(letter: char) -> Option<Intent> {
    Some(match letter {
        'q' => Intent::Quit,
        's' => Intent::Session,
        'r' => Intent::Reset,
        'h' | '?' => Intent::Help,
        't' => Intent::Threshold,
        '/' => Intent::Filter,
        'o' => Intent::Sort,
        ' ' => Intent::Freeze,
        'b' => Intent::Units,
        'i' => Intent::Interfaces,
        '1'..='6' => Intent::Tab(Tab::numbered(letter)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn both_cases_of_a_letter_mean_the_same() {
        for letter in ['q', 's', 'r', 'h', 't', 'o', 'b', 'i'] {
            let lower = intent(&press(KeyCode::Char(letter)), false);
            assert_eq!(lower, intent(&press(KeyCode::Char(letter.to_ascii_uppercase())), false));
            assert!(lower.is_some(), "{letter}");
        }
        assert_eq!(intent(&press(KeyCode::Char('?')), false), Some(Intent::Help));
        assert_eq!(intent(&press(KeyCode::Char('3')), false), Some(Intent::Tab(Tab::Flows)));
    }

    #[test]
    fn letters_are_text_while_text_is_typed_but_an_interrupt_is_none() {
        assert_eq!(intent(&press(KeyCode::Char('q')), true), Some(Intent::Type("q".to_owned())));
        let interrupt = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert_eq!(intent(&interrupt, true), Some(Intent::Quit));
        assert_eq!(intent(&Event::Paste("q".to_owned()), false), None, "what is pasted is no key");
        assert_eq!(intent(&press(KeyCode::Enter), true), Some(Intent::Enter));
    }
}

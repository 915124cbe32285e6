//! Colours, from the sixteen that every terminal has, and never alone: what red says, a sign says too.
use ratatui::style::{Color, Modifier, Style};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Theme {
    coloured: bool,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    /// Heads of columns.
    Head,
    /// Titles and what is chosen.
    Strong,
    /// What is over: ended processes, what stands for many.
    Faint,
    Good,
    Warning,
    /// Over a threshold, critical, lost.
    Alarm,
    Accent,
    /// The status bar.
    Bar,
}

impl Theme {
    pub(super) const fn new(coloured: bool) -> Self {
        Self { coloured }
    }

    /// <https://no-color.org>: any value of NO_COLOR but an empty one.
    pub(super) fn from_environment() -> Self {
        Self::new(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    pub(super) fn style(self, role: Role) -> Style {
        let (colour, modifier) = match role {
            Role::Plain => (None, Modifier::empty()),
            Role::Head => (None, Modifier::UNDERLINED),
            Role::Strong => (None, Modifier::BOLD),
            Role::Faint => (None, Modifier::DIM),
            Role::Good => (Some(Color::Green), Modifier::empty()),
            Role::Warning => (Some(Color::Yellow), Modifier::BOLD),
            Role::Alarm => (Some(Color::Red), Modifier::BOLD),
            Role::Accent => (Some(Color::Cyan), Modifier::BOLD),
            Role::Bar => (None, Modifier::REVERSED),
        };
        let style = Style::new().add_modifier(modifier);
        match colour {
            Some(colour) if self.coloured => style.fg(colour),
            _ => style,
        }
    }
}

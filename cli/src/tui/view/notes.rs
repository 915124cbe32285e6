//! The panel of the newest alerts and events, below the lists.
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::text::span;
use crate::tui::lists::{Mark, clock};
use crate::tui::state::{Note, State};
use crate::tui::theme::{Role, Theme};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, theme: Theme) {
    let open = state.shown.as_ref().map_or(0, |update| update.open_alerts);
    let title = format!("Alerts and events: {open} open");
    let mut lines = vec![Line::from(span(&title, theme.style(Role::Strong)))];
    lines.extend(state.notes.newest().take(area.height.into()).map(|note| line(note, state, theme)));
    if lines.len() == 1 {
        lines.push(Line::from(span("  none", theme.style(Role::Faint))));
    }
    for (line, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

fn line(note: &Note, state: &State, theme: Theme) -> Line<'static> {
    let (sign, role) = match Mark::of(note.level) {
        Mark::Alarm => ("!", Role::Alarm),
        Mark::Warning => ("*", Role::Warning),
        Mark::None | Mark::Faint => (" ", Role::Plain),
    };
    let word = if note.state.is_empty() { note.level.name() } else { note.state };
    let text = format!("{sign} {} {word:<7} {}", clock(state, note.time), note.message);
    Line::from(span(&text, theme.style(role)))
}

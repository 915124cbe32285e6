//! What lies over the lists: the keys' meaning, the choice of interface.
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Modifier;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::text::{columns, span};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

const HELP: [(&str, &str); 20] = [
    ("S", "start a session; stop the running one"),
    ("R", "reset the session: end it, begin another of its name"),
    ("T", "threshold per process: 512 KiB/s, 1, 2, 5, 10 MiB/s, off"),
    ("Tab, right", "next view; Shift+Tab or left: the one before"),
    ("1 to 6", "processes, hosts, flows, interfaces, packets, alerts"),
    ("Up, Down", "choose a row; Page Up, Page Down, Home, End"),
    ("Enter", "everything about the chosen row"),
    ("/", "filter by a part of any text; of packets, by pcap-filter(7)"),
    ("O", "sort by the next column"),
    ("I", "all interfaces, or one"),
    ("B", "rates in bits or in bytes"),
    ("Space", "freeze the lists; once more: go on"),
    ("Esc", "close; take the filter away"),
    ("Ctrl+L", "paint the screen anew"),
    ("H, ?", "this help"),
    ("Q, Ctrl+C", "quit; capture and session go on"),
    ("", ""),
    ("!", "over the threshold, or critical; also red"),
    ("*", "a warning; also yellow"),
    ("UP, DOWN", "sent and received, as this machine sees it"),
];

/// ASCII, so that it looks right in every terminal.
const BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Draws it; how far it can be scrolled.
pub(super) fn help(frame: &mut Frame<'_>, area: Rect, scroll: usize, theme: Theme) -> usize {
    let line = |(key, meaning): &(&str, &str)| {
        Line::from(vec![
            span(&format!("{key:<11}"), theme.style(Role::Accent)),
            Span::raw((*meaning).to_owned()),
        ])
    };
    let lines: Vec<Line<'static>> = HELP.iter().map(line).collect();
    boxed(frame, area, " Keys (Esc closes) ", lines, scroll)
}

pub(super) fn interfaces(frame: &mut Frame<'_>, area: Rect, state: &State, at: usize, theme: Theme) {
    let names = std::iter::once("all interfaces").chain(state.interface_names());
    let line = |(index, name): (usize, &str)| {
        let chosen = index == at;
        let style = theme.style(Role::Plain);
        let style = if chosen { style.add_modifier(Modifier::REVERSED) } else { style };
        Line::from(span(&format!("{} {name:<24}", if chosen { '>' } else { ' ' }), style))
    };
    let lines = names.enumerate().map(line).collect();
    let scroll = at.saturating_sub(usize::from(area.height.saturating_sub(3)));
    boxed(frame, area, " Interface (Enter takes it) ", lines, scroll);
}

fn boxed(frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'static>>, scroll: usize) -> usize {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(columns(title));
    let size =
        |length: usize| Constraint::Length(u16::try_from(length.saturating_add(2)).unwrap_or(u16::MAX));
    let place = area.centered(size(widest), size(lines.len())).intersection(area);
    let end = lines.len().saturating_sub(usize::from(place.height.saturating_sub(2)));
    let block = Block::bordered().border_set(BORDER).title(title.to_owned());
    let from = u16::try_from(scroll.min(end)).unwrap_or(u16::MAX);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).scroll((from, 0)).block(block), place);
    end
}

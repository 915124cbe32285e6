//! The picture of a state: header, tabs, list or detail, alerts, status bar, and what lies over them. On a small screen
//! parts give way, the list last.
mod bar;
mod detail;
mod fields;
mod header;
mod notes;
mod popup;
mod table;
#[cfg(test)]
mod tests;
mod text;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::state::{Popup, State, Tab};
use super::theme::{Role, Theme};
use text::span;

/// Below this width the tabs have short names.
const WIDE_TABS: u16 = 72;

/// What the picture found out about its room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    /// Rows of the list that fit.
    pub page: usize,
    /// How far the text on top can be scrolled.
    pub scroll_end: usize,
}

pub(super) fn draw(frame: &mut Frame<'_>, state: &State, theme: Theme) -> Drawn {
    let area = frame.area();
    let header = header::lines(state, area.width, theme);
    let places = places(area, header.len(), state);
    for (line, row) in header.into_iter().zip(places.header.rows()) {
        frame.render_widget(line, row);
    }
    frame.render_widget(tabs(state, area.width, theme), places.tabs);
    let mut drawn = Drawn::default();
    if let Some(Popup::Detail(detail)) = &state.popup {
        drawn.page = usize::from(places.body.height.saturating_sub(1));
        drawn.scroll_end = detail::draw(frame, places.body, state, detail, theme);
    } else {
        drawn.page = table::draw(frame, places.body, state, theme);
        notes::draw(frame, places.notes, state, theme);
    }
    match &state.popup {
        Some(Popup::Help { scroll }) => drawn.scroll_end = popup::help(frame, area, *scroll, theme),
        Some(Popup::Interfaces { at }) => popup::interfaces(frame, area, state, *at, theme),
        Some(Popup::Filter { .. } | Popup::Detail(_)) | None => {}
    }
    let status = bar::status(state, area.width, theme);
    if places.bar.height >= 2 {
        frame.render_widget(bar::keys(state, area.width, theme), row(places.bar, 0));
        frame.render_widget(status, row(places.bar, 1));
    } else {
        let said = state.notice.is_some() || state.is_typing();
        frame.render_widget(if said { bar::keys(state, area.width, theme) } else { status }, places.bar);
    }
    drawn
}

struct Places {
    header: Rect,
    tabs: Rect,
    body: Rect,
    notes: Rect,
    bar: Rect,
}

fn places(area: Rect, header_lines: usize, state: &State) -> Places {
    let height = area.height;
    let most_header = match height {
        0..4 => 0,
        4..10 => 1,
        10..16 => 2,
        16..30 => 4,
        _ => 7,
    };
    let header = u16::try_from(header_lines).unwrap_or(u16::MAX).min(most_header);
    let tabs = u16::from(height >= 6);
    let bar = match height {
        0..2 => 0,
        2..12 => 1,
        _ => 2,
    };
    let panel = !matches!(state.popup, Some(Popup::Detail(_))) && state.tab != Tab::Alerts;
    let notes = match height {
        _ if !panel => 0,
        0..20 => 0,
        20..36 => 4,
        _ => 8,
    };
    let used = header.saturating_add(tabs).saturating_add(notes).saturating_add(bar);
    let body = height.saturating_sub(used);
    let mut top = area.y;
    let mut next = |height: u16| {
        let place = Rect::new(area.x, top, area.width, height);
        top = top.saturating_add(height);
        place
    };
    Places { header: next(header), tabs: next(tabs), body: next(body), notes: next(notes), bar: next(bar) }
}

fn row(area: Rect, index: usize) -> Rect {
    area.rows().nth(index).unwrap_or(Rect::new(area.x, area.y, area.width, 0))
}

fn tabs(state: &State, width: u16, theme: Theme) -> Line<'static> {
    let mut parts: Vec<Span<'static>> = Vec::new();
    for (index, tab) in Tab::ALL.into_iter().enumerate() {
        let name = tab.name();
        let name = if width < WIDE_TABS { name.get(..5).unwrap_or(name) } else { name };
        let text =
            if width < WIDE_TABS { name.to_owned() } else { format!(" {} {name} ", index.saturating_add(1)) };
        let style = theme.style(Role::Strong);
        let chosen = tab == state.tab;
        let style = if chosen { style.add_modifier(Modifier::REVERSED) } else { theme.style(Role::Plain) };
        parts.push(span(&text, style));
        parts.push(Span::raw(" "));
    }
    Line::from(parts)
}

//! The lines at the bottom: threshold, clock, what is chosen; and the keys, or what was just said.
use ratatui::text::{Line, Span};
use shared::units::{BinaryBytesPerSecond, Units};
use weir_shared as shared;

use super::text::{fitted, span};
use crate::tui::lists::clock;
use crate::tui::state::{Popup, State, Tab};
use crate::tui::theme::{Role, Theme};

/// Those that matter most first: a narrow screen shows as many as fit.
const KEYS: [&str; 12] = [
    "H help",
    "Q quit",
    "Tab view",
    "S session",
    "T threshold",
    "/ filter",
    "Enter detail",
    "Space freeze",
    "O sort",
    "I interface",
    "R reset",
    "B units",
];

/// The keys; a notice or the filter that is being typed in their place.
pub(super) fn keys(state: &State, width: u16, theme: Theme) -> Line<'static> {
    if let Some(Popup::Filter { text }) = &state.popup {
        let what = if state.tab == Tab::Packets { "packet filter (pcap-filter): " } else { "filter: " };
        return Line::from(vec![
            span(what, theme.style(Role::Accent)),
            span(text, theme.style(Role::Strong)),
            span("_  (Enter keeps it, Esc takes it away)", theme.style(Role::Faint)),
        ]);
    }
    match &state.notice {
        Some(notice) if notice.bad => {
            Line::from(span(&format!("! {}", notice.text), theme.style(Role::Alarm)))
        }
        Some(notice) => Line::from(span(&notice.text, theme.style(Role::Good))),
        None => Line::from(span(&fitting(width), theme.style(Role::Faint))),
    }
}

pub(super) fn status(state: &State, width: u16, theme: Theme) -> Line<'static> {
    let threshold = match state.threshold() {
        None => "?".to_owned(),
        Some(0) => "off".to_owned(),
        Some(bytes) => BinaryBytesPerSecond(bytes).to_string(),
    };
    let units = if state.units == Units::Bits { "bits" } else { "bytes" };
    let interface = state.interface.as_deref().unwrap_or("all interfaces");
    let frozen = state.frozen.map(|since| format!(" | FROZEN {}", clock(state, since))).unwrap_or_default();
    let text =
        format!(" threshold {threshold} | {} | {interface} | {units}{frozen}", clock(state, state.now));
    Line::from(Span::styled(fitted(&text, width, false), theme.style(Role::Bar)))
}

fn fitting(width: u16) -> String {
    let mut line = String::new();
    for key in KEYS {
        let gap = if line.is_empty() { "" } else { "  " };
        let longer = line.len().saturating_add(gap.len()).saturating_add(key.len());
        if longer > usize::from(width) {
            break;
        }
        line.push_str(gap);
        line.push_str(key);
    }
    line
}

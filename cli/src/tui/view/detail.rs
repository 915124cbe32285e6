//! One row in full: its fields, and below them its flows where it has any.
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use shared::report::{FlowRow, Ranked};
use shared::units::ByteCount;
use weir_shared as shared;

use super::fields::fields;
use super::text::{fitted, span, wrapped};
use crate::tui::lists::{flow_protocol, short_rate, unit};
use crate::tui::state::{Detail, State};
use crate::tui::theme::{Role, Theme};

/// The names of fields have this width.
const NAMES: u16 = 16;

/// Draws it; how far it can be scrolled.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, detail: &Detail, theme: Theme) -> usize {
    let title = "Detail (Esc closes, arrows scroll)";
    let mut lines = Vec::new();
    for (name, value) in fields(&detail.subject, state) {
        let parts = wrapped(&value, area.width.saturating_sub(NAMES));
        for (index, part) in parts.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            lines.push(Line::from(vec![
                Span::styled(fitted(name, NAMES, false), theme.style(Role::Faint)),
                Span::styled(part, theme.style(Role::Plain)),
            ]));
        }
    }
    if detail.has_flows() {
        lines.push(Line::default());
        lines.extend(flows(detail.flows.as_ref(), state, area.width, theme));
    }
    let room = usize::from(area.height.saturating_sub(1));
    let end = lines.len().saturating_sub(room);
    let title = Line::from(span(title, theme.style(Role::Strong)));
    let lines = std::iter::once(title).chain(lines.into_iter().skip(detail.scroll.min(end)));
    for (line, row) in lines.zip(area.rows()) {
        frame.render_widget(line, row);
    }
    end
}

fn flows(list: Option<&Ranked<FlowRow>>, state: &State, width: u16, theme: Theme) -> Vec<Line<'static>> {
    let Some(list) = list else {
        return vec![Line::from(span("Flows: asking", theme.style(Role::Faint)))];
    };
    let title = format!("Flows: {} (rates in {})", list.rows.len(), unit(state.units));
    let mut lines = vec![Line::from(span(&title, theme.style(Role::Strong)))];
    // four rates and totals, the protocol, and the spaces between seven columns
    let ends = width.saturating_sub(12 + 4 * 8 + 6) / 2;
    let layout = [(12, false), (ends, false), (ends, false), (8, true), (8, true), (8, true), (8, true)];
    let row = |cells: [&str; 7]| {
        let fitted = cells.iter().zip(layout).map(|(cell, (width, right))| fitted(cell, width, right));
        fitted.collect::<Vec<_>>().join(" ")
    };
    let head = row(["PROTOCOL", "INITIATOR", "RESPONDER", "UP/s", "DOWN/s", "UP", "DOWN"]);
    lines.push(Line::from(Span::styled(head, theme.style(Role::Head))));
    for flow in &list.rows {
        let responder = match flow.name.as_str() {
            "" => flow.responder.to_string(),
            name => format!("{} {name}", flow.responder),
        };
        let text = row([
            &flow_protocol(flow),
            &flow.initiator.to_string(),
            &responder,
            &short_rate(flow.per_second.tx.bytes, state.units),
            &short_rate(flow.per_second.rx.bytes, state.units),
            &ByteCount(flow.traffic.tx.bytes).to_string(),
            &ByteCount(flow.traffic.rx.bytes).to_string(),
        ]);
        lines.push(Line::from(Span::styled(text, theme.style(Role::Plain))));
    }
    lines
}

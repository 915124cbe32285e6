//! The table that all tabs share: columns that fit the width, a head, marked and chosen rows, pages.
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::text::{fitted, span};
use crate::tui::lists::{Column, Mark, Row, Table};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// The signs in front of a row: chosen, marked.
const SIGNS: u16 = 2;
/// From this height on a table has a caption and a head of two lines.
const ROOMY: u16 = 9;

/// Draws it; how many rows fit.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, theme: Theme) -> usize {
    let table = state.table();
    let widths = fit(&table.columns, area.width.saturating_sub(SIGNS));
    let sort = state.look().sort;
    let mut lines = Vec::new();
    if area.height >= ROOMY {
        lines.push(caption(&table, state, theme));
        if table.columns.iter().any(|column| !column.over.is_empty()) {
            let over = |column: &Column| column.over.to_owned();
            lines.push(head(&table, &widths, over, theme.style(Role::Faint)));
        }
    }
    let name = |column: &Column| {
        let sorted = sort.is_some_and(|at| table.columns.get(at) == Some(column));
        if sorted {
            format!("{}{}", column.name, if column.right { " v" } else { " ^" })
        } else {
            column.name.to_owned()
        }
    };
    lines.push(head(&table, &widths, name, theme.style(Role::Head)));
    let others = u16::from(table.others.is_some());
    let room = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX));
    let page = usize::from(room.saturating_sub(others)).max(1);
    let chosen = state.chosen(&table);
    let first = chosen.checked_div(page).unwrap_or(0).saturating_mul(page);
    for (index, row) in table.rows.iter().enumerate().skip(first).take(page) {
        lines.push(line(row, &widths, &table.columns, index == chosen, theme));
    }
    if table.rows.is_empty() {
        lines.push(Line::from(span(empty(state), theme.style(Role::Faint))));
    }
    lines.extend(table.others.iter().map(|row| line(row, &widths, &table.columns, false, theme)));
    for (line, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
    page
}

fn empty(state: &State) -> &'static str {
    match &state.shown {
        None => "  Waiting for the collector's first figures",
        Some(_) if !state.look().filter.is_empty() => "  Nothing matches the filter; Esc takes it away",
        Some(_) => "  Nothing yet",
    }
}

fn caption(table: &Table, state: &State, theme: Theme) -> Line<'static> {
    let look = state.look();
    let mut parts =
        vec![span(&format!("{}: {}", state.tab.name(), table.rows.len()), theme.style(Role::Strong))];
    if let Some(column) = look.sort.and_then(|at| table.columns.get(at)) {
        let over = if column.over.is_empty() { String::new() } else { format!(" ({})", column.over) };
        parts.push(span(&format!(", by {}{over}", column.name), theme.style(Role::Plain)));
    }
    if !look.filter.is_empty() {
        parts.push(span(&format!(", filter `{}`", look.filter), theme.style(Role::Accent)));
    }
    let role = if state.packets.problem.is_some() && state.tab == crate::tui::state::Tab::Packets {
        Role::Alarm
    } else {
        Role::Faint
    };
    parts.push(span(&format!("; {}", table.caption), theme.style(role)));
    Line::from(parts)
}

fn head(table: &Table, widths: &[u16], text: impl Fn(&Column) -> String, style: Style) -> Line<'static> {
    let mut parts = vec![Span::raw(" ".repeat(SIGNS.into()))];
    for (column, width) in table.columns.iter().zip(widths).filter(|(_, width)| **width > 0) {
        parts.push(Span::styled(fitted(&text(column), *width, column.right), style));
        parts.push(Span::raw(" "));
    }
    Line::from(parts)
}

fn line(row: &Row, widths: &[u16], columns: &[Column], chosen: bool, theme: Theme) -> Line<'static> {
    let (sign, role) = match row.mark {
        Mark::None => (' ', Role::Plain),
        Mark::Alarm => ('!', Role::Alarm),
        Mark::Warning => ('*', Role::Warning),
        Mark::Faint => (' ', Role::Faint),
    };
    let mut text = format!("{}{sign}", if chosen { '>' } else { ' ' });
    let cells = row.cells.iter().map(|cell| cell.text.as_str()).chain(std::iter::repeat(""));
    for ((column, width), cell) in columns.iter().zip(widths).zip(cells).filter(|((_, width), _)| **width > 0)
    {
        text.push_str(&fitted(cell, *width, column.right));
        text.push(' ');
    }
    let mut style = theme.style(role);
    if chosen {
        style = style.add_modifier(Modifier::REVERSED);
    }
    Line::from(Span::styled(text, style))
}

/// Widths for all columns, 0 for those that find no room: the least kept go first, what is left over is shared among
/// those that can use it.
fn fit(columns: &[Column], width: u16) -> Vec<u16> {
    let mut shown: Vec<bool> = vec![true; columns.len()];
    let need = |shown: &[bool]| -> u16 {
        let kept = columns.iter().zip(shown).filter(|(_, shown)| **shown);
        kept.fold(0, |sum: u16, (column, _)| sum.saturating_add(column.least).saturating_add(1))
            .saturating_sub(1)
    };
    while need(&shown) > width && shown.iter().filter(|shown| **shown).count() > 1 {
        let least = columns.iter().zip(&shown).enumerate().filter(|(_, (_, shown))| **shown);
        let Some(at) = least.min_by_key(|(_, (column, _))| column.keep).map(|(at, _)| at) else { break };
        shown.iter_mut().skip(at).take(1).for_each(|shown| *shown = false);
    }
    let mut spare = width.saturating_sub(need(&shown));
    let mut widths: Vec<u16> =
        columns.iter().zip(&shown).map(|(column, shown)| if *shown { column.least } else { 0 }).collect();
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(columns.get(*at).map(|column| column.keep)));
    // in turns, so that none takes all
    let mut grown = true;
    while grown {
        grown = false;
        for at in &order {
            let (Some(width), Some(column)) = (widths.get_mut(*at), columns.get(*at)) else { continue };
            if (1..column.most).contains(width) && spare > 0 {
                *width = width.saturating_add(1);
                spare = spare.saturating_sub(1);
                grown = true;
            }
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(least: u16, most: u16, keep: u8) -> Column {
        Column { over: "", name: "X", least, most, keep, right: false }
    }

    #[test]
    fn what_matters_least_goes_first_and_room_is_used() {
        let columns = [column(7, 7, 9), column(10, 30, 10), column(10, 20, 1)];
        assert_eq!(fit(&columns, 60), [7, 30, 20]);
        assert_eq!(fit(&columns, 40), [7, 16, 15]);
        assert_eq!(fit(&columns, 28), [7, 20, 0]);
        assert_eq!(fit(&columns, 12), [0, 12, 0]);
        assert_eq!(fit(&columns, 3), [0, 10, 0], "one stays, and is cut by the screen");
    }
}

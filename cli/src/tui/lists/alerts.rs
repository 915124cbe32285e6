//! Alerts, events and gaps, newest first.
use super::{Cell, Column, Mark, Row, Table};
use crate::tui::state::{Note, State};

pub(super) fn table(state: &State) -> Table {
    let columns = vec![
        Column::text("TIME", 14, 14, 9),
        Column::text("LEVEL", 8, 8, 8),
        Column::text("KIND", 15, 22, 5),
        Column::text("STATE", 6, 6, 4),
        Column::text("SUBJECT", 10, 30, 6),
        Column::text("MESSAGE", 48, 200, 10),
    ];
    let open = state.shown.as_ref().map_or(0, |update| update.open_alerts);
    Table {
        columns,
        rows: state.notes.newest().map(|note| line(note, state)).collect(),
        others: None,
        caption: format!("{open} open"),
    }
}

fn line(note: &Note, state: &State) -> Row {
    let seconds = u64::try_from(note.time.as_millisecond()).unwrap_or(0);
    Row {
        key: note.key.clone(),
        cells: vec![
            Cell::number(
                seconds,
                note.time.to_zoned(state.zone.clone()).strftime("%m-%d %H:%M:%S").to_string(),
            ),
            Cell::text(note.level.name()),
            Cell::text(note.kind.clone()),
            Cell::text(note.state),
            Cell::text(note.subject.clone()),
            Cell::text(note.message.clone()),
        ],
        mark: Mark::of(note.level),
        weight: (seconds, 0),
        more: String::new(),
    }
}

//! Remote hosts.
use shared::report::HostRow;
use weir_shared as shared;

use super::{Cell, Column, Mark, Row, Table, unit, weight};
use crate::tui::state::{Keyed as _, State};

pub(super) fn table(state: &State) -> Table {
    let (rows, others) = state.hosts();
    let columns = vec![
        Column::text("ADDRESS", 15, 39, 10),
        Column::text("NAME", 10, 40, 7),
        Column::number(unit(state.units), "UP", 6, 9),
        Column::number(unit(state.units), "DOWN", 6, 9),
        Column::number("start", "UP", 7, 6),
        Column::number("start", "DOWN", 7, 6),
        Column::text("PROTOCOLS", 9, 30, 4),
        Column::text("INTERFACE", 9, 15, 3),
    ];
    let [up, down] = [Cell::bytes(others.traffic.tx.bytes), Cell::bytes(others.traffic.rx.bytes)];
    let after = vec![Cell::empty(), Cell::empty(), Cell::empty(), up, down];
    Table {
        columns,
        rows: rows.into_iter().map(|row| line(row, state)).collect(),
        others: Row::others(&others, 0, after),
        caption: "totals since the collector started".to_owned(),
    }
}

fn line(row: &HostRow, state: &State) -> Row {
    Row {
        key: row.key(),
        cells: vec![
            Cell::text(row.address.to_string()),
            Cell::text(row.name.clone()),
            Cell::rate(row.per_second.tx.bytes, state.units),
            Cell::rate(row.per_second.rx.bytes, state.units),
            Cell::bytes(row.traffic.tx.bytes),
            Cell::bytes(row.traffic.rx.bytes),
            Cell::text(row.protocols.join(" ")),
            Cell::text(row.interface.clone()),
        ],
        mark: Mark::None,
        weight: weight(row.per_second, row.traffic),
        more: String::new(),
    }
}

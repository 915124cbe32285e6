//! Flows, both directions together.
use shared::report::FlowRow;
use weir_shared as shared;

use super::{Cell, Column, Mark, Row, Table, owners, unit, weight};
use crate::tui::state::{Keyed as _, State};

pub(super) fn table(state: &State) -> Table {
    let (rows, others) = state.flows();
    let columns = vec![
        Column::text("PROTOCOL", 8, 12, 6),
        Column::text("INITIATOR", 18, 45, 9),
        Column::text("RESPONDER", 18, 45, 10),
        Column::number(unit(state.units), "UP", 6, 8),
        Column::number(unit(state.units), "DOWN", 6, 8),
        Column::text("OWNER", 12, 30, 7),
        Column::number("start", "TOTAL", 7, 5),
        Column::text("NAME", 8, 40, 4),
        Column::text("STATE", 11, 11, 3),
        Column::text("INTERFACE", 9, 15, 2),
    ];
    let mut after = vec![Cell::empty(); 4];
    after.push(Cell::bytes(others.traffic.sum().bytes));
    Table {
        columns,
        rows: rows.into_iter().map(|row| line(row, state)).collect(),
        others: Row::others(&others, 1, after),
        caption: "totals since the collector started".to_owned(),
    }
}

/// `tcp https`, or the transport alone.
pub(in crate::tui) fn protocol(row: &FlowRow) -> String {
    match row.application.as_str() {
        "" | "other" => row.protocol.to_string(),
        application => format!("{} {application}", row.protocol),
    }
}

fn line(row: &FlowRow, state: &State) -> Row {
    Row {
        key: row.key(),
        cells: vec![
            Cell::text(protocol(row)),
            Cell::text(row.initiator.to_string()),
            Cell::text(row.responder.to_string()),
            Cell::rate(row.per_second.tx.bytes, state.units),
            Cell::rate(row.per_second.rx.bytes, state.units),
            Cell::text(owners(row.initiator_owner.as_ref(), row.responder_owner.as_ref())),
            Cell::bytes(row.traffic.sum().bytes),
            Cell::text(row.name.clone()),
            Cell::text(row.state.clone()),
            Cell::text(row.interface.clone()),
        ],
        mark: Mark::None,
        weight: weight(row.per_second, row.traffic),
        more: String::new(),
    }
}

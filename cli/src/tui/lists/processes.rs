//! Who moves bytes.
use shared::process::{MatchQuality, OwnerRow};
use shared::report::RxTx;
use weir_shared as shared;

use super::{Cell, Column, Mark, Row, Table, clock, unit, weight};
use crate::tui::state::{Keyed as _, State};

pub(super) fn table(state: &State) -> Table {
    let (rows, others) = state.owners();
    let in_session = state.shown.as_ref().and_then(|update| update.session.as_ref());
    let since = if in_session.is_some() { "session" } else { "start" };
    let columns = vec![
        Column::number("", "PID", 7, 9),
        Column::text("NAME", 12, 34, 10),
        Column::text("USER/UNIT", 10, 30, 4),
        Column::number(unit(state.units), "UP", 6, 8),
        Column::number(unit(state.units), "DOWN", 6, 8),
        Column::number(since, "UP", 7, 6),
        Column::number(since, "DOWN", 7, 6),
        Column::text("PROTOCOLS", 9, 30, 3),
        Column::text("QUALITY", 8, 8, 2),
        Column::text("COMMAND", 20, 120, 1),
    ];
    let caption = match in_session {
        Some(session) => format!("totals since the session began, {}", clock(state, session.begin)),
        None => "totals since the collector started".to_owned(),
    };
    let mut after = vec![Cell::empty(); 3];
    after.extend(totals(if in_session.is_some() { others.session_traffic } else { others.traffic }));
    Table {
        columns,
        rows: rows.iter().map(|row| line(row, state, in_session.is_some())).collect(),
        others: Row::others(&others, 1, after),
        caption,
    }
}

fn totals(traffic: RxTx) -> [Cell; 2] {
    [Cell::bytes(traffic.tx.bytes), Cell::bytes(traffic.rx.bytes)]
}

fn line(row: &OwnerRow, state: &State, in_session: bool) -> Row {
    let owner = &row.owner;
    let pid = owner.pid.map_or_else(Cell::empty, |pid| Cell::number(u64::from(pid), pid.to_string()));
    let ended = owner.pid.is_some() && !owner.alive;
    let name = if ended { format!("{} (ended)", owner.name) } else { owner.name.clone() };
    // without a process there is at best a reason
    let places = [&owner.container, &owner.unit, &owner.user, &owner.reason];
    let place = places.into_iter().find(|text| !text.is_empty());
    let [up, down] = totals(if in_session { row.session_traffic } else { row.traffic });
    Row {
        key: row.key(),
        cells: vec![
            pid,
            Cell::text(name),
            Cell::text(place.cloned().unwrap_or_default()),
            Cell::rate(row.per_second.tx.bytes, state.units),
            Cell::rate(row.per_second.rx.bytes, state.units),
            up,
            down,
            Cell::text(row.protocols.join(" ")),
            Cell::text(owner.quality.name()),
            Cell::text(owner.command_line.clone()),
        ],
        mark: match owner.quality {
            _ if row.over_threshold => Mark::Alarm,
            MatchQuality::Unknown => Mark::Faint,
            _ if ended => Mark::Faint,
            _ => Mark::None,
        },
        weight: weight(row.per_second, row.traffic),
        more: [owner.executable.as_str(), &owner.command_line, &owner.user, &owner.unit, &owner.container]
            .join("\n"),
    }
}

//! Captured interfaces.
use shared::health::CaptureState;
use shared::live::LiveInterface;
use shared::units::PacketCount;
use weir_shared as shared;

use super::{Cell, Column, Mark, Row, Table, unit};
use crate::tui::state::State;

pub(super) fn table(state: &State) -> Table {
    let columns = vec![
        Column::text("INTERFACE", 10, 15, 10),
        Column::text("STATE", 5, 6, 9),
        Column::number(unit(state.units), "UP", 6, 8),
        Column::number(unit(state.units), "DOWN", 6, 8),
        Column::number("a second", "PACKETS", 8, 7),
        Column::number("start", "UP", 7, 6),
        Column::number("start", "DOWN", 7, 6),
        Column::number("both", "TODAY", 7, 5),
        Column::number("both", "MONTH", 7, 4),
        Column::number("packets", "DROPPED", 7, 3),
        Column::text("TOTALS", 6, 6, 2),
    ];
    Table {
        columns,
        rows: state.interfaces().map(|live| line(live, state)).collect(),
        others: None,
        caption: "captured since the collector started; day and month by the kernel".to_owned(),
    }
}

fn line(live: &LiveInterface, state: &State) -> Row {
    let word = match live.state {
        CaptureState::Up => "up",
        CaptureState::Gone => "gone",
        CaptureState::Error => "error",
    };
    let packets = live.second.sum().packets;
    Row {
        key: live.interface.clone(),
        cells: vec![
            Cell::text(live.interface.clone()),
            Cell::text(word),
            Cell::rate(live.second.tx.bytes, state.units),
            Cell::rate(live.second.rx.bytes, state.units),
            Cell::number(packets, PacketCount(packets).to_string()),
            Cell::bytes(live.captured.tx.bytes),
            Cell::bytes(live.captured.rx.bytes),
            Cell::bytes(live.today.bytes()),
            Cell::bytes(live.month.bytes()),
            Cell::number(live.dropped_packets, live.dropped_packets.to_string()),
            Cell::text(if live.in_totals { "yes" } else { "no" }),
        ],
        mark: match live.state {
            CaptureState::Up if live.dropped_packets > 0 => Mark::Warning,
            CaptureState::Up => Mark::None,
            CaptureState::Gone | CaptureState::Error => Mark::Alarm,
        },
        weight: (u64::from(live.primary), live.second.sum().bytes),
        more: live.reason.clone(),
    }
}

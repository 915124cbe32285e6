//! Packets as they pass, newest first.
use shared::net::{Endpoint, Transport};
use shared::packets::PacketHeader;
use shared::units::PacketCount;
use weir_shared as shared;

use super::{Cell, Column, Mark, Row, Table, owner};
use crate::tui::state::State;

pub(super) fn table(state: &State) -> Table {
    let columns = vec![
        Column::text("TIME", 12, 12, 7),
        Column::text("SOURCE", 18, 45, 9),
        Column::text("DESTINATION", 18, 45, 10),
        Column::text("PROTOCOL", 8, 12, 8),
        Column::number("bytes", "LENGTH", 6, 6),
        Column::text("OWNER", 10, 24, 5),
        Column::text("DETAIL", 10, 60, 4),
        Column::text("INTERFACE", 9, 15, 3),
    ];
    let totals = &state.packets.totals;
    let caption = match &state.packets.problem {
        Some(problem) => problem.clone(),
        None => {
            format!("{} matched, {} not shown", PacketCount(totals.packets), PacketCount(totals.not_sent))
        }
    };
    Table {
        columns,
        rows: state.packets.newest().map(|(number, packet)| line(*number, packet, state)).collect(),
        others: None,
        caption,
    }
}

pub(in crate::tui) fn end(endpoint: Option<Endpoint>, mac: &str) -> String {
    endpoint.map_or_else(|| mac.to_owned(), |end| end.to_string())
}

pub(in crate::tui) fn protocol(packet: &PacketHeader) -> String {
    match (packet.protocol, packet.application.as_str()) {
        (Transport::NoFlow, "" | "other") => "frame".to_owned(),
        (Transport::NoFlow, application) => application.to_owned(),
        (protocol, "" | "other") => protocol.to_string(),
        (protocol, application) => format!("{protocol} {application}"),
    }
}

fn line(number: u64, packet: &PacketHeader, state: &State) -> Row {
    let time = packet.time.to_zoned(state.zone.clone()).strftime("%H:%M:%S%.3f").to_string();
    Row {
        key: number.to_string(),
        cells: vec![
            Cell::text(time),
            Cell::text(end(packet.source, &packet.source_mac)),
            Cell::text(end(packet.destination, &packet.destination_mac)),
            Cell::text(protocol(packet)),
            Cell::number(u64::from(packet.wire_bytes), packet.wire_bytes.to_string()),
            Cell::text(packet.owner.as_ref().map(owner).unwrap_or_default()),
            Cell::text(packet.detail.clone()),
            Cell::text(packet.interface.clone()),
        ],
        mark: Mark::None,
        weight: (number, 0),
        more: String::new(),
    }
}

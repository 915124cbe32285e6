//! The rows of the JSON documents as CSV (RFC 4180), under the same names, with `others` as the last row where a list
//! has one. Text that a spreadsheet would run as a formula gets a `'` in front
//! (<https://owasp.org/www-community/attacks/CSV_Injection>).
use std::io::Write;

use super::{FlowItem, HostItem, OthersItem, Rate, Traffic, WindowItem};
use crate::alert::Alert;
use crate::health::{CaptureStatus, DayRow, InterfaceInfo};
use crate::packets::PacketHeader;
use crate::process::OwnerReference;

/// A cell: numbers, times and words of ours stay as they are, text from outside is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Plain(String),
    Text(String),
}

impl Cell {
    pub fn plain(value: impl ToString) -> Self {
        Self::Plain(value.to_string())
    }

    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    fn guarded(self) -> String {
        match self {
            Self::Plain(text) => text,
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) => {
                format!("'{text}")
            }
            Self::Text(text) => text,
        }
    }
}

/// A row in columns that are named as the keys of its JSON object.
pub trait Columns {
    const HEADER: &'static [&'static str];

    /// As many as the header has.
    fn cells(&self) -> Vec<Cell>;

    /// The row for what the list does not name; none where lists have no remainder.
    fn others(_others: &OthersItem) -> Option<Vec<Cell>> {
        None
    }
}

/// # Errors
/// Writing failed.
pub fn write<T: Columns, W: Write>(
    out: W,
    rows: &[T],
    others: Option<&OthersItem>,
) -> Result<(), ::csv::Error> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(T::HEADER)?;
    let rows = rows.iter().map(T::cells).chain(others.and_then(T::others));
    for cells in rows {
        writer.write_record(cells.into_iter().map(Cell::guarded))?;
    }
    writer.flush()?;
    Ok(())
}

/// An owner in one cell: its name, and its pid where it has one.
pub(super) fn reference(owner: Option<&OwnerReference>) -> Cell {
    match owner {
        Some(OwnerReference { name, pid: Some(pid), .. }) => Cell::text(format!("{name} {pid}")),
        Some(OwnerReference { name, .. }) => Cell::text(name),
        None => Cell::plain(""),
    }
}

pub(super) fn traffic(traffic: Traffic) -> [Cell; 4] {
    [traffic.rx_bytes, traffic.tx_bytes, traffic.rx_packets, traffic.tx_packets].map(Cell::plain)
}

pub(super) fn rate(rate: Rate) -> [Cell; 4] {
    [rate.rx_bits_per_second, rate.tx_bits_per_second, rate.rx_packets_per_second, rate.tx_packets_per_second]
        .map(Cell::plain)
}

/// `before` empty cells but for the word "others", the traffic, and empty cells up to the header's length.
pub(super) fn others_row(before: usize, columns: usize, others: &OthersItem) -> Vec<Cell> {
    let mut cells = vec![Cell::plain("others")];
    cells.resize(before, Cell::plain(""));
    cells.extend(traffic(others.traffic));
    cells.resize(columns, Cell::plain(""));
    cells
}

impl Columns for HostItem {
    const HEADER: &'static [&'static str] = &[
        "interface",
        "address",
        "name",
        "protocols",
        "rx_bytes",
        "tx_bytes",
        "rx_packets",
        "tx_packets",
        "rx_bits_per_second",
        "tx_bits_per_second",
        "rx_packets_per_second",
        "tx_packets_per_second",
        "first_seen",
        "last_seen",
    ];

    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![
            Cell::text(&self.interface),
            Cell::plain(self.address),
            Cell::text(&self.name),
            Cell::text(self.protocols.join(" ")),
        ];
        cells.extend(traffic(self.traffic));
        cells.extend(rate(self.rate));
        cells.extend([Cell::plain(self.first_seen), Cell::plain(self.last_seen)]);
        cells
    }

    fn others(others: &OthersItem) -> Option<Vec<Cell>> {
        Some(others_row(4, Self::HEADER.len(), others))
    }
}

impl Columns for FlowItem {
    const HEADER: &'static [&'static str] = &[
        "interface",
        "protocol",
        "initiator",
        "responder",
        "application",
        "name",
        "direction",
        "state",
        "rx_bytes",
        "tx_bytes",
        "rx_packets",
        "tx_packets",
        "rx_bits_per_second",
        "tx_bits_per_second",
        "rx_packets_per_second",
        "tx_packets_per_second",
        "first_seen",
        "last_seen",
        "round_trip_micros",
        "retransmitted_segments",
        "zero_windows",
        "resets",
        "initiator_owner",
        "responder_owner",
    ];

    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![
            Cell::text(&self.interface),
            Cell::plain(self.protocol),
            Cell::plain(self.initiator),
            Cell::plain(self.responder),
            Cell::text(&self.application),
            Cell::text(&self.name),
            Cell::plain(word(&self.direction)),
            Cell::text(&self.state),
        ];
        cells.extend(traffic(self.traffic));
        cells.extend(rate(self.rate));
        cells.extend([Cell::plain(self.first_seen), Cell::plain(self.last_seen)]);
        cells.push(Cell::plain(self.round_trip_micros.map(|micros| micros.to_string()).unwrap_or_default()));
        cells.extend([self.retransmitted_segments, self.zero_windows, self.resets].map(Cell::plain));
        cells.extend([&self.initiator_owner, &self.responder_owner].map(|owner| reference(owner.as_ref())));
        cells
    }

    fn others(others: &OthersItem) -> Option<Vec<Cell>> {
        Some(others_row(8, Self::HEADER.len(), others))
    }
}

impl Columns for InterfaceInfo {
    const HEADER: &'static [&'static str] = &[
        "name",
        "index",
        "kind",
        "up",
        "addresses",
        "mac",
        "mtu_bytes",
        "primary",
        "captured",
        "in_totals",
        "reason",
        "parent",
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(&self.name),
            Cell::plain(self.index),
            Cell::text(&self.kind),
            Cell::plain(self.up),
            Cell::text(self.addresses.join(" ")),
            Cell::text(&self.mac),
            Cell::plain(self.mtu_bytes),
            Cell::plain(self.primary),
            Cell::plain(self.captured),
            Cell::plain(self.in_totals),
            Cell::text(&self.reason),
            Cell::text(&self.parent),
        ]
    }
}

impl Columns for CaptureStatus {
    const HEADER: &'static [&'static str] = &[
        "interface",
        "state",
        "reason",
        "packets",
        "bytes",
        "dropped_packets",
        "kernel_bytes",
        "lost_bytes",
    ];

    fn cells(&self) -> Vec<Cell> {
        let mut cells =
            vec![Cell::text(&self.interface), Cell::plain(word(&self.state)), Cell::text(&self.reason)];
        let numbers = [
            self.captured.packets,
            self.captured.bytes,
            self.dropped_packets,
            self.ledger.kernel_bytes,
            self.ledger.lost_bytes,
        ];
        cells.extend(numbers.map(Cell::plain));
        cells
    }
}

impl Columns for DayRow {
    const HEADER: &'static [&'static str] =
        &["date", "interface", "rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "in_totals"];

    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![Cell::plain(self.date), Cell::text(&self.interface)];
        let kernel = &self.kernel;
        cells.extend(
            [kernel.rx_packets, kernel.rx_bytes, kernel.tx_packets, kernel.tx_bytes].map(Cell::plain),
        );
        cells.push(Cell::plain(self.in_totals));
        cells
    }
}

impl Columns for Alert {
    const HEADER: &'static [&'static str] =
        &["id", "time", "kind", "state", "severity", "subject", "subjects", "message", "evidence"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::plain(self.id),
            Cell::plain(self.time),
            Cell::text(&self.kind),
            Cell::plain(word(&self.state)),
            Cell::plain(word(&self.severity)),
            Cell::text(&self.subject),
            Cell::text(self.subjects.join(" ")),
            Cell::text(&self.message),
            Cell::plain(serde_json::Value::Object(self.evidence.clone())),
        ]
    }
}

impl Columns for WindowItem {
    const HEADER: &'static [&'static str] = &[
        "start",
        "length_millis",
        "interface",
        "in_totals",
        "rx_bytes",
        "tx_bytes",
        "rx_packets",
        "tx_packets",
        "highest_rx_bits_per_second",
        "highest_tx_bits_per_second",
        "highest_packets_per_second",
        "dropped_packets",
        "tcp_packets",
        "tcp_bytes",
        "udp_packets",
        "udp_bytes",
        "icmp_packets",
        "icmp_bytes",
        "syn",
    ];

    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![
            Cell::plain(self.start),
            Cell::plain(self.length_millis),
            Cell::text(&self.interface),
            Cell::plain(self.in_totals),
        ];
        cells.extend(traffic(self.traffic));
        let mut icmp = self.transport.icmp;
        icmp += self.transport.icmpv6;
        let numbers = [
            self.highest_rx_bits_per_second,
            self.highest_tx_bits_per_second,
            self.highest_packets_per_second,
            self.dropped_packets,
            self.transport.tcp.packets,
            self.transport.tcp.bytes,
            self.transport.udp.packets,
            self.transport.udp.bytes,
            icmp.packets,
            icmp.bytes,
            self.tcp_flags.syn,
        ];
        cells.extend(numbers.map(Cell::plain));
        cells
    }
}

impl Columns for PacketHeader {
    const HEADER: &'static [&'static str] = &[
        "time",
        "interface",
        "source",
        "destination",
        "protocol",
        "application",
        "wire_bytes",
        "captured_bytes",
        "direction",
        "vlan",
        "tcp_flags",
        "detail",
        "source_mac",
        "destination_mac",
        "owner",
    ];

    fn cells(&self) -> Vec<Cell> {
        let end =
            |endpoint: Option<crate::net::Endpoint>| endpoint.map(|e| e.to_string()).unwrap_or_default();
        vec![
            Cell::plain(self.time),
            Cell::text(&self.interface),
            Cell::plain(end(self.source)),
            Cell::plain(end(self.destination)),
            Cell::plain(self.protocol),
            Cell::text(&self.application),
            Cell::plain(self.wire_bytes),
            Cell::plain(self.captured_bytes),
            Cell::plain(word(&self.direction)),
            Cell::plain(self.vlan),
            Cell::plain(self.tcp_flags),
            Cell::text(&self.detail),
            Cell::plain(&self.source_mac),
            Cell::plain(&self.destination_mac),
            reference(self.owner.as_ref()),
        ]
    }
}

/// An enum by the word that JSON has for it.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

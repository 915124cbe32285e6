//! Owners and sessions as objects.
use jiff::Timestamp;
use serde::Serialize;

use super::csv::{self, Cell, Columns};
use super::{OthersItem, Rate, Traffic};
use crate::process::{Owner, OwnerRow};
use crate::report::{KernelCounters, Ranked};
use crate::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnerItem {
    #[serde(flatten)]
    pub owner: Owner,
    /// Empty: over interfaces.
    pub interface: String,
    #[serde(flatten)]
    pub traffic: Traffic,
    pub rx_payload_bytes: u64,
    pub tx_payload_bytes: u64,
    #[serde(flatten)]
    pub rate: Rate,
    pub protocols: Vec<String>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub over_threshold: bool,
}

impl From<&OwnerRow> for OwnerItem {
    fn from(row: &OwnerRow) -> Self {
        Self {
            owner: row.owner.clone(),
            interface: row.interface.clone(),
            traffic: row.traffic.into(),
            rx_payload_bytes: row.rx_payload_bytes,
            tx_payload_bytes: row.tx_payload_bytes,
            rate: row.per_second.into(),
            protocols: row.protocols.clone(),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            over_threshold: row.over_threshold,
        }
    }
}

impl Columns for OwnerItem {
    const HEADER: &'static [&'static str] = &[
        "name",
        "pid",
        "started",
        "executable",
        "command_line",
        "user",
        "unit",
        "container",
        "parents",
        "alive",
        "quality",
        "reason",
        "interface",
        "rx_bytes",
        "tx_bytes",
        "rx_packets",
        "tx_packets",
        "rx_payload_bytes",
        "tx_payload_bytes",
        "rx_bits_per_second",
        "tx_bits_per_second",
        "rx_packets_per_second",
        "tx_packets_per_second",
        "protocols",
        "first_seen",
        "last_seen",
        "over_threshold",
    ];

    fn cells(&self) -> Vec<Cell> {
        let owner = &self.owner;
        let parents: Vec<_> =
            owner.parents.iter().map(|parent| format!("{} {}", parent.name, parent.pid)).collect();
        let mut cells = vec![
            Cell::text(&owner.name),
            Cell::plain(owner.pid.map(|pid| pid.to_string()).unwrap_or_default()),
            Cell::plain(owner.started.map(|started| started.to_string()).unwrap_or_default()),
            Cell::text(&owner.executable),
            Cell::text(&owner.command_line),
            Cell::text(&owner.user),
            Cell::text(&owner.unit),
            Cell::text(&owner.container),
            Cell::text(parents.join(" < ")),
            Cell::plain(owner.alive),
            Cell::plain(owner.quality.name()),
            Cell::text(&owner.reason),
            Cell::text(&self.interface),
        ];
        cells.extend(csv::traffic(self.traffic));
        cells.extend([self.rx_payload_bytes, self.tx_payload_bytes].map(Cell::plain));
        cells.extend(csv::rate(self.rate));
        cells.push(Cell::text(self.protocols.join(" ")));
        cells.extend([Cell::plain(self.first_seen), Cell::plain(self.last_seen)]);
        cells.push(Cell::plain(self.over_threshold));
        cells
    }

    fn others(others: &OthersItem) -> Option<Vec<Cell>> {
        Some(csv::others_row(13, Self::HEADER.len(), others))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessesDocument {
    pub since: Timestamp,
    pub processes: Vec<OwnerItem>,
    pub others: OthersItem,
}

/// `weir processes --json`.
pub fn processes_document(since: Timestamp, list: &Ranked<OwnerRow>) -> ProcessesDocument {
    ProcessesDocument {
        since,
        processes: list.rows.iter().map(Into::into).collect(),
        others: list.others.into(),
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionItem {
    pub id: u64,
    pub name: String,
    pub begin: Timestamp,
    /// Null while it runs.
    pub end: Option<Timestamp>,
    pub gap_millis: u64,
    #[serde(flatten)]
    pub traffic: Traffic,
    pub interfaces: Vec<SessionInterfaceItem>,
    pub processes: Vec<OwnerItem>,
    pub others: OthersItem,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionInterfaceItem {
    pub interface: String,
    #[serde(flatten)]
    pub traffic: Traffic,
    pub kernel: KernelCounters,
}

impl From<&Session> for SessionItem {
    fn from(session: &Session) -> Self {
        let part = |part: &crate::session::SessionInterface| SessionInterfaceItem {
            interface: part.interface.clone(),
            traffic: part.captured.into(),
            kernel: part.kernel,
        };
        Self {
            id: session.id,
            name: session.name.clone(),
            begin: session.begin,
            end: session.end,
            gap_millis: session.gap_millis,
            traffic: session.traffic.into(),
            interfaces: session.interfaces.iter().map(part).collect(),
            processes: session.owners.rows.iter().map(Into::into).collect(),
            others: session.owners.others.into(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionsDocument {
    pub sessions: Vec<SessionItem>,
}

/// `weir session list --json`, newest first.
pub fn sessions_document(sessions: &[Session]) -> SessionsDocument {
    SessionsDocument { sessions: sessions.iter().map(Into::into).collect() }
}

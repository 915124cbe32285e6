//! Owners and sessions as objects.
use jiff::Timestamp;
use serde::Serialize;

use super::csv::{self, Cell, Columns};
use super::{OthersItem, Rate, Traffic};
use crate::process::{MatchQuality, OwnerRow, ParentProcess};
use crate::report::{KernelCounters, Ranked};
use crate::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnerItem {
    pub name: String,
    /// Null without a process.
    pub pid: Option<u32>,
    pub started: Option<Timestamp>,
    pub executable: String,
    pub command_line: String,
    pub user: String,
    pub unit: String,
    pub container: String,
    pub parents: Vec<ParentProcess>,
    pub alive: bool,
    pub quality: MatchQuality,
    pub reason: String,
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
        let owner = row.owner.clone();
        Self {
            name: owner.name,
            pid: owner.pid,
            started: owner.started,
            executable: owner.executable,
            command_line: owner.command_line,
            user: owner.user,
            unit: owner.unit,
            container: owner.container,
            parents: owner.parents,
            alive: owner.alive,
            quality: owner.quality,
            reason: owner.reason,
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
        let parents: Vec<_> =
            self.parents.iter().map(|parent| format!("{} {}", parent.name, parent.pid)).collect();
        let mut cells = vec![
            Cell::text(&self.name),
            Cell::plain(self.pid.map(|pid| pid.to_string()).unwrap_or_default()),
            Cell::plain(self.started.map(|started| started.to_string()).unwrap_or_default()),
            Cell::text(&self.executable),
            Cell::text(&self.command_line),
            Cell::text(&self.user),
            Cell::text(&self.unit),
            Cell::text(&self.container),
            Cell::text(parents.join(" < ")),
            Cell::plain(self.alive),
            Cell::plain(self.quality.name()),
            Cell::text(&self.reason),
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

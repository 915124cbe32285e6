//! The objects that `weir … --json` and `/api/v1/…` print. Keys are added to, never renamed; times are RFC 3339, bytes
//! and packets integers. [`csv`] writes the same rows as columns.
pub mod csv;
mod processes;
mod streams;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::alert::Alert;
use crate::health::{DayRow, InterfaceInfo, Status};
use crate::net::{Direction, Endpoint, Transport};
use crate::process::OwnerReference;
use crate::report::{
    Directions, FlowRow, Gap, HostRow, InterfaceWindow, KernelCounters, Ledger, NetworkMix, Others, Ranked,
    RxTx, TcpFlags, TcpHealth, TransportMix, Window,
};

pub use processes::{
    OwnerItem, ProcessesDocument, SessionItem, SessionsDocument, processes_document, sessions_document,
};
pub use streams::{
    LiveDocument, LiveItem, PacketSummaryDocument, Share, SummaryItem, live_document, packet_summary_document,
};

/// Traffic in flat keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_packets: u64,
    pub tx_packets: u64,
}

impl From<RxTx> for Traffic {
    fn from(traffic: RxTx) -> Self {
        Self {
            rx_bytes: traffic.rx.bytes,
            tx_bytes: traffic.tx.bytes,
            rx_packets: traffic.rx.packets,
            tx_packets: traffic.tx.packets,
        }
    }
}

/// A rate in flat keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rate {
    pub rx_bits_per_second: u64,
    pub tx_bits_per_second: u64,
    pub rx_packets_per_second: u64,
    pub tx_packets_per_second: u64,
}

impl From<RxTx> for Rate {
    fn from(per_second: RxTx) -> Self {
        Self {
            rx_bits_per_second: per_second.rx.bytes.saturating_mul(8),
            tx_bits_per_second: per_second.tx.bytes.saturating_mul(8),
            rx_packets_per_second: per_second.rx.packets,
            tx_packets_per_second: per_second.tx.packets,
        }
    }
}

/// What a list does not name: list and others sum to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OthersItem {
    pub rows: u64,
    #[serde(flatten)]
    pub traffic: Traffic,
}

impl From<Others> for OthersItem {
    fn from(others: Others) -> Self {
        Self { rows: others.rows, traffic: others.traffic.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostItem {
    pub interface: String,
    pub address: IpAddr,
    pub name: String,
    pub protocols: Vec<String>,
    #[serde(flatten)]
    pub traffic: Traffic,
    #[serde(flatten)]
    pub rate: Rate,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
}

impl From<&HostRow> for HostItem {
    fn from(row: &HostRow) -> Self {
        Self {
            interface: row.interface.clone(),
            address: row.address,
            name: row.name.clone(),
            protocols: row.protocols.clone(),
            traffic: row.traffic.into(),
            rate: row.per_second.into(),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlowItem {
    pub interface: String,
    pub protocol: Transport,
    pub initiator: Endpoint,
    pub responder: Endpoint,
    pub application: String,
    pub name: String,
    pub direction: Direction,
    pub state: String,
    #[serde(flatten)]
    pub traffic: Traffic,
    #[serde(flatten)]
    pub rate: Rate,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Of the handshake; null where none was seen.
    pub round_trip_micros: Option<u64>,
    pub retransmitted_segments: u64,
    pub zero_windows: u64,
    pub resets: u64,
    /// Who holds the socket of an end that is on this machine; null elsewhere.
    pub initiator_owner: Option<OwnerReference>,
    pub responder_owner: Option<OwnerReference>,
}

impl From<&FlowRow> for FlowItem {
    fn from(row: &FlowRow) -> Self {
        Self {
            interface: row.interface.clone(),
            protocol: row.protocol,
            initiator: row.initiator,
            responder: row.responder,
            application: row.application.clone(),
            name: row.name.clone(),
            direction: row.direction,
            state: row.state.clone(),
            traffic: row.traffic.into(),
            rate: row.per_second.into(),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            round_trip_micros: row.round_trip_micros,
            retransmitted_segments: row.retransmitted_segments,
            zero_windows: row.zero_windows,
            resets: row.resets,
            initiator_owner: row.initiator_owner.clone(),
            responder_owner: row.responder_owner.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostsDocument {
    pub since: Timestamp,
    pub hosts: Vec<HostItem>,
    pub others: OthersItem,
}

/// `weir hosts --json`.
pub fn hosts_document(since: Timestamp, list: &Ranked<HostRow>) -> HostsDocument {
    HostsDocument { since, hosts: list.rows.iter().map(Into::into).collect(), others: list.others.into() }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlowsDocument {
    pub since: Timestamp,
    pub flows: Vec<FlowItem>,
    pub others: OthersItem,
}

/// `weir flows --json`.
pub fn flows_document(since: Timestamp, list: &Ranked<FlowRow>) -> FlowsDocument {
    FlowsDocument { since, flows: list.rows.iter().map(Into::into).collect(), others: list.others.into() }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InterfacesDocument<'a> {
    pub interfaces: &'a [InterfaceInfo],
}

/// `weir interfaces --json`.
pub fn interfaces_document(interfaces: &[InterfaceInfo]) -> InterfacesDocument<'_> {
    InterfacesDocument { interfaces }
}

/// `weir status --json`: the status itself.
pub fn status_document(status: &Status) -> &Status {
    status
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertsDocument<'a> {
    pub alerts: &'a [Alert],
}

/// `weir alerts --json`.
pub fn alerts_document(alerts: &[Alert]) -> AlertsDocument<'_> {
    AlertsDocument { alerts }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DaysDocument<'a> {
    pub time_zone: &'a str,
    pub days: &'a [DayRow],
}

/// `/api/v1/days`.
pub fn days_document<'a>(time_zone: &'a str, days: &'a [DayRow]) -> DaysDocument<'a> {
    DaysDocument { time_zone, days }
}

/// One interface's part of a window, without its lists.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowItem {
    pub start: Timestamp,
    pub length_millis: u32,
    pub interface: String,
    pub in_totals: bool,
    #[serde(flatten)]
    pub traffic: Traffic,
    pub highest_rx_bits_per_second: u64,
    pub highest_tx_bits_per_second: u64,
    pub highest_packets_per_second: u64,
    pub dropped_packets: u64,
    pub malformed_packets: u64,
    pub malformed_messages: u64,
    pub truncated_packets: u64,
    pub evicted_flows: u64,
    pub kernel: KernelCounters,
    pub ledger: Ledger,
    pub directions: Directions,
    pub network: NetworkMix,
    pub transport: TransportMix,
    pub application: crate::report::ApplicationMix,
    pub tcp_flags: TcpFlags,
    pub tcp: TcpHealth,
}

impl WindowItem {
    pub fn new(window: &Window, part: &InterfaceWindow) -> Self {
        Self {
            start: window.start,
            length_millis: window.length_millis,
            interface: part.interface.clone(),
            in_totals: part.in_totals,
            traffic: part.captured.into(),
            highest_rx_bits_per_second: part.highest_rx_bytes_per_second.saturating_mul(8),
            highest_tx_bits_per_second: part.highest_tx_bytes_per_second.saturating_mul(8),
            highest_packets_per_second: part.highest_packets_per_second,
            dropped_packets: part.dropped_packets,
            malformed_packets: part.malformed_packets,
            malformed_messages: part.malformed_messages,
            truncated_packets: part.truncated_packets,
            evicted_flows: part.evicted_flows,
            kernel: part.kernel,
            ledger: part.ledger,
            directions: part.directions,
            network: part.network,
            transport: part.transport,
            application: part.application.clone(),
            tcp_flags: part.tcp_flags,
            tcp: part.tcp,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowsDocument<'a> {
    pub windows: &'a [WindowItem],
    pub gaps: &'a [Gap],
}

/// `/api/v1/windows`.
pub fn windows_document<'a>(windows: &'a [WindowItem], gaps: &'a [Gap]) -> WindowsDocument<'a> {
    WindowsDocument { windows, gaps }
}

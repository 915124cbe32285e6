//! The objects that `weir … --json` and `/api/v1/…` print. Keys are added to, never renamed; times are RFC 3339, bytes
//! and packets integers. [`csv`] writes the same rows as columns.
pub mod csv;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::alert::Alert;
use crate::health::{CaptureState, DayRow, Degraded, InterfaceInfo, Losses, Status};
use crate::live::{LiveInterface, Update};
use crate::net::{Direction, Endpoint, Transport};
use crate::packets::PacketSummary;
use crate::report::{
    AddressRow, Count, Directions, FlowRow, Gap, HostRow, InterfaceWindow, KernelCounters, Ledger,
    NetworkMix, Others, Ranked, RxTx, TcpFlags, TcpHealth, TransportMix, Window,
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

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveItem {
    pub interface: String,
    pub state: CaptureState,
    pub reason: String,
    pub in_totals: bool,
    pub primary: bool,
    /// Of the last whole second.
    #[serde(flatten)]
    pub rate: Rate,
    pub average: Rate,
    /// Captured since the collector started.
    #[serde(flatten)]
    pub traffic: Traffic,
    pub dropped_packets: u64,
    pub today: KernelCounters,
    pub month: KernelCounters,
    pub ledger: Ledger,
}

impl From<&LiveInterface> for LiveItem {
    fn from(live: &LiveInterface) -> Self {
        Self {
            interface: live.interface.clone(),
            state: live.state,
            reason: live.reason.clone(),
            in_totals: live.in_totals,
            primary: live.primary,
            rate: live.second.into(),
            average: live.average_per_second.into(),
            traffic: live.captured.into(),
            dropped_packets: live.dropped_packets,
            today: live.today,
            month: live.month,
            ledger: live.ledger,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveDocument<'a> {
    pub time: Timestamp,
    pub sequence: u64,
    pub interfaces: Vec<LiveItem>,
    pub degraded: &'a [Degraded],
    pub losses: &'a Losses,
    pub open_alerts: u32,
    pub last_sequence: u64,
}

/// One line of `weir watch --json`.
pub fn live_document(sequence: u64, update: &Update) -> LiveDocument<'_> {
    LiveDocument {
        time: update.time,
        sequence,
        interfaces: update.interfaces.iter().map(Into::into).collect(),
        degraded: &update.degraded,
        losses: &update.losses,
        open_alerts: update.open_alerts,
        last_sequence: update.last_sequence,
    }
}

/// A protocol's part of watched packets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    pub packets: u64,
    pub bytes: u64,
    pub percent_of_bytes: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryItem<'a> {
    pub packets: u64,
    pub bytes: u64,
    /// Matched, and not among the lines.
    pub not_sent: u64,
    pub duration_seconds: f64,
    pub packets_per_second: u64,
    pub bits_per_second: u64,
    pub protocols: BTreeMap<&'a str, Share>,
    pub top_sources: &'a [AddressRow],
    pub top_destinations: &'a [AddressRow],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PacketSummaryDocument<'a> {
    pub summary: SummaryItem<'a>,
}

/// The last line of `weir packets --json`.
pub fn packet_summary_document(totals: &PacketSummary) -> PacketSummaryDocument<'_> {
    let a_second = |count: u64| {
        let scaled = u128::from(count) * 1000 / u128::from(totals.duration_millis.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    };
    let share = |count: &Count| Share {
        packets: count.packets,
        bytes: count.bytes,
        percent_of_bytes: percent(count.bytes, totals.bytes),
    };
    PacketSummaryDocument {
        summary: SummaryItem {
            packets: totals.packets,
            bytes: totals.bytes,
            not_sent: totals.not_sent,
            duration_seconds: std::time::Duration::from_millis(totals.duration_millis).as_secs_f64(),
            packets_per_second: a_second(totals.packets),
            bits_per_second: a_second(totals.bytes.saturating_mul(8)),
            protocols: totals.protocols.iter().map(|(name, count)| (name.as_str(), share(count))).collect(),
            top_sources: &totals.top_sources,
            top_destinations: &totals.top_destinations,
        },
    }
}

/// With one decimal; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "at most 1000, a share in thousandths")]
fn percent(part: u64, whole: u64) -> f64 {
    let thousandths = u128::from(part) * 1000 / u128::from(whole.max(1));
    u64::try_from(thousandths).unwrap_or(u64::MAX) as f64 / 10.0
}

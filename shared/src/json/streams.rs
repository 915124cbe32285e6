//! Lines of `weir watch --json` and the last one of `weir packets --json`.
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Rate, Traffic};
use crate::health::{CaptureState, Degraded, Losses};
use crate::live::{LiveInterface, Update};
use crate::packets::PacketSummary;
use crate::report::{AddressRow, Count, KernelCounters, Ledger};

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

//! The shape of messages to the browser, made once for all readers.
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use weir_shared::health::{CaptureState, Degraded, Losses};
use weir_shared::json::{FlowItem, HostItem, OthersItem, Traffic};
use weir_shared::live::{LiveInterface, SecondSeries, Update};
use weir_shared::report::{
    AddressRow, ApplicationMix, Count, InterfaceWindow, KernelCounters, Ledger, NetworkMix, RankedAddresses,
    TcpFlags, TransportMix, Window,
};

use super::hub::LinkState;
use super::owners::{Owners, Processes};

/// What a frame is made of.
pub(super) struct Shown<'a> {
    pub(super) sequence: u64,
    pub(super) link: &'a LinkState,
    pub(super) update: &'a Update,
    pub(super) last_window: Option<&'a Window>,
    pub(super) degraded: &'a [Degraded],
    /// In a snapshot the last minutes, in an update the newest seconds.
    pub(super) seconds: &'a [SecondSeries],
}

/// `kind` is `snapshot` or `update`.
pub(super) fn whole(kind: &'static str, shown: &Shown<'_>) -> Option<Arc<str>> {
    text(&frame(kind, shown))
}

/// The link alone, with what is degraded: the collector says nothing while it is away.
pub(super) fn link(link: &LinkState, degraded: &[Degraded]) -> Option<Arc<str>> {
    #[derive(Serialize)]
    struct Alone<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        link: LinkItem<'a>,
        degraded: &'a [Degraded],
    }
    text(&Alone { r#type: "link", link: link.into(), degraded })
}

fn text(frame: &impl Serialize) -> Option<Arc<str>> {
    serde_json::to_string(frame)
        .inspect_err(|error| tracing::error!(%error, "a live frame could not be written: {error}"))
        .ok()
        .map(Into::into)
}

#[derive(Serialize)]
struct LinkItem<'a> {
    state: &'static str,
    since: Timestamp,
    reason: &'a str,
}

impl<'a> From<&'a LinkState> for LinkItem<'a> {
    fn from(link: &'a LinkState) -> Self {
        match link {
            LinkState::Up { since } => Self { state: "up", since: *since, reason: "" },
            LinkState::Down { since, reason } => Self { state: "down", since: *since, reason },
        }
    }
}

#[derive(Serialize)]
struct Frame<'a> {
    r#type: &'static str,
    sequence: u64,
    time: Timestamp,
    window_seconds: f64,
    link: LinkItem<'a>,
    interfaces: Vec<InterfaceItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_window: Option<WindowFrame<'a>>,
    losses: &'a Losses,
    degraded: &'a [Degraded],
    open_alerts: u32,
    last_sequence: u64,
    seconds: Vec<SecondsItem<'a>>,
    #[serde(flatten)]
    processes: Processes<'a>,
}

fn frame<'a>(kind: &'static str, shown: &Shown<'a>) -> Frame<'a> {
    let update = shown.update;
    Frame {
        r#type: kind,
        sequence: shown.sequence,
        time: update.time,
        window_seconds: f64::from(update.window_millis) / 1_000.0,
        link: shown.link.into(),
        interfaces: update.interfaces.iter().map(Into::into).collect(),
        last_window: shown.last_window.map(Into::into),
        losses: &update.losses,
        degraded: shown.degraded,
        open_alerts: update.open_alerts,
        last_sequence: update.last_sequence,
        seconds: shown.seconds.iter().map(Into::into).collect(),
        processes: update.into(),
    }
}

#[derive(Serialize)]
struct Rows<T> {
    rows: Vec<T>,
    others: OthersItem,
}

#[derive(Serialize)]
struct InterfaceItem<'a> {
    name: &'a str,
    state: CaptureState,
    reason: &'a str,
    in_totals: bool,
    primary: bool,
    second: Traffic,
    average: Traffic,
    average_windows: u64,
    today: KernelCounters,
    month: KernelCounters,
    captured: Traffic,
    dropped_packets: u64,
    ledger: Ledger,
    hosts: Rows<HostItem>,
    flows: Rows<FlowItem>,
    owners: Owners<'a>,
}

impl<'a> From<&'a LiveInterface> for InterfaceItem<'a> {
    fn from(live: &'a LiveInterface) -> Self {
        Self {
            name: &live.interface,
            state: live.state,
            reason: &live.reason,
            in_totals: live.in_totals,
            primary: live.primary,
            second: live.second.into(),
            average: live.average_per_second.into(),
            average_windows: live.average_windows,
            today: live.today,
            month: live.month,
            captured: live.captured.into(),
            dropped_packets: live.dropped_packets,
            ledger: live.ledger,
            hosts: Rows {
                rows: live.hosts.rows.iter().map(Into::into).collect(),
                others: live.hosts.others.into(),
            },
            flows: Rows {
                rows: live.flows.rows.iter().map(Into::into).collect(),
                others: live.flows.others.into(),
            },
            owners: (&live.owners).into(),
        }
    }
}

#[derive(Serialize)]
struct WindowFrame<'a> {
    start: Timestamp,
    seconds: f64,
    interfaces: Vec<WindowInterface<'a>>,
}

impl<'a> From<&'a Window> for WindowFrame<'a> {
    fn from(window: &'a Window) -> Self {
        Self {
            start: window.start,
            seconds: f64::from(window.length_millis) / 1_000.0,
            interfaces: window.interfaces.iter().map(Into::into).collect(),
        }
    }
}

#[derive(Serialize)]
struct WindowInterface<'a> {
    interface: &'a str,
    in_totals: bool,
    #[serde(flatten)]
    traffic: Traffic,
    network: NetworkMix,
    transport: TransportMix,
    application: &'a ApplicationMix,
    tcp_flags: TcpFlags,
    sources: Addresses<'a>,
    destinations: Addresses<'a>,
    highest: Highest,
}

#[derive(Serialize)]
struct Highest {
    rx_bytes_per_second: u64,
    tx_bytes_per_second: u64,
    packets_per_second: u64,
}

#[derive(Serialize)]
struct Addresses<'a> {
    rows: &'a [AddressRow],
    others: AddressOthers,
}

#[derive(Serialize)]
struct AddressOthers {
    rows: u64,
    #[serde(flatten)]
    count: Count,
}

impl<'a> From<&'a RankedAddresses> for Addresses<'a> {
    fn from(ranked: &'a RankedAddresses) -> Self {
        Self { rows: &ranked.rows, others: AddressOthers { rows: ranked.other_rows, count: ranked.others } }
    }
}

impl<'a> From<&'a InterfaceWindow> for WindowInterface<'a> {
    fn from(window: &'a InterfaceWindow) -> Self {
        Self {
            interface: &window.interface,
            in_totals: window.in_totals,
            traffic: window.captured.into(),
            network: window.network,
            transport: window.transport,
            application: &window.application,
            tcp_flags: window.tcp_flags,
            sources: (&window.sources).into(),
            destinations: (&window.destinations).into(),
            highest: Highest {
                rx_bytes_per_second: window.highest_rx_bytes_per_second,
                tx_bytes_per_second: window.highest_tx_bytes_per_second,
                packets_per_second: window.highest_packets_per_second,
            },
        }
    }
}

#[derive(Serialize)]
struct SecondsItem<'a> {
    interface: &'a str,
    start: Timestamp,
    /// received bytes, sent bytes, received packets, sent packets
    seconds: Vec<[u64; 4]>,
}

impl<'a> From<&'a SecondSeries> for SecondsItem<'a> {
    fn from(series: &'a SecondSeries) -> Self {
        let four = |second: &weir_shared::report::RxTx| {
            [second.rx.bytes, second.tx.bytes, second.rx.packets, second.tx.packets]
        };
        Self {
            interface: &series.interface,
            start: series.start,
            seconds: series.seconds.iter().map(four).collect(),
        }
    }
}

//! The live view: a whole snapshot at first, then one update a second.
use jiff::Timestamp;

use crate::health::{CaptureState, Degraded, Losses};
use crate::process::OwnerRow;
use crate::report::{FlowRow, HostRow, KernelCounters, Ledger, Ranked, RxTx, Window};
use crate::session::Session;

#[derive(Clone, Debug, PartialEq)]
pub enum Live {
    Snapshot { sequence: u64, now: Update, seconds: Vec<SecondSeries> },
    Update { sequence: u64, now: Update },
}

/// One-second traffic of an interface, oldest first, without holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondSeries {
    pub interface: String,
    pub start: Timestamp,
    pub seconds: Vec<RxTx>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub time: Timestamp,
    pub interfaces: Vec<LiveInterface>,
    /// In a snapshot, and in the first update after a window closed.
    pub last_window: Option<Window>,
    pub losses: Losses,
    pub degraded: Vec<Degraded>,
    pub last_sequence: u64,
    pub open_alerts: u32,
    pub window_millis: u32,
    /// In an update: the newest seconds of each captured interface, a few more than one, so that a late update leaves no hole.
    pub recent_seconds: Vec<SecondSeries>,
    /// Over interfaces: those that move most now, then those that moved most.
    pub owners: Ranked<OwnerRow>,
    /// Owners that moved something in the last seconds.
    pub active_owners: u32,
    /// The running one, without its owners.
    pub session: Option<Session>,
    /// In either direction; 0: off.
    pub process_threshold_bytes_per_second: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LiveInterface {
    pub interface: String,
    pub state: CaptureState,
    pub reason: String,
    pub in_totals: bool,
    pub primary: bool,
    /// The last whole second of the capture timeline.
    pub second: RxTx,
    /// Mean of all closed windows since the collector started, per second.
    pub average_per_second: RxTx,
    /// How many windows that is of.
    pub average_windows: u64,
    /// Kernel counters of this day and calendar month in the machine's time zone.
    pub today: KernelCounters,
    pub month: KernelCounters,
    /// Since the collector started.
    pub captured: RxTx,
    pub dropped_packets: u64,
    pub ledger: Ledger,
    pub hosts: Ranked<HostRow>,
    pub flows: Ranked<FlowRow>,
    pub owners: Ranked<OwnerRow>,
}

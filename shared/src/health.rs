//! What the collector says of itself: interfaces, captures, losses, and what does not work and why.
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::report::{Count, KernelCounters, Ledger};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureState {
    Up,
    Gone,
    Error,
}

/// A part that does not work as configured, and why; what still works goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Degraded {
    pub part: String,
    pub reason: String,
}

/// Losses by name of the hand-over that lost, such as `capture_dropped_packets`.
pub type Losses = BTreeMap<String, u64>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaptureStatus {
    pub interface: String,
    pub state: CaptureState,
    pub reason: String,
    #[serde(flatten)]
    pub captured: Count,
    pub dropped_packets: u64,
    pub kernel: KernelCounters,
    pub ledger: Ledger,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attribution {
    /// `ebpf`, `proc` or `off`.
    pub grade: String,
    pub reason: String,
}

/// What `weir status --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub version: String,
    pub started: Timestamp,
    pub uptime_seconds: u64,
    pub capture: Vec<CaptureStatus>,
    pub ledger: Ledger,
    pub attribution: Attribution,
    pub degraded: Vec<Degraded>,
    pub losses: Losses,
    pub last_sequence: u64,
    pub journal_id: String,
    pub window_seconds: f64,
    pub host_name: String,
    pub time_zone: String,
    /// In either direction; 0: off.
    pub process_threshold_bytes_per_second: u64,
}

/// An interface as detected, whether it is captured and counted, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceInfo {
    pub name: String,
    pub index: u32,
    /// `ethernet`, `loopback`, `vlan`, `bridge`, `veth`, `tun`, `wireguard` … as the kernel names it.
    pub kind: String,
    pub up: bool,
    /// With prefix length.
    pub addresses: Vec<String>,
    pub mac: String,
    pub mtu_bytes: u32,
    pub primary: bool,
    pub captured: bool,
    pub in_totals: bool,
    pub reason: String,
    /// The interface it rides on or belongs to; else empty.
    pub parent: String,
}

/// Kernel counters of one interface on one day of the machine's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayRow {
    pub date: jiff::civil::Date,
    pub interface: String,
    #[serde(flatten)]
    pub kernel: KernelCounters,
    pub in_totals: bool,
}

/// Days, oldest first, and the time zone whose midnights part them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Days {
    /// IANA name, such as `Europe/Berlin`.
    pub time_zone: String,
    /// When these sums began. Another time than before: the file that held the earlier ones was replaced, and what they
    /// say of a day is not in these.
    pub begun: Timestamp,
    pub rows: Vec<DayRow>,
}

//! The collector's side of traffic: folds what the pipelines of all interfaces tell into closed windows, the live view and
//! totals since the start. What comes in is checked: a worker that was taken over can send anything.
pub mod addresses;
pub mod rank;

use weir_shared::live::SecondSeries;
use weir_shared::report::{FlowRow, HostRow, Ranked, RxTx, Window};

use crate::flows::record::TrafficRecord;

/// Bounds of what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Rows per list and window.
    pub rows: usize,
    /// Per interface.
    pub max_flows: usize,
    /// Per interface.
    pub max_hosts: usize,
    /// Addresses with a name, of all interfaces.
    pub max_names: usize,
    /// Closed windows that wait for an interface that has not ended them.
    pub max_pending: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rows: 50, max_flows: 262_144, max_hosts: 65_536, max_names: 32_768, max_pending: 64 }
    }
}

/// A record that no honest pipeline sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("interface {0} is not open")]
    NotOpen(u16),
    #[error("flow {slot} is beyond the table's {most}")]
    SlotBeyondTable { slot: u32, most: usize },
    #[error("flow {slot} of generation {generation} was never introduced")]
    UnknownFlow { slot: u32, generation: u32 },
    #[error("a name of {0} bytes is too long or not printable")]
    BadName(usize),
    #[error("a window of {0} ns is not possible")]
    BadWindow(u64),
}

/// What was captured on an interface since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceTotals {
    pub captured: RxTx,
    /// Packets that capture lost: in the kernel's ring, and in the interface where it says so.
    pub dropped_packets: u64,
    /// Packets that passed the kernel's filter, lost ones included.
    pub kernel_received: u64,
    pub malformed_packets: u64,
    pub malformed_messages: u64,
    pub truncated_packets: u64,
    pub evicted_flows: u64,
    pub lost_names: u64,
    /// Mean of all closed windows, per second.
    pub average_per_second: RxTx,
}

/// All interfaces' traffic.
#[derive(Debug)]
pub struct Traffic {
    _settings: Settings,
}

impl Traffic {
    pub fn new(settings: Settings) -> Self {
        Self { _settings: settings }
    }

    /// Ids are never used twice; a name may come again.
    pub fn interface_opened(&mut self, _id: u16, _name: &str, _in_totals: bool) {}

    /// Windows no longer wait for it; its flows end.
    pub fn interface_closed(&mut self, _id: u16) {}

    pub fn apply(&mut self, id: u16, _record: TrafficRecord) -> Result<(), RecordError> {
        Err(RecordError::NotOpen(id))
    }

    /// In order; the kernel's and the ledger's fields are zero.
    pub fn take_closed(&mut self) -> Option<Window> {
        None
    }

    /// The last whole second told: its Unix time and traffic.
    pub fn last_second(&self, _id: u16) -> (u64, RxTx) {
        (0, RxTx::default())
    }

    /// The last 300 seconds, without holes.
    pub fn seconds(&self, _id: u16) -> SecondSeries {
        SecondSeries { interface: String::new(), start: jiff::Timestamp::UNIX_EPOCH, seconds: Vec::new() }
    }

    pub fn totals(&self, _id: u16) -> InterfaceTotals {
        InterfaceTotals::default()
    }

    /// By recent rate, then bytes.
    pub fn live_hosts(&self, _id: u16, _rows: usize) -> Ranked<HostRow> {
        Ranked::default()
    }

    pub fn live_flows(&self, _id: u16, _rows: usize) -> Ranked<FlowRow> {
        Ranked::default()
    }

    /// Since the start, of the named interface ("" for all), whose address or name contains `search`.
    pub fn hosts(&self, _interface: &str, _search: &str, _rows: usize) -> Ranked<HostRow> {
        Ranked::default()
    }

    pub fn flows(&self, _interface: &str, _search: &str, _rows: usize) -> Ranked<FlowRow> {
        Ranked::default()
    }
}

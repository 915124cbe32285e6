//! Detectors: each looks at the facts of one tick and says what it found. They do no I/O and read no clock.
//!
//! A new detector is one file here and one line in [`all`].
mod capture_lost;
mod process_bandwidth;
mod suppress;

use jiff::Timestamp;
use shared::alert::Severity;
use weir_shared as shared;

pub use suppress::Alerts;

/// What one tick of the engine knows that a detector may look at.
#[derive(Debug)]
pub struct Facts<'a> {
    pub time: Timestamp,
    pub captures: &'a [CaptureFacts],
    pub worker: &'a WorkerFacts,
    /// Those over the threshold in this tick.
    pub processes: &'a [ProcessFacts],
    /// Bytes a second of one process in one direction; 0: off.
    pub process_threshold: u64,
}

/// One configured interface, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureFacts {
    pub interface: String,
    /// It was captured once and is not there now.
    pub gone: bool,
    /// Packets that capture lost since the last tick, by libpcap's own counters.
    pub dropped_packets: u64,
    pub seen_packets: u64,
}

/// What a process moved in this tick, over interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFacts {
    pub name: String,
    pub pid: u32,
    pub received_bytes_per_second: u64,
    pub sent_bytes_per_second: u64,
}

impl ProcessFacts {
    pub fn is_over(&self, bytes_per_second: u64) -> bool {
        bytes_per_second > 0
            && self.received_bytes_per_second.max(self.sent_bytes_per_second) > bytes_per_second
    }

    /// The direction that moves more, and how much.
    fn fastest(&self) -> (&'static str, u64) {
        if self.sent_bytes_per_second >= self.received_bytes_per_second {
            ("up", self.sent_bytes_per_second)
        } else {
            ("down", self.received_bytes_per_second)
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerFacts {
    /// Since the last tick.
    pub deaths: u64,
    /// How the last one ended.
    pub last_death: String,
    pub running: bool,
}

/// What a detector sees wrong in this tick with one subject; it says so again in each tick for as long as it lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub kind: &'static str,
    pub subject: String,
    pub severity: Severity,
    /// One sentence in plain words.
    pub message: String,
    pub evidence: serde_json::Map<String, serde_json::Value>,
}

/// A way of telling that something is wrong.
pub trait Detector: std::fmt::Debug + Send {
    fn look(&mut self, facts: &Facts<'_>, findings: &mut Vec<Finding>);
}

/// Every detector of this version.
pub fn all() -> Vec<Box<dyn Detector>> {
    vec![Box::new(capture_lost::CaptureLost::default()), Box::new(process_bandwidth::ProcessBandwidth)]
}

//! Detectors: each looks at the facts of one tick and says what it found. They do no I/O and read no clock.
//!
//! A new detector is one file here and one line in [`all`].
mod capture_lost;
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
    vec![Box::new(capture_lost::CaptureLost::default())]
}

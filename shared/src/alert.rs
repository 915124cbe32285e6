//! Alerts: what a detector found, after suppression.
use jiff::Timestamp;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    Start,
    Update,
    End,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// The same for start, updates and end of one alert.
    pub id: u64,
    pub time: Timestamp,
    /// Snake-case name of the detector, such as `capture_lost`.
    pub kind: String,
    pub state: AlertState,
    pub severity: Severity,
    /// An address, a process or an interface.
    pub subject: String,
    pub subjects: Vec<String>,
    /// One sentence in plain words.
    pub message: String,
    /// The figures behind it, beside their thresholds.
    pub evidence: serde_json::Map<String, serde_json::Value>,
}

/// Something that somebody did, or that happened once. An alert lasts; an event does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    pub time: Timestamp,
    /// Snake case: `session_started`, `session_stopped`, `session_reset`, `threshold_set`, `interface_gone`,
    /// `interface_back`.
    pub kind: String,
    pub subject: String,
    /// One sentence in plain words, with who did it.
    pub message: String,
}

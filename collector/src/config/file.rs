//! collector.toml as it is written: every key of every section, unchecked. Numbers are wide, so that one out of range is
//! refused with its range.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Every key that has a default.
pub(super) const DEFAULTS: &str = include_str!("defaults.toml");

/// Split at commas when they come from the environment.
pub(super) const LISTS: [&str; 1] = ["capture.interfaces"];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) capture: Capture,
    pub(super) socket: Socket,
    pub(super) state: State,
    pub(super) process: Process,
    pub(super) detect: Detect,
    /// Known by name, so that a file of a later version is refused with the right reason.
    pub(super) quota: Option<serde_json::Value>,
    pub(super) compat: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capture {
    pub(super) interfaces: Vec<String>,
    pub(super) filter: String,
    /// A word or a number.
    pub(super) snap_length: serde_json::Value,
    pub(super) buffer_mib: i64,
    pub(super) promiscuous: bool,
    pub(super) window_seconds: i64,
    pub(super) window_rows: i64,
    pub(super) hour_rows: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Socket {
    pub(super) path: PathBuf,
    pub(super) control_path: PathBuf,
    pub(super) group: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) directory: PathBuf,
    pub(super) journal_max_mib: i64,
    pub(super) journal_max_days: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Process {
    pub(super) attribution: crate::attribution::Mode,
    pub(super) pin_directory: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Detect {
    pub(super) process_bandwidth: ProcessBandwidth,
    /// Sections of detectors that this version does not have.
    #[serde(flatten)]
    pub(super) later: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProcessBandwidth {
    pub(super) limit: String,
}

//! Monitoring sessions: named spans with their own totals, started and stopped by people.
use jiff::Timestamp;

use crate::process::OwnerRow;
use crate::report::{KernelCounters, Ranked, RxTx};

/// The longest name, in characters.
pub const LONGEST_NAME: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: u64,
    pub name: String,
    pub begin: Timestamp,
    /// None: it is running.
    pub end: Option<Timestamp>,
    /// While the collector was away.
    pub gap_millis: u64,
    /// Captured, over interfaces.
    pub traffic: RxTx,
    pub interfaces: Vec<SessionInterface>,
    /// Empty in a live update.
    pub owners: Ranked<OwnerRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInterface {
    pub interface: String,
    pub captured: RxTx,
    pub kernel: KernelCounters,
}

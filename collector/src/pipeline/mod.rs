//! One interface's stages together: decode, flows, totals, and what is told of them. No I/O, no clock: time comes with the
//! samples, so that live capture and a file's replay give the same result.
use std::time::Duration;

use crate::flows::own::OwnAddresses;
use crate::flows::record::TrafficRecord;

/// Bounds and time-outs of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub window: Duration,
    pub max_flows: usize,
    /// Keys the hash of the flow table; unpredictable to whoever sends packets.
    pub seed: [u64; 2],
    /// A TCP flow without packets for so long has ended.
    pub idle_tcp: Duration,
    /// Other flows likewise.
    pub idle_other: Duration,
    /// A closed TCP flow is forgotten after so long.
    pub closed: Duration,
    /// Ended flows leave the table at once; otherwise their key stays until room is needed, so that a 5-tuple counts once.
    pub forget_ended: bool,
    /// Later fragments count to the flow of their first.
    pub credit_fragments: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            max_flows: 262_144,
            seed: [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03],
            idle_tcp: Duration::from_secs(900),
            idle_other: Duration::from_secs(120),
            closed: Duration::from_secs(10),
            forget_ended: true,
            credit_fragments: true,
        }
    }
}

/// One captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Nanoseconds of the capture timeline since the Unix epoch; never steps back but by `jump`.
    pub time: u64,
    /// Original length at layer 2, without FCS.
    pub wire_length: u32,
    pub data: &'a [u8],
}

/// A data link type that cannot be decoded (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frames of link type {0} cannot be decoded (Ethernet, Linux cooked, raw IP and loopback can)")]
pub struct UnsupportedLink(pub i32);

/// One interface's stages.
#[derive(Debug)]
pub struct Pipeline {
    _own: OwnAddresses,
}

impl Pipeline {
    pub fn new(_link_type: i32, own: OwnAddresses, _settings: Settings) -> Result<Self, UnsupportedLink> {
        Ok(Self { _own: own })
    }

    /// This machine's addresses changed; flows seen from now on are told apart by them.
    pub fn set_own(&mut self, own: OwnAddresses) {
        self._own = own;
    }

    pub fn packet(&mut self, _sample: Sample<'_>) {}

    /// Nothing earlier than `time` will come: seconds and windows before it end.
    pub fn reached(&mut self, _time: u64) {}

    /// The timeline was adopted anew: the open window ends short, the next starts aligned.
    pub fn jump(&mut self, _time: u64) {}

    /// libpcap's counters, made cumulative.
    pub fn dropped(&mut self, _kernel_received: u64, _kernel_dropped: u64, _interface_dropped: u64) {}

    pub fn has_news(&self) -> bool {
        false
    }

    /// Rows that wait although their window has ended: tell these first, and generously.
    pub fn overdue(&self) -> usize {
        0
    }

    /// The next record to tell, with at most `most_rows` rows; None when all is told. What is taken counts as told.
    pub fn take(&mut self, _most_rows: usize) -> Option<TrafficRecord> {
        None
    }
}

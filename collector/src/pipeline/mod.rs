//! One interface's stages together: decode, flows, totals, and what is told of them. No I/O, no clock: time comes with the
//! samples, so that live capture and a file's replay give the same result.
pub mod batch;
mod clock;
mod counting;
mod flow;
mod hellos;
mod inspect;
mod messages;
mod owners;
mod row;
mod telling;
mod top;
mod waiting;

use std::collections::HashMap;
use std::time::Duration;

use crate::decode::{Content, Link};
use crate::flows::fragments::Fragments;
use crate::flows::key::Key;
use crate::flows::own::OwnAddresses;
use crate::flows::record::{Counters, FlowNews, FlowsRecord, Tally, Totals, TrafficRecord};
use crate::flows::table::Table;
use crate::flows::tcp::Detail;
use batch::Decoded;
use clock::Clock;
use counting::{Counting, Course};
use inspect::Inspection;
pub(crate) use telling::MOST_TURNS;
use telling::{Next, Telling};

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
    pub mode: Mode,
}

/// What the pipeline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Growth is told at every tick, ended flows leave the table, later fragments count to the flow of their first.
    Live,
    /// A flow is told once a window with its identity; its key stays until room is needed, so that a 5-tuple counts once.
    File,
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
            mode: Mode::Live,
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

/// Distinct 5-tuples; one that was evicted and comes back counts again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounts {
    pub tcp: u64,
    pub udp: u64,
    /// ICMP and ICMPv6 echo, by address pair and identifier.
    pub icmp: u64,
    pub other: u64,
}

/// One interface's stages.
#[derive(Debug)]
pub struct Pipeline {
    link: Link,
    own: OwnAddresses,
    settings: Settings,
    ends: flow::Ends,
    table: Table,
    details: Vec<Detail>,
    free_details: Vec<u32>,
    fragments: Fragments,
    counting: Counting,
    flow_counts: FlowCounts,
    inspection: Inspection,
    /// Names of flows that wait to be told with them.
    flow_names: HashMap<u32, Box<str>>,
    clock: Clock,
    window: u32,
    telling: Telling,
    totals_changed: bool,
    sweep: usize,
    top: top::Top,
    owners: owners::Owners,
    untold: waiting::Untold,
}

/// Under this many bytes a record's rows may take, by the bounds in `row`.
const MOST_RECORD_BYTES: usize = 56_000;
/// Flows that one record looks at: those that join the sums take no room in it, but time.
const MOST_STEPS: usize = 32_768;

impl Pipeline {
    pub fn new(link_type: i32, own: OwnAddresses, settings: Settings) -> Result<Self, UnsupportedLink> {
        let link = Link::from_number(link_type).ok_or(UnsupportedLink(link_type))?;
        Ok(Self {
            link,
            own,
            table: Table::new(settings.max_flows, settings.seed),
            details: Vec::new(),
            free_details: Vec::new(),
            fragments: Fragments::default(),
            counting: Counting::new(),
            flow_counts: FlowCounts::default(),
            inspection: Inspection::default(),
            flow_names: HashMap::new(),
            clock: Clock::new(settings.window),
            window: 0,
            telling: Telling::new(),
            totals_changed: false,
            sweep: 0,
            top: top::Top::default(),
            owners: owners::Owners::default(),
            untold: waiting::Untold::default(),
            ends: flow::Ends::new(&settings),
            settings,
        })
    }

    /// Frames that follow have another link layer: a file may mix interfaces.
    pub fn set_link(&mut self, link_type: i32) -> Result<(), UnsupportedLink> {
        self.link = Link::from_number(link_type).ok_or(UnsupportedLink(link_type))?;
        Ok(())
    }

    /// This machine's addresses changed; directions of all flows follow them from now on.
    pub fn set_own(&mut self, own: OwnAddresses) {
        self.own = own;
        for entry in self.table.entries_mut() {
            flow::place(entry, &self.own);
        }
    }

    #[inline]
    pub fn packet(&mut self, sample: Sample<'_>) {
        self.count_frame(&self.decode(sample));
    }

    /// The second half of `packet`: in the order of the samples.
    #[inline]
    pub fn count_frame(&mut self, decoded: &Decoded<'_>) {
        let Decoded { time, sent, .. } = *decoded;
        let time = if self.clock.is_due(time) { self.advance(time) } else { self.clock.see(time) };
        self.counting.frame(decoded);
        let bytes = u64::from(decoded.wire_length);
        let course = match &decoded.content {
            Content::Ip(packet) => {
                self.counting.packet(packet, bytes);
                self.flow(packet, decoded, (bytes, sent), time)
            }
            _ => {
                let sent = sent.unwrap_or(false);
                Course { source_here: sent, destination_here: !sent, sent }
            }
        };
        self.counting.course(course, bytes);
        self.totals_changed = true;
    }

    /// Nothing earlier than `time` will come: seconds and windows before it end.
    pub fn reached(&mut self, time: u64) {
        if self.clock.is_due(time) {
            self.advance(time);
        } else {
            self.clock.see(time);
        }
    }

    /// The timeline was adopted anew: the open window ends short, the next starts aligned.
    pub fn jump(&mut self, time: u64) {
        if let Some(ended) = self.clock.jump(time, &self.counting.counters) {
            self.tell_seconds(&ended);
            self.end_window(ended);
        }
    }

    /// What has grown may be told before its second ends.
    pub fn tell_all(&mut self) {
        self.telling.second_ended(0);
    }

    /// libpcap's counters, made cumulative.
    pub fn dropped(&mut self, kernel_received: u64, kernel_dropped: u64, interface_dropped: u64) {
        let counters = &mut self.counting.counters;
        let new = (kernel_received, kernel_dropped, interface_dropped);
        if (counters.kernel_received, counters.kernel_dropped, counters.interface_dropped) != new {
            (counters.kernel_received, counters.kernel_dropped, counters.interface_dropped) = new;
            self.totals_changed = true;
        }
    }

    pub fn has_news(&self) -> bool {
        let live = self.settings.mode == Mode::Live;
        self.telling.has_rows(live)
            || self.inspection.has_names()
            || self.has_ended_second()
            || live && self.totals_changed
    }

    /// Rows that wait although their window, or second, has ended: tell these first, and generously.
    pub fn overdue(&self) -> usize {
        self.telling.overdue()
    }

    /// A second has ended, and it or the sums of what waits in it were not told.
    pub fn has_ended_second(&self) -> bool {
        self.telling.has_seconds() || self.untold.has_news()
    }

    /// Rows outside the table; they have bounded room, so a file's reader takes them from time to time.
    pub fn spilled(&self) -> usize {
        self.telling.spilled()
    }

    /// Where the open window ends, None before the first packet.
    pub fn window_end(&self) -> Option<u64> {
        self.clock.window_end()
    }

    pub fn counters(&self) -> Counters {
        self.counting.snapshot()
    }

    pub fn flow_counts(&self) -> FlowCounts {
        self.flow_counts
    }

    /// What was told of each key of all time, in no order: of keys that left the table only the largest.
    pub fn flows_told(&self) -> impl Iterator<Item = (Tally, Key)> + '_ {
        self.top.with(&self.table)
    }

    /// The next record to tell, with at most `most_rows` rows; None when all is told. What is taken counts as told.
    pub fn take(&mut self, most_rows: usize) -> Option<TrafficRecord> {
        let names = self.inspection.take_names(most_rows.clamp(1, 128));
        if !names.is_empty() {
            return Some(TrafficRecord::Names(names));
        }
        if self.telling.has_seconds() {
            return Some(TrafficRecord::Seconds(self.telling.take_seconds()));
        }
        let live = self.settings.mode == Mode::Live;
        if live && self.totals_changed {
            self.totals_changed = false;
            let (time, window_start) = (self.clock.now(), self.clock.window_start());
            return Some(TrafficRecord::Totals(Box::new(Totals {
                time,
                window_start,
                counters: self.counting.snapshot(),
            })));
        }
        if let Some(waiting) = self.take_waiting() {
            return Some(waiting);
        }
        let (flows, all) = self.take_rows(most_rows.max(1), live);
        if flows.is_empty() && all {
            // all that was left in a second may have gone on waiting
            return self.take_waiting().or_else(|| self.telling.take_last());
        }
        Some(TrafficRecord::Flows(FlowsRecord { time: self.clock.now(), flows }))
    }

    /// And whether these were all that may be told now.
    fn take_rows(&mut self, most: usize, live: bool) -> (Vec<FlowNews>, bool) {
        let mut rows = Vec::new();
        let mut room = MOST_RECORD_BYTES;
        for _ in 0..MOST_STEPS {
            if rows.len() >= most || room < row::MOST_ROW_BYTES {
                return (rows, false);
            }
            let row = match self.telling.next_row(live) {
                Some(Next::Row(row)) => Some(*row),
                Some(Next::New(slot, window)) => {
                    self.left_the_queue(slot, window);
                    self.tell(slot, window)
                }
                Some(Next::Grown(slot, window)) if self.takes_turn(slot, window) => self.tell(slot, window),
                Some(Next::Grown(..)) => None,
                None => return (rows, true),
            };
            if let Some(row) = row {
                room -= row::row_bytes(&row);
                rows.push(row);
            }
        }
        (rows, false)
    }

    /// Ends seconds and windows before `time`, and gives the time that the packet counts at.
    #[cold]
    fn advance(&mut self, time: u64) -> u64 {
        while let Some(ended) = self.clock.advance(time, &self.counting.counters) {
            self.tell_seconds(&ended);
            if ended.window.is_some() {
                self.end_window(ended);
            }
            if self.settings.mode == Mode::Live {
                self.forget_ended();
            }
        }
        self.clock.now()
    }

    fn tell_seconds(&mut self, ended: &clock::Ended) {
        for second in ended.seconds.iter().flatten() {
            self.telling.second(*second);
        }
        if ended.seconds.iter().any(Option::is_some) {
            self.telling.second_ended(self.large_in_second());
            if self.owners.is_watched() && self.settings.mode == Mode::Live {
                self.untold.second_ended();
            }
        }
    }

    fn end_window(&mut self, ended: clock::Ended) {
        let Some(mut record) = ended.window else { return };
        self.sum_up_window();
        record.counters = self.counting.snapshot();
        self.window = self.window.wrapping_add(1);
        let least = self.least_told();
        self.telling.end(record, self.window, least);
    }
}

#[cfg(test)]
mod tests;

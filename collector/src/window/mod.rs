//! The collector's side of traffic: folds what the pipelines of all interfaces tell into closed windows, the live view and
//! totals since the start. What comes in is checked: a worker that was taken over can send anything.
mod ahead;
mod chunks;
mod closing;
mod crediting;
mod frames;
mod hosts;
mod interface;
mod joined;
mod late;
mod lists;
mod mirror;
mod moving;
mod names;
pub mod owner_lists;
mod owners;
mod pending;
mod ports;
pub mod rank;
mod rate;

use std::collections::BTreeMap;

use jiff::Timestamp;
use weir_shared::live::SecondSeries;
use weir_shared::report::{Count, FlowRow, HostRow, Ranked, RxTx, Window};

use crate::attribution::{Directory, OwnerId};
use crate::flows::record::{FlowsRecord, Tally, TrafficRecord};
pub use crediting::OpenEnd;
use crediting::Owning;
use interface::{Capture, Interface};
use names::Names;
use pending::Pending;
use rate::Look;

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
    /// How many they are.
    pub average_windows: u64,
}

/// Where an interface's traffic counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    pub in_totals: bool,
    /// Loopback and tunnels count here too: what a program sends there is its own, and what carries it is the kernel's.
    pub in_owner_totals: bool,
}

/// All interfaces' traffic.
#[derive(Debug)]
pub struct Traffic {
    settings: Settings,
    captures: BTreeMap<u16, Capture>,
    /// By name, since the start: outlives its captures.
    interfaces: BTreeMap<String, Interface>,
    names: Names,
    owning: Owning,
    /// At what owners and hosts moved, the last.
    look: Look,
    pending: Pending,
}

/// Names of interfaces that are remembered; those captured now always are.
const MOST_INTERFACES: usize = 256;

impl Traffic {
    pub fn new(settings: Settings) -> Self {
        let (names, pending) = (Names::new(settings.max_names), Pending::new(settings.max_pending));
        Self {
            settings,
            captures: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            names,
            owning: Owning::default(),
            look: Look::default(),
            pending,
        }
    }

    /// Ids are never used twice; a name may come again. `counting`: whether its traffic counts in totals over interfaces,
    /// and in those of owners.
    pub fn interface_opened(&mut self, id: u16, name: &str, counting: Counting) {
        if self.interfaces.len() >= MOST_INTERFACES && !self.interfaces.contains_key(name) {
            let captured = |name: &String| self.captures.values().any(|capture| capture.name == *name);
            if let Some(old) = self.interfaces.keys().find(|name| !captured(name)).cloned() {
                self.interfaces.remove(&old);
            }
        }
        let most = self.settings.max_hosts;
        let interface = self.interfaces.entry(name.to_owned()).or_insert_with(|| Interface::new(most));
        interface.in_owner_totals = counting.in_owner_totals;
        self.captures.insert(id, Capture::new(name, counting.in_totals, self.pending.next()));
    }

    /// Windows no longer wait for it; its flows end.
    pub fn interface_closed(&mut self, id: u16, directory: &dyn Directory) {
        let Some(mut capture) = self.captures.remove(&id) else { return };
        if let Some((start, length)) = capture.open_window()
            && let Some(interface) = self.interfaces.get_mut(&capture.name)
        {
            let counters = capture.counters.clone();
            let highest = capture.highest_of_open_window();
            let record = crate::flows::record::WindowRecord { start, length, counters, ..highest };
            let bounds = (self.settings.rows, self.owning.session);
            let part = closing::close(&mut capture, interface, (&self.names, directory), &record, bounds);
            self.pending.ended(id, start, length, part);
        }
        if let Some(interface) = self.interfaces.get_mut(&capture.name) {
            interface.captured_before += capture.captured();
        }
    }

    /// A record that is refused changes nothing that sums; the worker that sent it should be ended.
    pub fn apply(
        &mut self,
        id: u16,
        record: TrafficRecord,
        directory: &dyn Directory,
    ) -> Result<(), RecordError> {
        let capture = self.captures.get_mut(&id).ok_or(RecordError::NotOpen(id))?;
        let interface = self.interfaces.get_mut(&capture.name).ok_or(RecordError::NotOpen(id))?;
        match record {
            TrafficRecord::Totals(totals) => capture.totals(*totals),
            TrafficRecord::Flows(record) => return self.rows(id, record),
            TrafficRecord::Sums(record) => capture.sums(interface, &record, &self.owning),
            TrafficRecord::Waiting(record) => capture.waiting(interface, &record, &self.owning),
            TrafficRecord::Names(names) => {
                for record in names {
                    self.names.learn(record.address, &record.name)?;
                }
            }
            TrafficRecord::Seconds(seconds) => {
                for second in seconds {
                    capture.second(&second);
                    interface.second(&second);
                }
            }
            TrafficRecord::WindowEnd(record) => {
                if record.length == 0 || record.length > LONGEST_WINDOW {
                    return Err(RecordError::BadWindow(record.length));
                }
                let bounds = (self.settings.rows, self.owning.session);
                let part = closing::close(capture, interface, (&self.names, directory), &record, bounds);
                self.pending.ended(id, record.start, record.length, part);
            }
        }
        Ok(())
    }

    /// A program, by the worker's number, has sent frames of no flow. They count when the window ends.
    pub fn frames_sent(&mut self, id: u16, owner: u32, sent: Tally) {
        let known = self.owning.marks.get(&owner).copied();
        if let Some((capture, owner)) = self.captures.get_mut(&id).zip(known) {
            capture.frames.sent(owner, sent);
        }
    }

    fn rows(&mut self, id: u16, record: FlowsRecord) -> Result<(), RecordError> {
        let capture = self.captures.get_mut(&id).ok_or(RecordError::NotOpen(id))?;
        let interface = self.interfaces.get_mut(&capture.name).ok_or(RecordError::NotOpen(id))?;
        let time = record.time;
        for row in record.flows {
            if let Some(name) = &row.name {
                names::check(name)?;
            }
            capture.row(interface, row, time, (&self.settings, &self.owning))?;
        }
        Ok(())
    }

    /// In order; the kernel's and the ledger's fields are zero.
    pub fn take_closed(&mut self) -> Option<Window> {
        self.pending.take(&self.captures)
    }

    /// The last whole second told: its Unix time and traffic.
    pub fn last_second(&self, id: u16) -> (u64, RxTx) {
        self.interface(id).map_or((0, RxTx::default()), |(_, interface)| interface.last_second())
    }

    /// At most so many of the last 300 seconds, without holes.
    pub fn seconds(&self, id: u16, most: usize) -> SecondSeries {
        let Some((capture, interface)) = self.interface(id) else {
            return SecondSeries {
                interface: String::new(),
                start: Timestamp::UNIX_EPOCH,
                seconds: Vec::new(),
            };
        };
        interface.series(&capture.name, most)
    }

    pub fn totals(&self, id: u16) -> InterfaceTotals {
        self.captures.get(&id).map(Capture::interface_totals).unwrap_or_default()
    }

    /// By recent rate, then bytes.
    pub fn live_hosts(&self, id: u16, rows: usize) -> Ranked<HostRow> {
        self.interface(id)
            .map(|(capture, interface)| lists::live_hosts((capture, interface), &self.names, rows, self.look))
            .unwrap_or_default()
    }

    /// Finds the flows that move most now on each interface: `live_flows` gives at most `rows` of them.
    pub fn look(&mut self, rows: usize) {
        for capture in self.captures.values_mut() {
            capture.moving.look(&capture.mirror, capture.time, rows);
        }
    }

    /// By recent rate, then bytes, of those that moved most when they were looked for last.
    pub fn live_flows(&self, id: u16, rows: usize, directory: &dyn Directory) -> Ranked<FlowRow> {
        self.captures
            .get(&id)
            .map(|capture| lists::live_flows(capture, (&self.names, directory), rows))
            .unwrap_or_default()
    }

    /// Since the start, of the named interface ("" for all), whose address or name contains `search`.
    pub fn hosts(&self, interface: &str, search: &str, rows: usize) -> Ranked<HostRow> {
        let wanted = self.interfaces.iter().filter(|(name, _)| interface.is_empty() || *name == interface);
        let all = wanted.clone().map(|(name, _)| self.captured(name)).fold(RxTx::default(), plus);
        lists::hosts(wanted, (&self.names, self.look), search, rows, all)
    }

    /// Likewise; flows that ended long ago are among the others.
    pub fn flows(
        &self,
        (interface, owners): (&str, Option<&[OwnerId]>),
        search: &str,
        rows: usize,
        directory: &dyn Directory,
    ) -> Ranked<FlowRow> {
        let wanted = |name: &String| interface.is_empty() || *name == interface;
        let all = self
            .interfaces
            .keys()
            .filter(|name| wanted(name))
            .map(|name| self.captured(name))
            .fold(RxTx::default(), plus);
        let captures = self.captures.values().filter(|capture| wanted(&capture.name));
        lists::flows(captures, (&self.names, directory), (search, owners), rows, all)
    }

    fn interface(&self, id: u16) -> Option<(&Capture, &Interface)> {
        let capture = self.captures.get(&id)?;
        Some((capture, self.interfaces.get(&capture.name)?))
    }

    /// Captured on an interface since the start.
    fn captured(&self, name: &str) -> RxTx {
        let before = self.interfaces.get(name).map(|interface| interface.captured_before).unwrap_or_default();
        let now = self.captures.values().filter(|capture| capture.name == name).map(Capture::captured);
        now.fold(before, plus)
    }
}

const LONGEST_WINDOW: u64 = 86_400_000_000_000;

fn plus(mut sum: RxTx, other: RxTx) -> RxTx {
    sum += other;
    sum
}

fn add(mut sum: Count, other: Count) -> Count {
    sum += other;
    sum
}

fn count(tally: Tally) -> Count {
    Count { packets: tally.packets, bytes: tally.bytes }
}

/// What of `all` is left when `part` is taken away.
fn minus(all: RxTx, part: RxTx) -> RxTx {
    all.since(part)
}

fn timestamp(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default()
}

#[cfg(test)]
mod tests;

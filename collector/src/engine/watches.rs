//! Live packet lists that somebody has open: the worker filters and counts, the lines go to whoever asked, in their order.
//! The first lines of a flow come before it is known whose it is; they, and what comes behind them, wait for that a little.
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use shared::packets::{PacketBatch, PacketHeader};
use shared::process::OwnerReference;
use tokio::sync::mpsc::error::TrySendError;
use weir_shared as shared;

use super::command::WatchRequest;
use crate::attribution::{Directory, OwnerId};
use crate::window::Traffic;
use crate::worker::packets::{LineDirection, LineFlow, PacketTotals};

/// So long lines wait at most.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often it is asked whose they are.
const ASKING: Duration = Duration::from_millis(20);
/// Lines of a list that wait; what is beyond goes on as it is.
const MOST_WAITING: usize = 1_024;
/// Lines of a batch, so that it fits a message.
const MOST_LINES: usize = 1_024;

/// A line, and its flow while it is to be found whose it is.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) header: PacketHeader,
    pub(super) flow: Option<LineFlow>,
}

/// Who sent, or is sent, a packet.
#[derive(Debug)]
pub(super) enum Named {
    Owner(Option<OwnerReference>),
    /// Not known yet; if it stays so, the other end's owner, if any.
    NotYet(Option<OwnerReference>),
}

/// The end that is here; the sender where both are.
pub(super) fn named(flow: &LineFlow, traffic: &Traffic, directory: &dyn Directory) -> Named {
    let reference =
        |(owner, quality): (OwnerId, _)| OwnerReference { quality, ..directory.owner(owner).reference() };
    let holders = traffic.holders_of(flow);
    let [source, destination] = holders.unwrap_or_default();
    match (source, destination) {
        (Some(owner), _) => Named::Owner(Some(reference(owner))),
        (None, destination) if flow.direction == LineDirection::Local => {
            Named::NotYet(destination.map(reference))
        }
        (None, Some(owner)) => Named::Owner(Some(reference(owner))),
        // what passes through belongs to nobody here, mostly
        (None, None) if holders.is_some() && flow.direction == LineDirection::Forwarded => Named::Owner(None),
        (None, None) => Named::NotYet(None),
    }
}

/// Lines that came together.
#[derive(Debug)]
struct Batch {
    since: Instant,
    lines: Vec<Line>,
    totals: PacketTotals,
}

#[derive(Debug)]
struct Open {
    request: WatchRequest,
    waiting: VecDeque<Batch>,
    /// What workers that died had counted for this list.
    before: PacketTotals,
    last: PacketTotals,
    /// Lines that the reader did not take in time.
    untaken: u64,
}

#[derive(Debug, Default)]
pub(super) struct Watches {
    open: BTreeMap<u32, Open>,
    last: u32,
    /// When it was asked last whose lines are.
    asked: Option<Instant>,
}

impl Watches {
    pub(super) fn add(&mut self, request: WatchRequest) -> u32 {
        self.last = self.last.wrapping_add(1);
        let open = Open {
            request,
            waiting: VecDeque::new(),
            before: PacketTotals::default(),
            last: PacketTotals::default(),
            untaken: 0,
        };
        self.open.insert(self.last, open);
        self.last
    }

    /// Lines of a list, to be delivered.
    pub(super) fn take_in(&mut self, watch: u32, lines: Vec<Line>, totals: PacketTotals, now: Instant) {
        let Some(open) = self.open.get_mut(&watch) else { return };
        open.waiting.push_back(Batch { since: now, lines, totals });
        self.asked = None; // most are known already
    }

    /// How soon `deliver` is to be called; None where nothing waits.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.open.values().any(|open| !open.waiting.is_empty()).then_some(ASKING)
    }

    /// Delivers what is known or has waited for long enough.
    pub(super) fn deliver(&mut self, now: Instant, name: impl Fn(&LineFlow) -> Named) {
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < ASKING) {
            return;
        }
        self.asked = Some(now);
        for open in self.open.values_mut() {
            for line in open.waiting.iter_mut().flat_map(|batch| &mut batch.lines) {
                line.ask(&name);
            }
            open.deliver(|batch, waiting| {
                waiting > MOST_WAITING
                    || now.saturating_duration_since(batch.since) >= PATIENCE
                    || batch.lines.iter().all(|line| line.flow.is_none())
            });
        }
    }

    /// Delivers what there is as it is.
    pub(super) fn deliver_all(&mut self) {
        for open in self.open.values_mut() {
            open.deliver(|_, _| true);
        }
    }

    /// A new worker counts from zero.
    pub(super) fn worker_died(&mut self) {
        self.deliver_all();
        for open in self.open.values_mut() {
            open.before = std::mem::take(&mut open.before).plus(&std::mem::take(&mut open.last));
        }
    }

    /// Takes away the lists whose readers have gone.
    pub(super) fn take_closed(&mut self) -> Vec<u32> {
        let closed = |open: &Open| open.request.batches.is_closed();
        let gone: Vec<u32> =
            self.open.iter().filter(|(_, open)| closed(open)).map(|(&watch, _)| watch).collect();
        for watch in &gone {
            self.open.remove(watch);
        }
        gone
    }
}

impl Line {
    fn ask(&mut self, name: impl Fn(&LineFlow) -> Named) {
        match self.flow.as_ref().map(name) {
            Some(Named::Owner(owner)) => (self.header.owner, self.flow) = (owner, None),
            Some(Named::NotYet(owner)) => self.header.owner = owner,
            None => {}
        }
    }
}

impl Open {
    /// Delivers batches as long as the first one may go, given how many lines wait.
    fn deliver(&mut self, may_go: impl Fn(&Batch, usize) -> bool) {
        let mut waiting: usize = self.waiting.iter().map(|batch| batch.lines.len()).sum();
        let mut packets: Vec<PacketHeader> = Vec::new();
        let mut totals = None;
        while let Some(batch) = self.waiting.pop_front_if(|batch| may_go(batch, waiting)) {
            waiting -= batch.lines.len();
            if packets.len() + batch.lines.len() > MOST_LINES
                && let Some(totals) = totals.take()
            {
                self.hand_on(std::mem::take(&mut packets), totals);
            }
            packets.extend(batch.lines.into_iter().map(|line| line.header));
            totals = Some(batch.totals);
        }
        if let Some(totals) = totals {
            self.hand_on(packets, totals);
        }
    }

    /// A reader that does not keep up misses lines, and the next batch says how many.
    fn hand_on(&mut self, packets: Vec<PacketHeader>, totals: PacketTotals) {
        self.last = totals;
        let lines = u64::try_from(packets.len()).unwrap_or(u64::MAX);
        let mut sum = self.before.clone().plus(&self.last).summary();
        sum.not_sent = sum.not_sent.saturating_add(self.untaken);
        if let Err(TrySendError::Full(_)) =
            self.request.batches.try_send(PacketBatch { packets, totals: sum })
        {
            self.untaken = self.untaken.saturating_add(lines);
        }
    }
}

#[cfg(test)]
mod tests;

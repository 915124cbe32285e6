//! How a flow's growth becomes a row, in its turn or before.
use super::owners::Owners;
use super::telling::{MOST_LARGEST, MOST_TOLD_LATE, queue_of};
use super::{Mode, Pipeline};
use crate::flows::record::{FlowIdentity, FlowKind, FlowNews};
use crate::flows::sums;
use crate::flows::table::Entry;

/// The most that a row can take when encoded, its name apart: varints of at most 10 bytes for 64 bits, 5 for 32.
const BARE_ROW_BYTES: usize = 64 + 5 * 4 + 56 + 32 + 2 * 10 + 2 * 6;
pub(super) const MOST_ROW_BYTES: usize = BARE_ROW_BYTES + crate::flows::record::LONGEST_NAME;

/// Flows whose growth is looked at to find which are the largest.
const SAMPLE: usize = 1_024;

pub(super) fn row_bytes(row: &FlowNews) -> usize {
    BARE_ROW_BYTES + row.name.as_ref().map_or(0, |name| name.len())
}

impl Pipeline {
    /// Growth leaves the entry before its turn: it belongs to a window that has ended, or to a flow that ends.
    #[cold]
    pub(super) fn spill(&mut self, slot: u32, ended: bool) {
        let Some(entry) = self.table.get(slot) else { return };
        let (window, introduced) = (entry.window, entry.introduced);
        let waits = entry.waiting;
        let live = self.settings.mode == Mode::Live;
        if live && waits && !introduced && !self.telling.has_place(window, entry.growth_bytes()) {
            return self.sum(slot);
        }
        if !self.telling.has_spill_room() {
            return if live { self.sum(slot) } else { self.lose(slot) };
        }
        let Some(row) = self.row(slot, ended) else { return };
        if row.forward.packets + row.backward.packets == 0 {
            if ended && introduced {
                self.telling.spill(self.window, row); // without room the reader learns it when the slot is used again
            }
            return;
        }
        let (mut untold, backward, sent) = (row.forward, row.backward, row.sent);
        let was_told = row.identity.is_some();
        if !self.telling.spill(window, row) {
            untold.add(backward);
            self.counting.counters.untold.add(untold);
            self.counting.counters.untold_sent.add(sent);
            if was_told && let Some(entry) = self.table.get_mut(slot) {
                entry.introduced = false;
            }
        }
    }

    /// Growth that finds no room to wait in joins `others`; nobody makes a row of it.
    fn lose(&mut self, slot: u32) {
        self.take_name(slot);
        let Some(entry) = self.table.get_mut(slot) else { return };
        let growth = entry.settle();
        self.counting.counters.untold.add(growth.forward);
        self.counting.counters.untold.add(growth.backward);
        self.counting.counters.untold_sent.add(growth.sent);
    }

    /// Growth that is not told by itself joins the sums of its window.
    fn sum(&mut self, slot: u32) {
        self.take_name(slot);
        let Some(entry) = self.table.get_mut(slot) else { return };
        if !entry.waiting {
            return;
        }
        let window = entry.window;
        let growth = growth_of(entry, slot, &self.owners);
        entry.settle();
        self.telling.sum(window, &growth, self.settings.seed);
    }

    /// So many bytes a flow must have grown by to be told at the end of the open window; the rest joins the sums. From a
    /// sample of the flows that wait: all of them at once would hold capture up.
    pub(super) fn least_told(&self) -> u64 {
        self.least_of(self.telling.waiting(), MOST_TOLD_LATE)
    }

    /// More than so many bytes a flow that was told before must have grown by to be told at the end of the second.
    pub(super) fn large_in_second(&self) -> u64 {
        match self.least_of(self.telling.grown(), MOST_LARGEST) {
            0 => 0,
            least => least.saturating_add(1), // many may be as large as each other
        }
    }

    /// What the largest `most` of `many` flows have grown by.
    fn least_of<'a>(&'a self, (many, waiting): (usize, impl Iterator<Item = &'a u32>), most: usize) -> u64 {
        if self.settings.mode == Mode::File || many <= most {
            return 0;
        }
        let step = many / SAMPLE;
        let sampled = waiting.step_by(step.max(1)).filter_map(|slot| self.table.get(*slot));
        let mut sizes: Vec<u64> = sampled.map(Entry::growth_bytes).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.get(sizes.len() * most / many).copied().unwrap_or(0)
    }

    /// Whether a flow of the open window, told before, is told in this second; else it goes on waiting.
    pub(super) fn takes_turn(&mut self, slot: u32, window: u32) -> bool {
        let entry = self.table.get(slot).filter(|entry| entry.waiting && entry.window == window);
        let Some(entry) = entry.filter(|_| self.settings.mode == Mode::Live && window == self.window) else {
            return true;
        };
        let takes_turn = self.telling.takes_turn(entry.growth_bytes());
        if !takes_turn && self.goes_on_waiting(slot) {
            self.telling.waits_on(slot);
        }
        takes_turn
    }

    /// What comes to the slot from now on has to be queued again, unless it stands in the open window's queue already.
    pub(super) fn left_the_queue(&mut self, slot: u32, window: u32) {
        let open = self.window;
        if let Some(entry) = self.table.get_mut(slot)
            && (window == open || entry.queued != queue_of(open))
        {
            entry.queued = 0;
        }
    }

    /// The row of a slot whose turn has come; None if it was told otherwise.
    pub(super) fn tell(&mut self, slot: u32, window: u32) -> Option<FlowNews> {
        let entry = self.table.get(slot)?;
        if !entry.waiting || entry.window > window {
            return None;
        }
        let late = self.settings.mode == Mode::Live && window != self.window;
        if late && !self.telling.has_place(entry.window, entry.growth_bytes()) {
            self.sum(slot);
            return None;
        }
        self.row(slot, false)
    }

    fn row(&mut self, slot: u32, ended: bool) -> Option<FlowNews> {
        let now = self.clock.now();
        let name = self.take_name(slot);
        let always = self.settings.mode == Mode::File;
        let entry = self.table.get_mut(slot)?;
        let growth = entry.settle();
        let identity = (always || !entry.introduced)
            .then(|| identity(entry, self.owners.sends_of_initiator(slot, entry.from_low)));
        let [low, high] = self.owners.of(slot);
        entry.introduced = true;
        let tcp = self.details.get(entry.tcp as usize).map(|detail| detail.news(entry.state));
        let bare = crate::flows::record::TcpNews { state: entry.state, ..Default::default() };
        let row = FlowNews {
            slot,
            generation: entry.generation,
            identity,
            forward: growth.forward,
            backward: growth.backward,
            sent: growth.sent,
            payload: growth.payload,
            owners: if entry.from_low { [low, high] } else { [high, low] },
            age_millis: u32::try_from(now.saturating_sub(entry.last_seen) / 1_000_000).unwrap_or(u32::MAX),
            application: entry.application,
            name,
            tcp: tcp
                .or_else(|| (entry.key.protocol == 6 && entry.key.kind() == FlowKind::Flow).then_some(bare)),
            ended,
        };
        if always {
            self.top.tell(&row);
        }
        Some(row)
    }
}

/// What of a flow waits to be told, and whose it is.
pub(super) fn growth_of(entry: &Entry, slot: u32, owners: &Owners) -> sums::Growth {
    let Entry { key, direction, application, from_low, .. } = *entry;
    let growth = entry.growth();
    let ([low_number, high_number], [low, high]) = (key.numbers(), owners.of(slot));
    sums::Growth {
        ends: if from_low { [low_number, high_number] } else { [high_number, low_number] },
        protocol: key.protocol,
        kind: key.kind(),
        direction,
        application,
        forward: growth.forward,
        backward: growth.backward,
        sent: growth.sent,
        payload: growth.payload,
        sends_of_initiator: owners.sends_of_initiator(slot, from_low),
        owners: if from_low { [low, high] } else { [high, low] },
    }
}

fn identity(entry: &Entry, sends_of_initiator: Option<bool>) -> FlowIdentity {
    let (low, high) = (entry.key.low(), entry.key.high());
    let (initiator, responder) = if entry.from_low { (low, high) } else { (high, low) };
    FlowIdentity {
        initiator: initiator.0,
        initiator_port: initiator.1,
        responder: responder.0,
        responder_port: responder.1,
        protocol: entry.key.protocol,
        kind: entry.key.kind(),
        direction: entry.direction,
        sends_of_initiator,
        first_seen: entry.first_seen,
    }
}

//! How an interface's flows follow the news: each change when the packets before it are counted.
use super::book::{Change, Owner, Told};
use super::event::End;
use super::{DOUBT, Owners};
use crate::flows::record::{Match, OwnerMark};
use crate::pipeline::Pipeline;
use crate::worker::timeline::Timeline;

/// A change is applied so many nanoseconds after it happened although no later packet came: none before it comes then.
const PATIENCE: u64 = 300_000_000;
/// A new flow of which nothing is told goes by its local end after so long: what is told of it is told within
/// milliseconds of its first packet.
const UNTOLD: u64 = 150_000_000;
/// News so much older than a flow's first packet may be of another socket that had the same addresses before.
const STALE: u64 = 2_000_000;
/// So long a connection waits for whoever takes it; then it is the listener's.
const HELD: u64 = 3_000_000_000;
/// Ends that wait for an owner. What is over is decided at once.
const MOST_WAITING: usize = 16_384;

const _: () = assert!(HELD <= DOUBT, "an end that waits while there is doubt is not decided by it");

/// How far an interface has applied the news.
#[derive(Debug)]
pub(in crate::worker) struct Cursor {
    /// Number of the next change.
    next: u64,
    /// The stamp of a packet when that one happened; the far future where there is none.
    due: u64,
    waiting: Vec<Waiting>,
}

/// An end that has no owner, or a listener's for now.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    slot: u32,
    end: End,
    since: u64,
    /// When it is looked at again: later and later.
    due: u64,
}

impl Cursor {
    /// Whether a packet with this stamp comes after news that is not applied. Asked for every packet.
    #[inline]
    pub(in crate::worker) fn is_due(&self, stamp: u64) -> bool {
        stamp >= self.due
    }

    /// The number of the next change.
    pub(in crate::worker) fn next(&self) -> u64 {
        self.next
    }

    /// Ends that wait and are looked at again now.
    pub(super) fn due(&self, now: u64) -> impl Iterator<Item = End> {
        self.waiting.iter().filter(move |waiting| now >= waiting.due).map(|waiting| waiting.end)
    }

    /// Whether something has to be looked at again soon.
    pub(in crate::worker) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.due != u64::MAX
    }
}

/// An interface's flows, and what is needed to judge them.
#[derive(Debug)]
pub(in crate::worker) struct Flows<'a> {
    pub(in crate::worker) pipeline: &'a mut Pipeline,
    pub(in crate::worker) timeline: &'a Timeline,
}

impl Owners {
    /// For an interface that was opened now.
    pub(in crate::worker) fn cursor(&self, pipeline: &mut Pipeline) -> Cursor {
        pipeline.watch_new_flows();
        Cursor { next: self.log.next(), due: u64::MAX, waiting: Vec::new() }
    }

    /// Before a batch of packets: there may be news since the last one.
    pub(in crate::worker) fn look_ahead(&self, cursor: &mut Cursor, timeline: &Timeline) {
        cursor.next = cursor.next.max(self.log.first);
        cursor.due = self.log.get(cursor.next).map_or(u64::MAX, |change| timeline.stamp_at_boot(change.time));
    }

    /// Applies what happened before a packet with this stamp: those before it are counted.
    #[cold]
    pub(in crate::worker) fn follow(&self, cursor: &mut Cursor, flows: &mut Flows<'_>, stamp: u64) {
        cursor.next = cursor.next.max(self.log.first);
        while let Some(change) = self.log.get(cursor.next)
            && flows.timeline.stamp_at_boot(change.time) <= stamp
        {
            // flows of before this change go by the changes before it
            self.name_new(cursor, flows);
            cursor.next += 1;
            self.apply(cursor, flows, change);
        }
        self.look_ahead(cursor, flows.timeline);
    }

    /// After a batch of packets: their flows get the owners that are known.
    pub(in crate::worker) fn name_new(&self, cursor: &mut Cursor, flows: &mut Flows<'_>) {
        for slot in flows.pipeline.take_new_flows() {
            let Some(key) = flows.pipeline.key_of(slot) else { continue };
            let here = flows.pipeline.here(slot);
            let told = self.book.at_both(&key, cursor.next);
            for ((low, told), here) in [true, false].into_iter().zip(told).zip(here) {
                self.name(cursor, flows, (slot, End { key, low }), told, here);
            }
        }
    }

    /// Once a tick: news that no packet waits for, and ends that have waited long enough.
    pub(in crate::worker) fn settle(&self, cursor: &mut Cursor, flows: &mut Flows<'_>) {
        self.follow(cursor, flows, flows.timeline.stamp_now().saturating_sub(PATIENCE));
        self.name_new(cursor, flows);
        self.name_unowned(cursor, flows);
        let mut waiting = std::mem::take(&mut cursor.waiting);
        let now = flows.timeline.now();
        waiting.retain_mut(|end| now < end.due || self.still_waits(cursor, flows, end));
        cursor.waiting = waiting;
    }

    /// The first owner of a flow takes what came before, so it need not wait for its turn.
    fn name_unowned(&self, cursor: &Cursor, flows: &mut Flows<'_>) {
        for number in cursor.next..self.log.next() {
            let Some(Change { end, owner, foreign, .. }) = self.log.get(number) else { return };
            let Some(slot) = flows.pipeline.find_flow(&end.key) else { continue };
            let has_none = flows.pipeline.owner(slot, end.low).quality == Match::None;
            if has_none && !owner.waits() && (!foreign || is_forwarded(flows, slot)) {
                flows.pipeline.set_owner(slot, end.low, owner.mark);
            }
        }
    }

    /// Nothing more will come: what waits is decided.
    pub(in crate::worker) fn end(&self, cursor: &mut Cursor, flows: &mut Flows<'_>) {
        self.follow(cursor, flows, u64::MAX);
        self.name_new(cursor, flows);
        for Waiting { slot, end, .. } in std::mem::take(&mut cursor.waiting) {
            let has_none = flows.pipeline.owner(slot, end.low).quality == Match::None;
            if has_none && flows.pipeline.key_of(slot) == Some(end.key) {
                let known = self.owner(cursor, flows, (slot, end));
                let mark = self.last_resort(flows, end, known);
                give(flows.pipeline, slot, end, mark);
            }
        }
    }

    fn apply(&self, cursor: &mut Cursor, flows: &mut Flows<'_>, change: &Change) {
        let Change { end, owner, .. } = *change;
        let Some(slot) = flows.pipeline.find_flow(&end.key) else { return };
        if change.foreign && !is_forwarded(flows, slot) {
            return;
        }
        if owner.waits() {
            if flows.pipeline.owner(slot, end.low).owner != owner.mark.owner {
                // another socket's: what it has moved is told before
                flows.pipeline.set_owner(slot, end.low, OwnerMark::default());
            }
            self.wait(cursor, flows, (slot, end), Some(owner));
        } else {
            flows.pipeline.set_owner(slot, end.low, owner.mark);
        }
    }

    fn name(
        &self,
        cursor: &mut Cursor,
        flows: &mut Flows<'_>,
        (slot, end): (u32, End),
        told: Told,
        here: bool,
    ) {
        match self.judge(cursor, flows, (slot, end), told) {
            Some(owner) if !owner.waits() && is_of(flows, slot, &owner) => {
                flows.pipeline.set_owner(slot, end.low, owner.mark);
            }
            None if !here => {} // of an end on another machine nothing is told later
            known => self.wait(cursor, flows, (slot, end), known),
        }
    }

    fn owner(&self, cursor: &Cursor, flows: &Flows<'_>, (slot, end): (u32, End)) -> Option<Owner> {
        self.judge(cursor, flows, (slot, end), self.book.at(end, cursor.next))
    }

    /// What was told makes of an end's owner.
    fn judge(
        &self,
        cursor: &Cursor,
        flows: &Flows<'_>,
        (slot, end): (u32, End),
        told: Told,
    ) -> Option<Owner> {
        match told {
            Told::Of(owner) => Some(owner),
            Told::Before => self.log.latest(end, cursor.next).map(|change| change.owner),
            Told::Nothing if self.book.knows_foreign() && is_forwarded(flows, slot) => {
                self.book.at_foreign(end, cursor.next)
            }
            Told::Nothing => None,
        }
    }

    fn wait(
        &self,
        cursor: &mut Cursor,
        flows: &mut Flows<'_>,
        (slot, end): (u32, End),
        known: Option<Owner>,
    ) {
        let since = flows.timeline.now();
        // its packets may have been seen behind this machine already, and then it is decided at the next tick
        let pause = if known.is_some_and(|owner| owner.behind) { 0 } else { UNTOLD };
        if cursor.waiting.len() < MOST_WAITING {
            cursor.waiting.push(Waiting { slot, end, since, due: since.saturating_add(pause) });
        } else {
            let mark = self.last_resort(flows, end, known);
            give(flows.pipeline, slot, end, mark);
        }
    }

    /// Gives an end its owner if there is one by now, and says whether it goes on waiting.
    fn still_waits(&self, cursor: &Cursor, flows: &mut Flows<'_>, waiting: &mut Waiting) -> bool {
        let Waiting { slot, end, since, .. } = *waiting;
        let is_another = flows.pipeline.key_of(slot) != Some(end.key);
        let has_one = flows.pipeline.owner(slot, end.low).quality != Match::None;
        if is_another || has_one {
            return false;
        }
        let age = flows.timeline.now().saturating_sub(since);
        let known = self.owner(cursor, flows, (slot, end));
        let is_decided = match known {
            Some(owner) if owner.held => age >= HELD,
            // by then it is known that its packets are not seen behind this machine
            Some(owner) if owner.behind => age >= UNTOLD || self.is_seen_elsewhere(end),
            Some(owner) => age >= UNTOLD || is_of(flows, slot, &owner),
            None => age >= UNTOLD,
        };
        let mark = if is_decided { self.last_resort(flows, end, known) } else { None };
        let found = give(flows.pipeline, slot, end, mark);
        waiting.due = since.saturating_add(HELD.min(age.saturating_mul(2)));
        !found && age < HELD
    }

    fn is_seen_elsewhere(&self, end: End) -> bool {
        self.book.seen_elsewhere(end.key).any(|key| self.seen.contains(&key))
    }

    /// What is known, the listener included; else whoever alone has the local end.
    fn last_resort(&self, flows: &Flows<'_>, end: End, known: Option<Owner>) -> Option<OwnerMark> {
        let known = known.map(|Owner { mark, behind, .. }| OwnerMark {
            passes: behind && self.is_seen_elsewhere(end),
            ..mark
        });
        let in_doubt = flows.timeline.now() < self.doubt_until;
        known.or_else(|| if in_doubt { None } else { self.book.by_local_end(end, flows.timeline.boot_now()) })
    }
}

fn give(pipeline: &mut Pipeline, slot: u32, end: End, mark: Option<OwnerMark>) -> bool {
    if let Some(mark) = mark {
        pipeline.set_owner(slot, end.low, mark);
    }
    mark.is_some()
}

/// Whether news is of this flow and not of an earlier one. Of a flow that comes in it is younger than the first packet, of
/// one that goes out hardly older.
fn is_of(flows: &Flows<'_>, slot: u32, owner: &Owner) -> bool {
    let begun = flows.pipeline.begun(slot).unwrap_or(0);
    flows.timeline.at_boot(owner.since).saturating_add(STALE) >= begun
}

/// Neither end is this machine's.
fn is_forwarded(flows: &Flows<'_>, slot: u32) -> bool {
    flows.pipeline.here(slot) == [false; 2]
}

//! What waits to be told, window by window: new flows in their order, those that have grown once a second, rows that left
//! the table before it was their turn, and at last the window's end.
use std::collections::VecDeque;

use crate::flows::record::{FlowNews, OwnerMark, SecondRecord, TrafficRecord, WindowRecord};
use crate::flows::sums::{Growth, OwnerSum, Sums, SumsRecord};
use crate::flows::table::Entry;

/// Rows that may wait outside the table. What is over joins `others`, counted.
const MOST_SPILLED: usize = 32_768;
/// Flows of a window that are told by themselves after its end, the largest; and flows that leave the table in one. All
/// others join its sums.
pub(super) const MOST_TOLD_LATE: usize = 8_192;
const MOST_TOLD_LEAVING: usize = 4_096;
/// Flows that have grown are told once a second: about so many of the largest, and so many of those that have waited for
/// longest. The others go on growing.
pub(super) const MOST_LARGEST: usize = 1_024;
pub(crate) const MOST_TURNS: usize = 1_024;
/// So many rows that come first are told at the next tick.
const MOST_SOON: usize = 256;
/// Rows of sums in a record: 100 bytes each at most.
const MOST_SUMS: usize = 400;
/// Windows whose end may wait; a reader that stands still for longer gets the oldest ones as one.
const MOST_CHAPTERS: usize = 64;
const MOST_SECONDS: usize = 600;

/// One window's untold part.
#[derive(Debug, Default)]
struct Chapter {
    window: u32,
    /// Flows that were never told, or not since it is known whose they are, as they came.
    new: VecDeque<u32>,
    /// Flows that were told before and have grown, as they did.
    grown: VecDeque<u32>,
    /// How many of these have waited for the end of their second.
    due: usize,
    spilled: VecDeque<FlowNews>,
    /// Rows that may still be told by themselves, and how large they must be.
    places: usize,
    least: u64,
    /// How large a flow that was told before must have grown to be told in this second, and how many smaller ones are.
    large: u64,
    turns: usize,
    sums: Option<Box<Sums>>,
    sums_told: VecDeque<SumsRecord>,
    end: Option<Box<WindowRecord>>,
}

impl Chapter {
    fn new(window: u32) -> Self {
        Self { window, places: MOST_TOLD_LEAVING, ..Self::default() }
    }

    /// Changed flows.
    fn waiting(&self) -> usize {
        self.new.len() + self.grown.len()
    }
}

/// What `Entry::queued` says of those that wait in a window.
#[inline]
pub(super) fn queue_of(window: u32) -> u16 {
    u16::try_from(window % u32::from(u16::MAX)).unwrap_or(0) + 1
}

/// Everything untold, oldest window first. The last chapter is the open window's.
#[derive(Debug)]
pub(super) struct Telling {
    chapters: VecDeque<Chapter>,
    spilled: usize,
    seconds: VecDeque<SecondRecord>,
}

/// A row that is next.
#[derive(Debug)]
pub(super) enum Next {
    Row(Box<FlowNews>),
    /// To be told if it waits in this window or an earlier one.
    New(u32, u32),
    Grown(u32, u32),
}

impl Telling {
    pub(super) fn new() -> Self {
        Self { chapters: VecDeque::from([Chapter::new(0)]), spilled: 0, seconds: VecDeque::new() }
    }

    /// An entry of the open window has growth.
    #[inline]
    pub(super) fn waits(&mut self, slot: u32, entry: &mut Entry) {
        if !entry.introduced {
            self.waits_first(slot, entry);
        } else if let Some(chapter) = self.chapters.back_mut() {
            chapter.grown.push_back(slot);
        }
    }

    /// The same, but what there is to tell of it does not wait for the second's end.
    #[inline]
    pub(super) fn waits_first(&mut self, slot: u32, entry: &mut Entry) {
        let Some(chapter) = self.chapters.back_mut() else { return };
        let queue = queue_of(chapter.window);
        // in a flood a slot is given to one flow after the other while it stands there
        if entry.queued != queue {
            entry.queued = queue;
            chapter.new.push_back(slot);
        }
    }

    /// Flows that have grown up to now may be told, those of `large` and more bytes all.
    pub(super) fn second_ended(&mut self, large: u64) {
        if let Some(chapter) = self.chapters.back_mut() {
            chapter.due = chapter.grown.len();
            (chapter.large, chapter.turns) = (large, MOST_TURNS);
        }
    }

    /// Whether it is a flow's turn that has grown by so many bytes in the open window.
    pub(super) fn takes_turn(&mut self, bytes: u64) -> bool {
        let Some(open) = self.chapters.back_mut() else { return true };
        if bytes >= open.large {
            return true;
        }
        let takes_turn = open.turns > 0;
        open.turns = open.turns.saturating_sub(1);
        takes_turn
    }

    /// It waits for the next second: then it may be among the largest, or among those that have waited for longest.
    pub(super) fn waits_on(&mut self, slot: u32) {
        if let Some(open) = self.chapters.back_mut() {
            open.grown.push_back(slot);
        }
    }

    /// Windows before this one are told, and of this one the flows that may be told in this second; or those that come
    /// first are so many that they will not be soon.
    pub(super) fn is_second_told(&self) -> bool {
        let Some(open) = self.chapters.back().filter(|open| self.chapters.len() == 1 && open.due == 0) else {
            return false;
        };
        let first = open.new.len() + open.spilled.len();
        first == 0 || first > MOST_SOON
    }

    /// Slots of the open window's flows that were never told.
    pub(super) fn new_ones(&self) -> impl Iterator<Item = u32> {
        self.chapters.back().into_iter().flat_map(|open| open.new.iter().copied())
    }

    /// Owners in the open window's sums.
    pub(super) fn summed_owners(&mut self) -> impl Iterator<Item = (&OwnerMark, &OwnerSum)> {
        let sums = self.chapters.back_mut().and_then(|open| open.sums.as_mut());
        sums.into_iter().flat_map(|sums| sums.owners())
    }

    pub(super) fn has_spill_room(&self) -> bool {
        self.spilled < MOST_SPILLED
    }

    /// False: there is no room, the row joins `others`.
    pub(super) fn spill(&mut self, window: u32, row: FlowNews) -> bool {
        if self.spilled >= MOST_SPILLED {
            return false;
        }
        let Some(chapter) = self.chapters.iter_mut().find(|chapter| chapter.window >= window) else {
            return false;
        };
        chapter.spilled.push_back(row);
        self.spilled += 1;
        true
    }

    pub(super) fn spilled(&self) -> usize {
        self.spilled
    }

    /// Of the open window's changed flows those that were told before, and how many they are.
    pub(super) fn grown(&self) -> (usize, impl Iterator<Item = &u32>) {
        let open = self.chapters.back();
        (open.map_or(0, |open| open.grown.len()), open.into_iter().flat_map(|open| open.grown.iter()))
    }

    /// The open window's changed flows, and how many they are.
    pub(super) fn waiting(&self) -> (usize, impl Iterator<Item = &u32>) {
        let open = self.chapters.back();
        let waiting = open.into_iter().flat_map(|chapter| chapter.new.iter().chain(&chapter.grown));
        (open.map_or(0, Chapter::waiting), waiting)
    }

    /// Whether growth of so many bytes is told by itself; it takes one of the window's places then.
    pub(super) fn has_place(&mut self, window: u32, bytes: u64) -> bool {
        let Some(chapter) = self.chapters.iter_mut().find(|chapter| chapter.window >= window) else {
            return false;
        };
        if chapter.places == 0 || bytes < chapter.least {
            return false;
        }
        chapter.places -= 1;
        true
    }

    pub(super) fn sum(&mut self, window: u32, growth: &Growth, seed: [u64; 2]) {
        let last = self.chapters.len().saturating_sub(1);
        let at = self.chapters.iter().position(|chapter| chapter.window >= window).unwrap_or(last);
        if let Some(chapter) = self.chapters.get_mut(at) {
            chapter.sums.get_or_insert_with(|| Box::new(Sums::new(seed))).add(growth);
        }
    }

    /// The open window ends, whose rows are told from `least` bytes on; `window` is the next one's number.
    pub(super) fn end(&mut self, record: WindowRecord, window: u32, least: u64) {
        if let Some(chapter) = self.chapters.back_mut() {
            chapter.end = Some(Box::new(record));
            chapter.places = MOST_TOLD_LATE;
            chapter.least = least;
        }
        self.chapters.push_back(Chapter::new(window));
        if self.chapters.len() > MOST_CHAPTERS {
            self.join_oldest();
        }
    }

    /// The two oldest windows become one, longer window: a counted total is late rather than lost.
    fn join_oldest(&mut self) {
        let Some(mut oldest) = self.chapters.pop_front() else { return };
        let Some(next) = self.chapters.front_mut() else { return };
        if let (Some(first), Some(second)) = (oldest.end.take(), next.end.as_mut()) {
            second.length = (second.start + second.length).saturating_sub(first.start);
            second.start = first.start;
            second.highest_received_bytes = second.highest_received_bytes.max(first.highest_received_bytes);
            second.highest_sent_bytes = second.highest_sent_bytes.max(first.highest_sent_bytes);
            second.highest_packets = second.highest_packets.max(first.highest_packets);
            second.highest_round_trip_micros =
                second.highest_round_trip_micros.max(first.highest_round_trip_micros);
        }
        next.window = next.window.max(oldest.window);
        oldest.spilled.append(&mut next.spilled);
        oldest.new.append(&mut next.new);
        oldest.grown.append(&mut next.grown);
        next.spilled = oldest.spilled;
        (next.new, next.grown) = (oldest.new, oldest.grown);
        next.sums_told.extend(oldest.sums.into_iter().flat_map(|sums| sums.records(MOST_SUMS)));
        next.sums_told.extend(oldest.sums_told);
    }

    pub(super) fn second(&mut self, record: SecondRecord) {
        if self.seconds.len() >= MOST_SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(record);
    }

    pub(super) fn take_seconds(&mut self) -> Vec<SecondRecord> {
        self.seconds.drain(..).collect()
    }

    pub(super) fn has_seconds(&self) -> bool {
        !self.seconds.is_empty()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.chapters.len() > 1
    }

    /// Rows whose window, or second, has ended.
    pub(super) fn overdue(&self) -> usize {
        let ended = self.chapters.len().saturating_sub(1);
        let due = self.chapters.back().map_or(0, |open| open.due);
        self.chapters
            .iter()
            .take(ended)
            .map(|chapter| chapter.waiting() + chapter.spilled.len())
            .sum::<usize>()
            + due
    }

    pub(super) fn has_rows(&self, open_too: bool) -> bool {
        self.spilled > 0
            || self.has_ended()
            || open_too
                && self.chapters.front().is_some_and(|chapter| !chapter.new.is_empty() || chapter.due > 0)
    }

    /// Of the oldest window: rows outside the table, then changed flows (of the open window only if `open_too`, and of
    /// those that have grown only what waited when a second ended).
    pub(super) fn next_row(&mut self, open_too: bool) -> Option<Next> {
        let open = self.chapters.len() == 1;
        let chapter = self.chapters.front_mut()?;
        if let Some(row) = chapter.spilled.pop_front() {
            self.spilled -= 1;
            return Some(Next::Row(Box::new(row)));
        }
        if open && !open_too {
            return None;
        }
        if let Some(slot) = chapter.new.pop_front() {
            return Some(Next::New(slot, chapter.window));
        }
        if open && chapter.due == 0 {
            return None;
        }
        chapter.due = chapter.due.saturating_sub(1);
        chapter.grown.pop_front().map(|slot| Next::Grown(slot, chapter.window))
    }

    /// Once all its rows are told, the oldest window's sums, and at last its end.
    pub(super) fn take_last(&mut self) -> Option<TrafficRecord> {
        let front = self
            .chapters
            .front_mut()
            .filter(|chapter| chapter.waiting() == 0 && chapter.spilled.is_empty())?;
        front.end.as_ref()?;
        if let Some(sums) = front.sums.take() {
            front.sums_told.extend(sums.records(MOST_SUMS));
        }
        if let Some(sums) = front.sums_told.pop_front() {
            return Some(TrafficRecord::Sums(Box::new(sums)));
        }
        let end = front.end.take()?;
        self.chapters.pop_front();
        Some(TrafficRecord::WindowEnd(end))
    }
}

//! What waits to be told, window by window: changed flows in the order in which they changed, rows that left the table
//! before it was their turn, and at last the window's end.
use std::collections::VecDeque;

use crate::flows::record::{FlowNews, SecondRecord, TrafficRecord, WindowRecord};
use crate::flows::sums::{Growth, Sums, SumsRecord};

/// Rows that may wait outside the table. What is over joins `others`, counted.
const MOST_SPILLED: usize = 32_768;
/// Flows of a window that are told by themselves after its end, the largest; and flows that leave the table in one. All
/// others join its sums.
pub(super) const MOST_TOLD_LATE: usize = 8_192;
const MOST_TOLD_LEAVING: usize = 4_096;
/// Rows of sums in a record: 100 bytes each at most.
const MOST_SUMS: usize = 400;
/// Windows whose end may wait; a reader that stands still for longer gets the oldest ones as one.
const MOST_CHAPTERS: usize = 64;
const MOST_SECONDS: usize = 600;

/// One window's untold part.
#[derive(Debug, Default)]
struct Chapter {
    window: u32,
    waiting: VecDeque<u32>,
    spilled: VecDeque<FlowNews>,
    /// Rows that may still be told by themselves, and how large they must be.
    places: usize,
    least: u64,
    sums: Option<Box<Sums>>,
    sums_told: VecDeque<SumsRecord>,
    end: Option<Box<WindowRecord>>,
}

impl Chapter {
    fn new(window: u32) -> Self {
        Self { window, places: MOST_TOLD_LEAVING, ..Self::default() }
    }
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
    Slot(u32, u32),
}

impl Telling {
    pub(super) fn new() -> Self {
        Self { chapters: VecDeque::from([Chapter::new(0)]), spilled: 0, seconds: VecDeque::new() }
    }

    /// Says how many wait.
    #[inline]
    pub(super) fn waits(&mut self, slot: u32) -> usize {
        let Some(chapter) = self.chapters.back_mut() else { return 0 };
        chapter.waiting.push_back(slot);
        chapter.waiting.len()
    }

    /// Of the open window only what is still to be told goes on waiting.
    pub(super) fn keep_waiting(&mut self, is_wanted: impl FnMut(&u32) -> bool) {
        if let Some(chapter) = self.chapters.back_mut() {
            chapter.waiting.retain(is_wanted);
        }
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

    /// The open window's changed flows.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &u32> + Clone {
        let open = self.chapters.back().map(|chapter| chapter.waiting.range(..));
        open.unwrap_or_default()
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
        oldest.waiting.append(&mut next.waiting);
        next.spilled = oldest.spilled;
        next.waiting = oldest.waiting;
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

    /// Rows whose window has ended.
    pub(super) fn overdue(&self) -> usize {
        let ended = self.chapters.len().saturating_sub(1);
        self.chapters.iter().take(ended).map(|chapter| chapter.waiting.len() + chapter.spilled.len()).sum()
    }

    pub(super) fn has_rows(&self, open_too: bool) -> bool {
        self.spilled > 0
            || self.has_ended()
            || open_too && self.chapters.front().is_some_and(|chapter| !chapter.waiting.is_empty())
    }

    /// Of the oldest window: rows outside the table, then changed flows (of the open window only if `open_too`).
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
        chapter.waiting.pop_front().map(|slot| Next::Slot(slot, chapter.window))
    }

    /// Once all its rows are told, the oldest window's sums, and at last its end.
    pub(super) fn take_last(&mut self) -> Option<TrafficRecord> {
        let front = self
            .chapters
            .front_mut()
            .filter(|chapter| chapter.waiting.is_empty() && chapter.spilled.is_empty())?;
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

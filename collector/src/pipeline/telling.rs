//! What waits to be told, window by window: changed flows in the order in which they changed, rows that left the table
//! before it was their turn, and at last the window's end.
use std::collections::VecDeque;

use crate::flows::record::{FlowNews, SecondRecord, Tally, WindowRecord};

/// Rows that may wait outside the table. What is over joins `others`, counted.
const MOST_SPILLED: usize = 32_768;
/// Windows whose end may wait; a reader that stands still for longer gets the oldest ones as one.
const MOST_CHAPTERS: usize = 64;
const MOST_SECONDS: usize = 600;

/// One window's untold part.
#[derive(Debug, Default)]
struct Chapter {
    window: u32,
    waiting: VecDeque<u32>,
    spilled: VecDeque<FlowNews>,
    end: Option<Box<WindowRecord>>,
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
        Self { chapters: VecDeque::from([Chapter::default()]), spilled: 0, seconds: VecDeque::new() }
    }

    #[inline]
    pub(super) fn waits(&mut self, slot: u32) {
        if let Some(chapter) = self.chapters.back_mut() {
            chapter.waiting.push_back(slot);
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

    /// The open window ends; `window` is the next one's number.
    pub(super) fn end(&mut self, record: WindowRecord, window: u32) {
        if let Some(chapter) = self.chapters.back_mut() {
            chapter.end = Some(Box::new(record));
        }
        self.chapters.push_back(Chapter { window, ..Chapter::default() });
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

    /// The oldest window's end, once all its rows are told.
    pub(super) fn take_end(&mut self) -> Option<Box<WindowRecord>> {
        let front = self
            .chapters
            .front_mut()
            .filter(|chapter| chapter.waiting.is_empty() && chapter.spilled.is_empty())?;
        let end = front.end.take()?;
        self.chapters.pop_front();
        Some(end)
    }
}

pub(super) fn grew(growth: &[Tally; 3]) -> bool {
    let [forward, backward, _] = growth;
    forward.packets + backward.packets > 0
}

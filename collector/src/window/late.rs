//! Over how many seconds came what is told only when a window has ended. Where more flows grow than are told each second,
//! most wait for the window's end; what they moved until then is no rate of that moment. Of owners whom the worker knows
//! `ahead` knows better.
use crate::pipeline::MOST_TURNS;

const SECOND: u64 = 1_000_000_000;

/// What an interface's worker tells, and when.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// Where the last window that was closed has ended, nanoseconds of the timeline; 0 before the first.
    closed: u64,
    /// Where the one began that packets count in now.
    open: u64,
    /// Flows that were told again since a second ended, and between the two ends before.
    rows: usize,
    rows_before: usize,
}

impl Late {
    pub(super) fn counts_in(&mut self, window_start: u64) {
        self.open = window_start;
        if self.closed == 0 {
            self.closed = window_start;
        }
    }

    pub(super) fn window_closed(&mut self, end: u64) {
        self.closed = end;
        self.open = self.open.max(end);
    }

    pub(super) fn second_ended(&mut self) {
        self.rows_before = std::mem::take(&mut self.rows);
    }

    /// Seconds of the windows that have ended and are not closed; 1 where there is none.
    pub(super) fn seconds(&self) -> u64 {
        (self.open.saturating_sub(self.closed) / SECOND).max(1)
    }

    /// A flow is told again that was told so many seconds before; gives the seconds that its growth came in over.
    pub(super) fn told_again(&mut self, since_told: u64) -> u64 {
        self.rows += 1;
        let had_to_wait = self.rows_before >= MOST_TURNS;
        if had_to_wait { since_told.clamp(1, self.seconds()) } else { 1 }
    }
}

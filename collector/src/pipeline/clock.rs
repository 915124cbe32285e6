//! Seconds and windows of the capture timeline.
use std::time::Duration;

use crate::flows::record::{Counters, SecondRecord, Tally, WindowRecord};

const SECOND: u64 = 1_000_000_000;
/// A leap over more windows than this leaves the empty ones out.
const MOST_EMPTY_WINDOWS: u64 = 600;

/// What `time` has passed. At most one window each; call again until none.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub seconds: [Option<SecondRecord>; 2],
    pub window: Option<WindowRecord>,
}

/// Where on the timeline we are. Counters at the last boundary give what a second moved.
#[derive(Debug)]
pub(super) struct Clock {
    window: u64,
    started: bool,
    now: u64,
    /// The nearer of the ends of second and window.
    due: u64,
    window_start: u64,
    window_end: u64,
    second: u64,
    received: Tally,
    sent: Tally,
    highest: WindowRecord,
}

impl Clock {
    pub(super) fn new(window: Duration) -> Self {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX).max(SECOND / 1000);
        Self {
            window,
            started: false,
            now: 0,
            due: 0,
            window_start: 0,
            window_end: 0,
            second: 0,
            received: Tally::default(),
            sent: Tally::default(),
            highest: WindowRecord::default(),
        }
    }

    #[inline]
    pub(super) fn is_due(&self, time: u64) -> bool {
        time >= self.due
    }

    /// The later of this time and what was seen.
    #[inline]
    pub(super) fn see(&mut self, time: u64) -> u64 {
        self.now = self.now.max(time);
        self.now
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    pub(super) fn window_start(&self) -> u64 {
        self.window_start
    }

    pub(super) fn window_end(&self) -> Option<u64> {
        self.started.then_some(self.window_end)
    }

    pub(super) fn round_trip(&mut self, micros: u64) {
        self.highest.highest_round_trip_micros = self.highest.highest_round_trip_micros.max(micros);
    }

    /// The next boundary that `time` has passed; None when there is none left, then `time` is now.
    pub(super) fn advance(&mut self, time: u64, counters: &Counters) -> Option<Ended> {
        if !self.started {
            self.started = true;
            self.start(time);
        }
        if time < self.due {
            self.see(time);
            return None;
        }
        let mut ended = Ended::default();
        let boundary = self.due;
        self.now = boundary;
        if boundary >= (self.second + 1).saturating_mul(SECOND) {
            let moved = self.second_ends(counters);
            ended.seconds = [Some(moved), None];
            // a leap over quiet seconds: only the last one is told, the reader knows the others are empty
            let last = (time.min(self.window_end) / SECOND).saturating_sub(1);
            if last > self.second {
                ended.seconds = [Some(moved), Some(SecondRecord { second: last, ..SecondRecord::default() })];
                self.second = last;
            }
            self.second += 1;
        }
        if boundary >= self.window_end {
            let start = self.window_end;
            ended.window = Some(self.window_ends(start));
            let behind = (time - start) / self.window;
            if behind > MOST_EMPTY_WINDOWS {
                self.start(time);
                return Some(ended);
            }
            self.window_start = start;
            self.window_end = start.saturating_add(self.window);
        }
        self.due = self.window_end.min((self.second + 1).saturating_mul(SECOND));
        Some(ended)
    }

    pub(super) fn jump(&mut self, time: u64, counters: &Counters) -> Option<Ended> {
        if !self.started {
            return None;
        }
        let moved = self.second_ends(counters);
        let window = self.window_ends(self.now.max(self.window_start + 1));
        self.now = time;
        self.start(time);
        Some(Ended { seconds: [Some(moved), None], window: Some(window) })
    }

    fn start(&mut self, time: u64) {
        self.now = time;
        self.second = time / SECOND;
        self.window_start = time - time % self.window;
        self.window_end = self.window_start.saturating_add(self.window);
        self.due = self.window_end.min((self.second + 1).saturating_mul(SECOND));
    }

    fn second_ends(&mut self, counters: &Counters) -> SecondRecord {
        let received = counters.received.since(self.received);
        let sent = counters.sent.since(self.sent);
        self.received = counters.received;
        self.sent = counters.sent;
        let highest = &mut self.highest;
        highest.highest_received_bytes = highest.highest_received_bytes.max(received.bytes);
        highest.highest_sent_bytes = highest.highest_sent_bytes.max(sent.bytes);
        highest.highest_packets = highest.highest_packets.max(received.packets + sent.packets);
        SecondRecord { second: self.second, received, sent }
    }

    fn window_ends(&mut self, end: u64) -> WindowRecord {
        let mut record = std::mem::take(&mut self.highest);
        record.start = self.window_start;
        record.length = end.saturating_sub(self.window_start);
        record
    }
}

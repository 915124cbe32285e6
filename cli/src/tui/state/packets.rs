//! The live packet list: the newest lines, and the exact figures of all that matched.
use std::collections::VecDeque;

use shared::packets::{PacketBatch, PacketHeader, PacketSummary};
use weir_shared as shared;

const MOST_LINES: usize = 1_000;

#[derive(Debug, Default)]
pub(in super::super) struct PacketLines {
    /// The interface and filter of the running list.
    pub of: Option<(Option<String>, String)>,
    /// Which list it is: what is still on its way from the one before does not belong to it.
    watch: u64,
    /// Newest first, each with its number since the list began.
    lines: VecDeque<(u64, PacketHeader)>,
    taken: u64,
    pub totals: PacketSummary,
    /// Why there is no list.
    pub problem: Option<String>,
}

impl PacketLines {
    /// A new list, with a number of its own.
    pub(in super::super) fn begin(&mut self, of: (Option<String>, String)) -> u64 {
        let watch = self.watch.saturating_add(1);
        *self = Self { of: Some(of), watch, ..Self::default() };
        watch
    }

    pub(in super::super) fn end(&mut self) {
        self.of = None;
    }

    pub(super) fn add(&mut self, watch: u64, batch: PacketBatch) {
        if watch != self.watch {
            return;
        }
        self.totals = batch.totals;
        for packet in batch.packets {
            self.taken = self.taken.saturating_add(1);
            self.lines.push_front((self.taken, packet));
        }
        self.lines.truncate(MOST_LINES);
    }

    pub(super) fn fail(&mut self, watch: u64, reason: String) {
        if watch == self.watch {
            self.problem = Some(reason);
        }
    }

    pub(in super::super) fn newest(&self) -> impl Iterator<Item = &(u64, PacketHeader)> {
        self.lines.iter()
    }
}

//! Live packet lists that somebody has open: the worker filters and counts, the batches go to whoever asked.
use std::collections::BTreeMap;

use shared::packets::{PacketBatch, PacketHeader};
use tokio::sync::mpsc::error::TrySendError;
use weir_shared as shared;

use super::command::WatchRequest;
use crate::worker::packets::PacketTotals;

#[derive(Debug)]
struct Open {
    request: WatchRequest,
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
}

impl Watches {
    pub(super) fn add(&mut self, request: WatchRequest) -> u32 {
        self.last = self.last.wrapping_add(1);
        let open =
            Open { request, before: PacketTotals::default(), last: PacketTotals::default(), untaken: 0 };
        self.open.insert(self.last, open);
        self.last
    }

    pub(super) fn request(&self, watch: u32) -> Option<&WatchRequest> {
        self.open.get(&watch).map(|open| &open.request)
    }

    /// Hands lines on; a reader that does not keep up misses them, and the next batch says how many.
    pub(super) fn deliver(&mut self, watch: u32, packets: Vec<PacketHeader>, totals: PacketTotals) {
        let Some(open) = self.open.get_mut(&watch) else { return };
        open.last = totals;
        let lines = u64::try_from(packets.len()).unwrap_or(u64::MAX);
        let mut sum = open.before.clone().plus(&open.last).summary();
        sum.not_sent = sum.not_sent.saturating_add(open.untaken);
        if let Err(TrySendError::Full(_)) =
            open.request.batches.try_send(PacketBatch { packets, totals: sum })
        {
            open.untaken = open.untaken.saturating_add(lines);
        }
    }

    /// A new worker counts from zero.
    pub(super) fn worker_died(&mut self) {
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

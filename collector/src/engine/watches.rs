//! Live packet lists that somebody has open: the worker filters and counts, the batches go to whoever asked.
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use shared::packets::{PacketBatch, PacketHeader, PacketSummary};
use shared::report::{AddressRow, Count};
use tokio::sync::mpsc::error::TrySendError;
use weir_shared as shared;

use super::command::WatchRequest;
use crate::flows::record::Tally;
use crate::worker::packets::{PacketTotals, protocol};
use crate::worker::records::MOST_WATCHES;

const TOP_ADDRESSES: usize = 10;

#[derive(Debug)]
struct Open {
    request: WatchRequest,
    /// What workers that died had counted for this list.
    before: PacketSummary,
    last: PacketSummary,
    /// Lines that the reader did not take in time.
    untaken: u64,
}

#[derive(Debug, Default)]
pub(super) struct Watches {
    open: BTreeMap<u32, Open>,
    last: u32,
}

impl Watches {
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MOST_WATCHES
    }

    pub(super) fn add(&mut self, request: WatchRequest) -> u32 {
        self.last = self.last.wrapping_add(1);
        let open =
            Open { request, before: PacketSummary::default(), last: PacketSummary::default(), untaken: 0 };
        self.open.insert(self.last, open);
        self.last
    }

    pub(super) fn request(&self, watch: u32) -> Option<&WatchRequest> {
        self.open.get(&watch).map(|open| &open.request)
    }

    /// Hands lines on; a reader that does not keep up misses them, and the next batch says how many.
    pub(super) fn deliver(&mut self, watch: u32, packets: Vec<PacketHeader>, totals: &PacketTotals) {
        let Some(open) = self.open.get_mut(&watch) else { return };
        open.last = summary(totals);
        let lines = u64::try_from(packets.len()).unwrap_or(u64::MAX);
        let mut sum = add(&open.before, &open.last);
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
            open.before = add(&open.before, &std::mem::take(&mut open.last));
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

fn count(tally: Tally) -> Count {
    Count { packets: tally.packets, bytes: tally.bytes }
}

fn summary(totals: &PacketTotals) -> PacketSummary {
    let rows = |rows: &[(IpAddr, Tally)]| {
        let row = |&(address, tally)| AddressRow { address, name: String::new(), count: count(tally) };
        rows.iter().map(row).collect()
    };
    let by_name = |&(number, tally): &(u8, Tally)| (protocol(number).to_string(), count(tally));
    PacketSummary {
        packets: totals.matched.packets,
        bytes: totals.matched.bytes,
        not_sent: totals.not_sent,
        duration_millis: totals.millis,
        protocols: totals.protocols.iter().map(by_name).collect(),
        top_sources: rows(&totals.sources),
        top_destinations: rows(&totals.destinations),
    }
}

fn add(before: &PacketSummary, last: &PacketSummary) -> PacketSummary {
    let mut protocols = before.protocols.clone();
    for (name, &count) in &last.protocols {
        *protocols.entry(name.clone()).or_default() += count;
    }
    PacketSummary {
        packets: before.packets.saturating_add(last.packets),
        bytes: before.bytes.saturating_add(last.bytes),
        not_sent: before.not_sent.saturating_add(last.not_sent),
        duration_millis: before.duration_millis.saturating_add(last.duration_millis),
        protocols,
        top_sources: top(&before.top_sources, &last.top_sources),
        top_destinations: top(&before.top_destinations, &last.top_destinations),
    }
}

fn top(before: &[AddressRow], last: &[AddressRow]) -> Vec<AddressRow> {
    let mut sums: HashMap<IpAddr, Count> = HashMap::new();
    for row in before.iter().chain(last) {
        *sums.entry(row.address).or_default() += row.count;
    }
    let row = |(address, count)| AddressRow { address, name: String::new(), count };
    let mut rows: Vec<AddressRow> = sums.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.count.bytes.cmp(&a.count.bytes).then_with(|| a.address.cmp(&b.address)));
    rows.truncate(TOP_ADDRESSES);
    rows
}

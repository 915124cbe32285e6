//! The mean of the updates of one step: rates come once a second, a step may be a minute.
use std::collections::HashMap;

use shared::live::Update;
use shared::process::OwnerRow;
use shared::report::{Count, Ranked, RxTx};
use weir_shared as shared;

use super::Keyed;

/// No step has more; older ones of a stalled screen are left out of the mean.
const MOST_UPDATES: usize = 64;

/// The updates since the last step. Kept small by the collector, which sends bounded lists once a second.
#[derive(Debug, Default)]
pub(super) struct Averaging {
    updates: Vec<Update>,
}

impl Averaging {
    pub(super) fn add(&mut self, update: Update) {
        if self.updates.len() >= MOST_UPDATES {
            self.updates.remove(0);
        }
        self.updates.push(update);
    }

    /// The newest update, its rates the means of the step; a row is over the threshold if it was at any tick of it.
    pub(super) fn take(&mut self) -> Option<Update> {
        let mut newest = self.updates.pop()?;
        let earlier = std::mem::take(&mut self.updates);
        if earlier.is_empty() {
            return Some(newest);
        }
        let ticks = u64::try_from(earlier.len()).unwrap_or(u64::MAX).saturating_add(1);
        let owners: Vec<_> = earlier.iter().map(|update| &update.owners).collect();
        average_owners(&mut newest.owners, &owners, ticks);
        for live in &mut newest.interfaces {
            let of = |update: &'_ Update| {
                update.interfaces.iter().position(|other| other.interface == live.interface)
            };
            let before: Vec<_> =
                earlier.iter().filter_map(|update| update.interfaces.get(of(update)?)).collect();
            before.iter().for_each(|other| live.second += other.second);
            live.second = divided(live.second, u64::try_from(before.len()).unwrap_or(0).saturating_add(1));
            let owners: Vec<_> = before.iter().map(|other| &other.owners).collect();
            average_owners(&mut live.owners, &owners, ticks);
            average(&mut live.hosts, before.iter().map(|other| &other.hosts), ticks);
            average(&mut live.flows, before.iter().map(|other| &other.flows), ticks);
        }
        Some(newest)
    }
}

fn average_owners(newest: &mut Ranked<OwnerRow>, earlier: &[&Ranked<OwnerRow>], ticks: u64) {
    let over: Vec<String> =
        earlier.iter().flat_map(|list| &list.rows).filter(|row| row.over_threshold).map(Keyed::key).collect();
    for row in &mut newest.rows {
        row.over_threshold |= over.contains(&row.key());
    }
    average(newest, earlier.iter().copied(), ticks);
}

/// A row that was not listed at a tick moved nothing that counts then.
fn average<'a, T: Keyed + 'a>(
    newest: &mut Ranked<T>,
    earlier: impl Iterator<Item = &'a Ranked<T>>,
    ticks: u64,
) {
    let mut sums: HashMap<String, RxTx> = HashMap::new();
    for row in earlier.flat_map(|list| &list.rows) {
        *sums.entry(row.key()).or_default() += row.rate();
    }
    for row in &mut newest.rows {
        let sum = sums.get(&row.key()).copied().unwrap_or_default();
        let rate = row.rate_mut();
        *rate += sum;
        *rate = divided(*rate, ticks);
    }
}

fn divided(sum: RxTx, by: u64) -> RxTx {
    let part = |count: Count| Count {
        packets: count.packets.checked_div(by).unwrap_or(0),
        bytes: count.bytes.checked_div(by).unwrap_or(0),
    };
    RxTx { rx: part(sum.rx), tx: part(sum.tx) }
}

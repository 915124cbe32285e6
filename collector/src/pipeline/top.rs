//! A file's largest flows: what was told of each key of all time.
use crate::flows::key::Key;
use crate::flows::record::{FlowKind, FlowNews, Tally};
use crate::flows::table::Table;

/// Of keys that left the table only the largest are kept.
const MOST: usize = 64;

/// Told so far by slot, over all records of its key, and the largest of those that left.
#[derive(Debug, Default)]
pub(super) struct Top {
    told: Vec<Tally>,
    evicted: Vec<(Tally, Key)>,
}

impl Top {
    pub(super) fn tell(&mut self, row: &FlowNews) {
        let slot = row.slot as usize;
        if self.told.len() <= slot {
            self.told.resize(slot + 1, Tally::default());
        }
        if let Some(told) = self.told.get_mut(slot) {
            told.add(row.forward);
            told.add(row.backward);
        }
    }

    pub(super) fn evict(&mut self, slot: u32, key: Key) {
        let Some(told) = self.told.get_mut(slot as usize).map(std::mem::take) else { return };
        if key.kind() != FlowKind::Flow {
            return;
        }
        if self.evicted.len() < MOST {
            self.evicted.push((told, key));
        } else if let Some(least) = self.evicted.iter_mut().min_by_key(|(told, _)| told.bytes)
            && least.0.bytes < told.bytes
        {
            *least = (told, key);
        }
    }

    /// Together with those still in the table.
    pub(super) fn with<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = (Tally, Key)> + 'a {
        let held = table.entries().zip(&self.told);
        let flows = held.filter(|(entry, told)| entry.key.kind() == FlowKind::Flow && !told.is_zero());
        flows.map(|(entry, told)| (*told, entry.key)).chain(self.evicted.iter().copied())
    }
}

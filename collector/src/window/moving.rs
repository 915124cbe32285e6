//! Which flows of an interface move most now. All are gone through once a window. Between, only those that were told of since
//! the last look, and the fastest of then, can be the fastest: all others have slowed down alike.
use super::lists::fastest;
use super::mirror::{Flow, Mirror};

/// Kept from look to look: more than are shown, since some end.
const KEPT: usize = 256;
/// Flows told of between two looks that are remembered; after more of them all are gone through.
const MOST_TOLD: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct Moving {
    /// Slots and generations of those that were the fastest at the last look.
    fastest: Vec<(u32, u32)>,
    /// Slots of what was told of since.
    told: Vec<u32>,
    /// No other flow has grown since, and no window has ended.
    is_complete: bool,
}

impl Moving {
    /// A flow has grown.
    pub(super) fn told(&mut self, slot: u32) {
        if self.told.len() < MOST_TOLD {
            self.told.push(slot);
        } else {
            self.is_complete = false;
        }
    }

    /// The next look goes through all flows.
    pub(super) fn window_ends(&mut self) {
        self.is_complete = false;
    }

    /// Finds the fastest at a time of the timeline; at least `rows` of them if there are as many.
    pub(super) fn look(&mut self, mirror: &Mirror, now: u64, rows: usize) {
        let still_there = self.fastest.iter().filter(|(slot, generation)| {
            mirror.get(*slot).is_some_and(|flow| flow.generation == *generation)
        });
        let mut slots: Vec<u32> = still_there.map(|(slot, _)| *slot).collect();
        if self.is_complete && slots.len() >= rows {
            slots.append(&mut self.told);
        } else {
            slots = mirror.active.iter().flatten().copied().collect();
        }
        slots.sort_unstable();
        slots.dedup();
        let flows = slots.into_iter().filter_map(|slot| Some((slot, mirror.get(slot)?)));
        let best = fastest(
            flows.filter(|(_, flow)| flow.is_flow()),
            |(_, flow)| &flow.rate,
            now,
            KEPT.max(rows),
            |a, b| Flow::by_total(a.1, b.1),
        );
        self.fastest = best.into_iter().map(|(_, (slot, flow))| (slot, flow.generation)).collect();
        self.told.clear();
        self.is_complete = true;
    }

    /// The fastest of the last look that are still there.
    pub(super) fn fastest<'a>(&'a self, mirror: &'a Mirror) -> impl Iterator<Item = &'a Flow> {
        self.fastest
            .iter()
            .filter_map(|(slot, generation)| mirror.get(*slot).filter(|flow| flow.generation == *generation))
    }
}

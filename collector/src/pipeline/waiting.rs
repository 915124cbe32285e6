//! How much growth waits while others take their turn, by owner: where owners are told, it is said once a second.
use super::Pipeline;
use super::owners::Owners;
use super::row::growth_of;
use crate::flows::record::{FlowDirection, Match, TrafficRecord};
use crate::flows::table::Table;
use crate::flows::waiting::{Waiting, WaitingRecord};

/// Flows that were never told and are looked at in a second: in a flood of them the oldest.
const MOST_NEW: usize = 131_072;

#[derive(Debug, Default)]
pub(super) struct Untold {
    sums: Waiting,
    /// Numbers the seconds.
    second: u32,
    /// By slot, the second in which its growth was added.
    added: Vec<u32>,
    /// A second has ended and its sums were not told.
    is_due: bool,
    /// The sums that were told last are not empty.
    has_told: bool,
}

impl Untold {
    /// All that waits is told or looked at from now on.
    pub(super) fn second_ended(&mut self) {
        self.second = self.second.wrapping_add(1).max(1);
        self.sums.clear();
        self.is_due = true;
    }

    /// All that waits is told.
    pub(super) fn window_ended(&mut self) {
        (self.is_due, self.has_told) = (false, false);
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Adds what waits of a flow; false: it was added before in this second, since a slot may stand among those that wait
    /// more than once.
    fn add(&mut self, slot: u32, table: &Table, marks: &Owners) -> bool {
        let has_mark = marks.of(slot).iter().any(|mark| mark.quality != Match::None);
        let Some(entry) = table.get(slot).filter(|entry| entry.waiting) else { return true };
        if !has_mark && entry.direction != FlowDirection::Forwarded {
            return true; // nobody's: most of a flood that comes in
        }
        let place = slot as usize;
        if self.added.len() <= place {
            self.added.resize(place + 1, 0);
        }
        let Some(added) = self.added.get_mut(place) else { return true };
        let adds = std::mem::replace(added, self.second) != self.second;
        if adds {
            self.sums.add(&growth_of(entry, slot, marks));
        }
        adds
    }
}

impl Pipeline {
    /// A flow goes on waiting; false: that was said before in this second.
    pub(super) fn goes_on_waiting(&mut self, slot: u32) -> bool {
        !self.owners.is_watched() || self.untold.add(slot, &self.table, &self.owners)
    }

    /// The sums of a second that has ended, once all that may be told in it is: None where nothing waits and nothing did.
    pub(super) fn take_waiting(&mut self) -> Option<TrafficRecord> {
        if !self.untold.is_due || !self.telling.is_second_told() {
            return None;
        }
        self.untold.is_due = false;
        for slot in self.telling.new_ones().take(MOST_NEW) {
            self.untold.add(slot, &self.table, &self.owners);
        }
        for (mark, sum) in self.telling.summed_owners() {
            self.untold.sums.add_sum(*mark, sum);
        }
        let record = self.untold.sums.take();
        let is_empty = record == WaitingRecord::default();
        let had_told = std::mem::replace(&mut self.untold.has_told, !is_empty);
        (!is_empty || had_told).then_some(TrafficRecord::Waiting(record))
    }
}

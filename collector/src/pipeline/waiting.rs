//! How much growth waits while others take their turn, by owner: where owners are told, it is said once a second.
use super::owners::Owners;
use super::row::growth_of;
use super::{Mode, Pipeline};
use crate::flows::record::{FlowDirection, Match, TrafficRecord};
use crate::flows::table::Table;
use crate::flows::waiting::{Waiting, WaitingRecord};

/// Flows that wait and are looked at when a second has ended; in a flood the oldest of those that were never told.
const MOST_LOOKED_AT: usize = 131_072;
/// No more flows than these are told within moments of their window's end.
const MOST_AT_ONCE: usize = 2_048;

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
    /// Those of a window's end, before its rows are told.
    of_window: Option<WaitingRecord>,
}

impl Untold {
    /// All that waits is told or looked at from now on.
    pub(super) fn second_ended(&mut self) {
        self.begin_second();
        self.is_due = true;
    }

    fn begin_second(&mut self) {
        self.second = self.second.wrapping_add(1).max(1);
        self.sums.clear();
    }

    pub(super) fn has_news(&self) -> bool {
        self.is_due || self.of_window.is_some()
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
        match (adds, has_mark) {
            (true, true) => self.sums.add(&growth_of(entry, slot, marks)),
            (true, false) => self.sums.add_passing(&entry.growth()),
            (false, _) => {}
        }
        adds
    }
}

impl Pipeline {
    /// A flow goes on waiting; false: that was said before in this second.
    pub(super) fn goes_on_waiting(&mut self, slot: u32) -> bool {
        !self.owners.is_watched() || self.untold.add(slot, &self.table, &self.owners)
    }

    /// The open window ends, and all that waits will be told; since that takes its time the sums are told before. What comes
    /// to its flows from now on counts in the next one.
    pub(super) fn sum_up_window(&mut self) {
        let (waiting, slots) = self.telling.waiting();
        let is_slow = self.untold.has_told || waiting > MOST_AT_ONCE;
        (self.untold.is_due, self.untold.has_told, self.untold.of_window) = (false, false, None);
        if !is_slow
            || !self.owners.is_watched()
            || self.settings.mode == Mode::File
            || self.telling.has_ended()
        {
            return;
        }
        self.untold.begin_second();
        for slot in slots.take(MOST_LOOKED_AT) {
            self.untold.add(*slot, &self.table, &self.owners);
        }
        self.untold.of_window = Some(self.take_sums());
    }

    /// The sums of a second that has ended, once all that may be told in it is: None where nothing waits and nothing did.
    pub(super) fn take_waiting(&mut self) -> Option<TrafficRecord> {
        if let Some(record) = self.untold.of_window.take() {
            return Some(TrafficRecord::Waiting(record));
        }
        if !self.untold.is_due || !self.telling.is_second_told() {
            return None;
        }
        self.untold.is_due = false;
        for slot in self.telling.new_ones().take(MOST_LOOKED_AT) {
            self.untold.add(slot, &self.table, &self.owners);
        }
        let record = self.take_sums();
        let is_empty = record == WaitingRecord::default();
        let had_told = std::mem::replace(&mut self.untold.has_told, !is_empty);
        (!is_empty || had_told).then_some(TrafficRecord::Waiting(record))
    }

    /// Of the flows that were added, and of those that wait as sums and not as rows.
    fn take_sums(&mut self) -> WaitingRecord {
        for (mark, sum) in self.telling.summed_owners() {
            self.untold.sums.add_sum(*mark, sum);
        }
        self.untold.sums.take()
    }
}

//! Who holds the sockets of a flow, as the worker's event source says: kept beside the table, since most flows change
//! their owner never and without a source none has one.
use super::Pipeline;
use crate::flows::key::Key;
use crate::flows::record::{Match, OwnerMark};

/// Introduced flows that wait to be asked for; what is over is not asked for and stays without an owner.
const MOST_NEW: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Owners {
    watched: bool,
    /// By slot: the owner at the key's low end, and at its high end.
    marks: Vec<[OwnerMark; 2]>,
    /// By slot, whether this interface sends what the low end has sent, by the flow's first packet.
    sends_of_low: Vec<bool>,
    new: Vec<u32>,
}

impl Owners {
    pub(super) fn is_watched(&self) -> bool {
        self.watched
    }

    #[inline]
    pub(super) fn introduced(&mut self, slot: u32) {
        if self.watched {
            self.begin(slot);
        }
    }

    fn begin(&mut self, slot: u32) {
        let place = slot as usize;
        if self.marks.len() <= place {
            self.marks.resize(place + 1, [OwnerMark::default(); 2]);
            self.sends_of_low.resize(place + 1, false);
        }
        if let Some(marks) = self.marks.get_mut(place) {
            *marks = [OwnerMark::default(); 2];
        }
        if self.new.len() < MOST_NEW {
            self.new.push(slot);
        }
    }

    /// Whether this interface sent a new flow's first packet, and whether that was the low end's.
    pub(super) fn began(&mut self, slot: u32, sent: bool, from_low: bool) {
        if let Some(sends_of_low) = self.sends_of_low.get_mut(slot as usize) {
            *sends_of_low = sent == from_low;
        }
    }

    /// Whether this interface sends what the initiator has sent.
    pub(super) fn sends_of_initiator(&self, slot: u32, from_low: bool) -> Option<bool> {
        self.sends_of_low.get(slot as usize).map(|sends_of_low| *sends_of_low == from_low)
    }

    /// At the key's low and high end.
    pub(super) fn of(&self, slot: u32) -> [OwnerMark; 2] {
        self.marks.get(slot as usize).copied().unwrap_or_default()
    }
}

impl Pipeline {
    /// From now on `take_new_flows` lists what is introduced.
    pub fn watch_new_flows(&mut self) {
        self.owners.watched = true;
    }

    /// Slots that a flow was introduced in since the last call.
    pub fn take_new_flows(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.owners.new)
    }

    /// The key of the flow that a slot holds.
    pub fn key_of(&self, slot: u32) -> Option<Key> {
        self.table.get(slot).map(|entry| entry.key).filter(|key| *key != Key::FREE)
    }

    /// Whether the low and the high end of the flow that a slot holds are this machine's.
    pub fn here(&self, slot: u32) -> [bool; 2] {
        let Some(entry) = self.table.get(slot) else { return [false; 2] };
        let [initiator, responder] = entry.direction.here();
        if entry.from_low { [initiator, responder] } else { [responder, initiator] }
    }

    /// The time of the first packet of the flow that a slot holds.
    pub fn begun(&self, slot: u32) -> Option<u64> {
        self.table.get(slot).map(|entry| entry.first_seen)
    }

    pub fn find_flow(&self, key: &Key) -> Option<u32> {
        self.table.find(key, self.table.hash(key))
    }

    /// Tells a slot's flow from those that had the slot before.
    pub fn generation(&self, slot: u32) -> Option<u32> {
        self.table.get(slot).map(|entry| entry.generation)
    }

    /// Who holds the socket at the low, or the high, end of a flow, of all packets after this. Growth that waits to be told
    /// goes with the owner before, where there was one; else it goes with this one.
    pub fn set_owner(&mut self, slot: u32, low: bool, mark: OwnerMark) {
        let Some(marks) = self.owners.marks.get(slot as usize) else { return };
        let [at_low, at_high] = *marks;
        let before = if low { at_low } else { at_high };
        if before == mark {
            return;
        }
        if before.owner != 0 && before.owner != mark.owner && self.waits(slot) {
            self.spill(slot, false);
        }
        if before.quality == Match::None {
            self.tell_again(slot);
        }
        if let Some(marks) = self.owners.marks.get_mut(slot as usize) {
            *marks = if low { [mark, at_high] } else { [at_low, mark] };
        }
    }

    /// The owner at the low, or the high, end of a flow.
    pub fn owner(&self, slot: u32, low: bool) -> OwnerMark {
        let [at_low, at_high] = self.owners.of(slot);
        if low { at_low } else { at_high }
    }

    /// What was told of the flow was nobody's; a row without growth says whose it is.
    fn tell_again(&mut self, slot: u32) {
        let window = self.window;
        if let Some(entry) = self.table.get_mut(slot)
            && entry.introduced
        {
            if !entry.waiting {
                entry.waiting = true;
                entry.window = window;
            }
            self.telling.waits_first(slot, entry);
        }
    }

    fn waits(&self, slot: u32) -> bool {
        self.table.get(slot).is_some_and(|entry| entry.waiting)
    }
}

//! Growth that waits to be told, by owner: so much live figures are ahead of what was told. Of very many flows only some are
//! told each second, and what an owner moves is known all the same.
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::owned::{self, PASSING};
use super::record::{Match, OwnerMark, Tally};
use super::sums::{Growth, OwnerSum};
use super::table;

/// Owners that are summed of; what is over is left out, and that is said.
const MOST_OWNERS: usize = 4_096;
/// Of them the largest are told: of 47 bytes each at most.
const MOST_TOLD: usize = 1_024;

/// One owner's part, as its sockets have received and sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingSum {
    pub received: Tally,
    pub sent: Tally,
}

/// Replaces the one before; that of a window ends with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRecord {
    pub owners: Vec<(OwnerMark, WaitingSum)>,
    /// There were more owners.
    pub leaves_out: bool,
}

impl From<&OwnerSum> for WaitingSum {
    fn from(sum: &OwnerSum) -> Self {
        Self { received: sum.received, sent: sum.sent }
    }
}

impl WaitingSum {
    fn add(&mut self, other: Self) {
        self.received.add(other.received);
        self.sent.add(other.sent);
    }

    fn bytes(&self) -> u64 {
        self.received.bytes.saturating_add(self.sent.bytes)
    }
}

/// The sums of a second.
#[derive(Debug, Default)]
pub struct Waiting {
    owners: HashMap<OwnerMark, WaitingSum>,
    /// The last at either end since another's: mostly they are the same.
    last: [(OwnerMark, WaitingSum); 2],
    leaves_out: bool,
}

impl Waiting {
    pub fn add(&mut self, growth: &Growth) {
        for (place, (mark, sum)) in growth.owned().into_iter().flatten().enumerate() {
            self.add_to(place, mark, WaitingSum::from(&sum));
        }
    }

    /// Of a flow that passes through and whose no owner is known.
    pub fn add_passing(&mut self, growth: &table::Growth) {
        let received = owned::received(growth.forward, growth.backward, growth.sent);
        self.add_to(0, PASSING, WaitingSum { received, sent: growth.sent });
    }

    /// What was summed up already.
    pub fn add_sum(&mut self, mark: OwnerMark, sum: &OwnerSum) {
        self.add_to(0, mark, sum.into());
    }

    /// What nobody is known for is left out.
    fn add_to(&mut self, place: usize, mark: OwnerMark, sum: WaitingSum) {
        let Some(last) = self.last.get_mut(place).filter(|_| mark.quality != Match::None) else { return };
        if last.0 == mark {
            last.1.add(sum);
        } else {
            let before = std::mem::replace(last, (mark, sum));
            self.keep(before);
        }
    }

    fn keep(&mut self, (mark, sum): (OwnerMark, WaitingSum)) {
        if sum == WaitingSum::default() {
            return;
        }
        if self.owners.len() < MOST_OWNERS || self.owners.contains_key(&mark) {
            self.owners.entry(mark).or_default().add(sum);
        } else {
            self.leaves_out = true;
        }
    }

    /// The sums since the last call.
    pub fn take(&mut self) -> WaitingRecord {
        std::mem::take(&mut self.last).into_iter().for_each(|last| self.keep(last));
        let mut owners: Vec<_> = self.owners.drain().collect();
        let mut leaves_out = std::mem::take(&mut self.leaves_out);
        if owners.len() > MOST_TOLD {
            owners.select_nth_unstable_by_key(MOST_TOLD, |(_, sum)| std::cmp::Reverse(sum.bytes()));
            owners.truncate(MOST_TOLD);
            leaves_out = true;
        }
        WaitingRecord { owners, leaves_out }
    }

    pub fn clear(&mut self) {
        self.owners.clear();
        self.last = Default::default();
        self.leaves_out = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(packets: u64) -> OwnerSum {
        let tally = Tally { packets, bytes: packets };
        OwnerSum { received: tally, sent: tally, ..OwnerSum::default() }
    }

    fn mark(owner: u32) -> OwnerMark {
        OwnerMark { owner, quality: Match::Exact, passes: false }
    }

    #[test]
    fn owners_are_summed_in_any_order_and_what_nobody_is_known_for_is_left_out() {
        let mut waiting = Waiting::default();
        for owner in [7, 7, 8, 7, 9, 8] {
            waiting.add_sum(mark(owner), &sum(10));
            waiting.add_sum(OwnerMark::default(), &sum(1));
        }
        let mut told = waiting.take();
        told.owners.sort_by_key(|(mark, _)| mark.owner);
        let told: Vec<_> = told.owners.iter().map(|(mark, sum)| (mark.owner, sum.sent.packets)).collect();
        assert_eq!(told, [(7, 30), (8, 20), (9, 10)]);
        assert_eq!(waiting.take(), WaitingRecord::default());
    }

    #[test]
    fn of_too_many_owners_the_largest_are_told_in_one_message_and_it_is_said() {
        let mut waiting = Waiting::default();
        for owner in 0..6_000 {
            waiting.add_sum(mark(u32::MAX - owner), &sum(u64::MAX - 6_000 + u64::from(owner % 2_000)));
        }
        let record = waiting.take();
        assert!(record.leaves_out && record.owners.len() == MOST_TOLD);
        assert!(postcard::to_stdvec(&record).unwrap().len() < 60_000);
        assert!(!waiting.take().leaves_out);
    }
}

//! Something kept for each address, bounded.
use std::net::IpAddr;

use crate::flows::index::Index;
use crate::flows::key::{fold, number, numbered, word};
use crate::flows::record::Tally;

/// What one address sent and received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides {
    pub sent: Tally,
    pub received: Tally,
}

/// Addresses and their traffic.
pub type Addresses = ByAddress<Sides>;

#[derive(Clone, Copy, Debug)]
pub struct Row<V> {
    /// The address's, see `key::number`.
    number: u128,
    pub value: V,
    used: bool,
}

impl<V> Row<V> {
    pub fn address(&self) -> IpAddr {
        numbered(self.number)
    }
}

/// A value for each address; past the bound one that was not used for longest makes room.
#[derive(Debug)]
pub struct ByAddress<V> {
    index: Index,
    rows: Vec<Row<V>>,
    most: usize,
    hand: usize,
    seed: [u64; 2],
    seen: u64,
    evicted: u64,
}

const MOST_CHANCES: usize = 8;

impl Addresses {
    /// A flow's growth in both directions, to both its ends.
    #[inline]
    pub fn flow(&mut self, initiator: IpAddr, responder: IpAddr, forward: Tally, backward: Tally) {
        if forward.is_zero() && backward.is_zero() {
            return;
        }
        self.grow(initiator, Sides { sent: forward, received: backward });
        self.grow(responder, Sides { sent: backward, received: forward });
    }

    /// What an address sent and received.
    pub fn add(&mut self, address: IpAddr, sent: Tally, received: Tally) {
        self.grow(address, Sides { sent, received });
    }

    #[inline]
    fn grow(&mut self, address: IpAddr, grown: Sides) {
        if let Some(sides) = self.value(address) {
            sides.sent.add(grown.sent);
            sides.received.add(grown.received);
        }
    }
}

impl<V: Default> ByAddress<V> {
    pub fn new(most: usize, seed: [u64; 2]) -> Self {
        let most = most.clamp(1, u32::MAX as usize);
        Self { index: Index::default(), rows: Vec::new(), most, hand: 0, seed, seen: 0, evicted: 0 }
    }

    /// Distinct addresses; one that was evicted and comes back counts again.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    pub fn rows(&self) -> &[Row<V>] {
        &self.rows
    }

    pub fn clear(&mut self) {
        self.index.clear();
        self.rows.clear();
        (self.hand, self.seen, self.evicted) = (0, 0, 0);
    }

    /// The address's value, new where it is not known. (Never None: the type spares a panic.)
    #[inline]
    pub fn value(&mut self, address: IpAddr) -> Option<&mut V> {
        self.value_near(number(&address), &mut 0)
    }

    /// The same of an address's number; `near` is where the last one was, for whoever asks for the same address again and
    /// again.
    #[inline]
    pub(crate) fn value_near(&mut self, number: u128, near: &mut u32) -> Option<&mut V> {
        let is_near = self.rows.get(*near as usize).is_some_and(|row| row.number == number);
        let mut is_known = is_near;
        if !is_near {
            let hash = hash(number, self.seed);
            let rows = &self.rows;
            let same = |slot: u32| rows.get(slot as usize).is_some_and(|row| row.number == number);
            let found = self.index.find(hash, same);
            is_known = found.is_some();
            *near = found.unwrap_or_else(|| self.insert(number, hash));
        }
        let row = self.rows.get_mut(*near as usize)?;
        row.used |= is_known;
        Some(&mut row.value)
    }

    /// The value in a row: another address's than before where that made room.
    pub(crate) fn value_at(&mut self, row: u32) -> Option<&mut V> {
        self.rows.get_mut(row as usize).map(|row| &mut row.value)
    }

    fn insert(&mut self, number: u128, hash_of_number: u64) -> u32 {
        self.seen += 1;
        let row = Row { number, value: V::default(), used: false };
        let slot = if self.rows.len() < self.most {
            self.rows.push(row);
            self.rows.len() - 1
        } else {
            self.evict(row)
        };
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        let (rows, seed) = (&self.rows, self.seed);
        self.index.insert(hash_of_number, slot, |slot| {
            rows.get(slot as usize).map_or(0, |row| hash(row.number, seed))
        });
        slot
    }

    fn evict(&mut self, row: Row<V>) -> usize {
        for _ in 0..MOST_CHANCES {
            match self.rows.get_mut(self.hand) {
                Some(old) if old.used => old.used = false,
                _ => break,
            }
            self.step();
        }
        let slot = self.hand;
        self.step();
        self.evicted += 1;
        if let (Some(old), Ok(slot)) = (self.rows.get_mut(slot), u32::try_from(slot)) {
            self.index.remove(hash(old.number, self.seed), slot);
            *old = row;
        }
        slot
    }

    fn step(&mut self) {
        self.hand = if self.hand + 1 < self.most { self.hand + 1 } else { 0 };
    }
}

/// Keyed: whoever sends packets chooses the addresses.
#[inline]
fn hash(number: u128, seed: [u64; 2]) -> u64 {
    let [seed_0, seed_1] = seed;
    let (low, high) = (word(number), word(number >> 64));
    let first = fold(low ^ seed_0, high ^ seed_1);
    fold(first ^ seed_1, (0xa076_1d64_78bd_642f ^ seed_0) | 1)
}

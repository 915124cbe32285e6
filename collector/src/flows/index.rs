//! Finds the slot of a key by its hash: twelve places in each line of 64 bytes, so that a look-up waits for memory once.
//! What finds its line full goes to the next ones, which the full lines count, so nothing is left behind when it goes.

/// Places in a line.
const PLACES: usize = 12;
/// Slots a line on average before there are twice as many lines.
const MOST_A_LINE: usize = 8;
const NO_TAG: u8 = 0;

/// One cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line {
    /// Of each place eight bits of the hash, never `NO_TAG` where there is a slot.
    tags: [u8; PLACES],
    /// How many that belong here, or came by, are in lines behind.
    passed: u32,
    slots: [u32; PLACES],
}

const _: () = assert!(size_of::<Line>() == 64);

impl Line {
    const EMPTY: Self = Self { tags: [NO_TAG; PLACES], passed: 0, slots: [u32::MAX; PLACES] };

    /// The places with this tag; after the first there may be others among them, which `find` would have to tell apart
    /// anyway.
    #[inline]
    fn with_tag(&self, tag: u8) -> impl Iterator<Item = usize> + use<> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.tags;
        let wanted = LOWEST * u64::from(tag);
        let first = zero_bytes(wanted ^ u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        let others = zero_bytes(wanted ^ u64::from(u32::from_le_bytes([i, j, k, l]))) & u64::from(u32::MAX);
        // the first eight places at the highest bits of their bytes, the others at the bits below
        let mut bits = first | others >> 1;
        std::iter::from_fn(move || {
            let bit = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            (bit < 64).then_some(if bit % 8 == 7 { bit / 8 } else { 8 + bit / 8 })
        })
    }

    #[inline]
    fn slot(&self, place: usize) -> u32 {
        self.slots.get(place).copied().unwrap_or(u32::MAX)
    }

    fn set(&mut self, place: usize, tag: u8, slot: u32) {
        if let (Some(tags), Some(slots)) = (self.tags.get_mut(place), self.slots.get_mut(place)) {
            (*tags, *slots) = (tag, slot);
        }
    }
}

/// Slots by hash. Whoever holds the slots says which key is in one.
#[derive(Debug)]
pub struct Index {
    /// A power of two of them.
    lines: Vec<Line>,
    length: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self { lines: vec![Line::EMPTY], length: 0 }
    }
}

#[inline]
const fn tag(hash: u64) -> u8 {
    let [.., highest] = hash.to_le_bytes();
    if highest == NO_TAG { 1 } else { highest }
}

/// One in each byte.
const LOWEST: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each byte that is zero; above the first of these of others too.
#[inline]
const fn zero_bytes(bytes: u64) -> u64 {
    bytes.wrapping_sub(LOWEST) & !bytes & (LOWEST << 7)
}

impl Index {
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn clear(&mut self) {
        self.lines.fill(Line::EMPTY);
        self.length = 0;
    }

    /// Where a hash belongs.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        usize::try_from(hash & self.mask()).unwrap_or(0)
    }

    #[inline]
    fn mask(&self) -> u64 {
        (self.lines.len() as u64).wrapping_sub(1)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 < self.lines.len() { at + 1 } else { 0 }
    }

    /// Has the line of a hash fetched, so that later look-ups need not wait for it: meant to be called for several hashes
    /// in a row, whose lines then come at the same time.
    #[inline]
    pub fn fetch(&self, hash: u64) {
        std::hint::black_box(self.lines.get(self.home(hash)).map(|line| line.passed));
    }

    /// A slot with this hash that `is_it`.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        for _ in 0..self.lines.len() {
            let line = self.lines.get(at)?;
            for place in line.with_tag(tag(hash)) {
                let slot = line.slot(place);
                if is_it(slot) {
                    return Some(slot);
                }
            }
            if line.passed == 0 {
                return None;
            }
            at = self.next(at);
        }
        None
    }

    /// Adds a slot that is not there; `hash_of` is asked for the hashes of all others when there have to be more lines.
    pub fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        if self.length >= self.lines.len() * MOST_A_LINE {
            self.grow(hash_of);
        }
        self.place(hash, slot);
        self.length += 1;
    }

    fn place(&mut self, hash: u64, slot: u32) {
        let mut at = self.home(hash);
        for _ in 0..self.lines.len() {
            let next = self.next(at);
            let Some(line) = self.lines.get_mut(at) else { return };
            if let Some(place) = line.with_tag(NO_TAG).next() {
                return line.set(place, tag(hash), slot);
            }
            line.passed += 1;
            at = next;
        }
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let more = vec![Line::EMPTY; self.lines.len() * 2];
        let lines = std::mem::replace(&mut self.lines, more);
        for line in lines {
            let taken = line.tags.into_iter().zip(line.slots).filter(|(tag, _)| *tag != NO_TAG);
            taken.for_each(|(_, slot)| self.place(hash_of(slot), slot));
        }
    }

    /// Takes a slot out; says whether it was there.
    pub fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let home = self.home(hash);
        let mut at = home;
        for _ in 0..self.lines.len() {
            let next = self.next(at);
            let Some(line) = self.lines.get_mut(at) else { return false };
            let found = line.with_tag(tag(hash)).find(|place| line.slot(*place) == slot);
            if let Some(place) = found {
                line.set(place, NO_TAG, u32::MAX);
                self.length -= 1;
                self.has_gone(home, at);
                return true;
            }
            if line.passed == 0 {
                return false;
            }
            at = next;
        }
        false
    }

    /// One that belonged to the line `home` has left the line `last`.
    fn has_gone(&mut self, home: usize, last: usize) {
        let mut at = home;
        while at != last {
            let next = self.next(at);
            if let Some(line) = self.lines.get_mut(at) {
                line.passed = line.passed.saturating_sub(1);
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::HashMap;

    use super::*;

    /// Few distinct hashes, so that lines overflow.
    fn hash(slot: u32, homes: u64) -> u64 {
        ((u64::from(slot) % homes) << 56) | (u64::from(slot) % homes)
    }

    proptest! {
        #[test]
        fn finds_what_a_map_finds(
            homes in 1u64..200,
            steps in prop::collection::vec((any::<bool>(), 0u32..400), 0..1_500),
        ) {
            let mut index = Index::default();
            let mut slots = HashMap::new();
            for (add, slot) in steps {
                let hash_of = |slot: u32| hash(slot, homes);
                if add && slots.insert(slot, ()).is_none() {
                    index.insert(hash_of(slot), slot, hash_of);
                } else if !add {
                    prop_assert_eq!(index.remove(hash_of(slot), slot), slots.remove(&slot).is_some());
                }
                prop_assert_eq!(index.len(), slots.len());
            }
            for slot in 0..400 {
                let found = index.find(hash(slot, homes), |other| other == slot);
                prop_assert_eq!(found, slots.contains_key(&slot).then_some(slot));
            }
            for slot in slots.keys() {
                index.remove(hash(*slot, homes), *slot);
            }
            let is_clean = |line: &Line| line.passed == 0 && line.tags == [NO_TAG; PLACES];
            prop_assert!(index.lines.iter().all(is_clean));
        }
    }

    #[test]
    fn lines_hold_eight_of_random_keys_and_few_of_them_pass_one() {
        let mut index = Index::default();
        let hash = |slot: u32| u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        (0..65_536).for_each(|slot| index.insert(hash(slot), slot, hash));
        let passed = index.lines.iter().filter(|line| line.passed > 0).count();
        assert_eq!(index.lines.len(), 8_192);
        assert!(passed < index.lines.len() / 4, "{passed} lines were passed");
    }
}

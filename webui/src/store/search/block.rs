//! What stands in the ranked rows of up to 64 spans of one interface, in a few kilobytes: for each text, owner, protocol
//! and port the spans that have it.
//!
//! The bytes are numbers in LEB128: how many starts, the first and the differences between them; then for each section how
//! many members, and for each in rising order the difference to the one before and its spans. These are a byte below 64
//! for a single one, 64 and their number before a byte for each of a few, or 255 before the 64 bits of many.
use std::collections::BTreeMap;

/// Spans of a block, as many as a set of them has bits.
pub(super) const MOST_SPANS: usize = 64;
/// More spans than these are stored as bits.
const FEW: u32 = 8;
const SINGLE: u8 = 64;
const BITS: u8 = 255;

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Term = 0,
    Owner = 1,
    Protocol = 2,
    Port = 3,
}

const SECTIONS: usize = 4;

/// A block under construction. Spans beyond the 64th are not taken.
#[derive(Debug, Default)]
pub(super) struct Block {
    starts: Vec<i64>,
    members: [BTreeMap<u64, u64>; SECTIONS],
}

impl Block {
    /// `starts` in rising order, each once.
    pub(super) fn new(starts: &[i64]) -> Self {
        Self { starts: starts.iter().copied().take(MOST_SPANS).collect(), ..Self::default() }
    }

    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        Some((*self.starts.first()?, *self.starts.last()?))
    }

    /// Notes that the span at `start` has `number` in a section; what is no number of anything is left out.
    pub(super) fn add(&mut self, start: i64, section: Section, number: Option<i64>) {
        let Some(number) = number.and_then(|number| u64::try_from(number).ok()) else { return };
        let (Ok(place), Some(members)) =
            (self.starts.binary_search(&start), self.members.get_mut(section as usize))
        else {
            return;
        };
        *members.entry(number).or_default() |= 1 << place;
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, self.starts.len() as u64);
        let mut before = 0;
        for &start in &self.starts {
            write(&mut bytes, start.wrapping_sub(before).cast_unsigned());
            before = start;
        }
        for members in &self.members {
            write(&mut bytes, members.len() as u64);
            let mut before = 0;
            for (&number, &spans) in members {
                write(&mut bytes, number.wrapping_sub(before));
                write_spans(&mut bytes, spans);
                before = number;
            }
        }
        bytes
    }
}

/// The numbers that a search is for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    sets: [Vec<u64>; SECTIONS],
}

impl Wanted {
    pub(super) fn add(&mut self, section: Section, number: i64) {
        let (Some(set), Ok(number)) = (self.sets.get_mut(section as usize), usize::try_from(number)) else {
            return;
        };
        let (word, bit) = (number / 64, number % 64);
        if set.len() <= word {
            set.resize(word + 1, 0);
        }
        if let Some(bits) = set.get_mut(word) {
            *bits |= 1 << bit;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.iter().all(Vec::is_empty)
    }
}

/// Starts of the spans in a block that have a wanted number; None where the bytes are no block.
pub(super) fn matching(mut bytes: &[u8], wanted: &Wanted) -> Option<Vec<i64>> {
    let count = usize::try_from(read(&mut bytes)?).ok().filter(|&count| count <= MOST_SPANS)?;
    let mut starts = Vec::with_capacity(count);
    let mut start: i64 = 0;
    for _ in 0..count {
        start = start.wrapping_add(read(&mut bytes)?.cast_signed());
        starts.push(start);
    }
    let mut matching = 0;
    for set in &wanted.sets {
        let mut number: u64 = 0;
        for _ in 0..read(&mut bytes)? {
            number = number.wrapping_add(read(&mut bytes)?);
            let spans = read_spans(&mut bytes)?;
            let bits = usize::try_from(number / 64).ok().and_then(|word| set.get(word));
            if bits.is_some_and(|bits| bits >> (number % 64) & 1 == 1) {
                matching |= spans;
            }
        }
    }
    starts.reverse();
    let mut place = count;
    starts.retain(|_| {
        place = place.saturating_sub(1);
        matching >> place & 1 == 1
    });
    Some(starts)
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low & 0x7f);
        }
        bytes.push(low | 0x80);
    }
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn places(spans: u64) -> impl Iterator<Item = u8> {
    (0..SINGLE).filter(move |&place| spans >> place & 1 == 1)
}

fn write_spans(bytes: &mut Vec<u8>, spans: u64) {
    match spans.count_ones() {
        1 => bytes.extend(places(spans)),
        few @ 2..=FEW => {
            bytes.extend(u8::try_from(few).ok().map(|few| SINGLE + few));
            bytes.extend(places(spans));
        }
        _ => {
            bytes.push(BITS);
            bytes.extend(spans.to_le_bytes());
        }
    }
}

fn read_spans(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    match first {
        BITS => {
            let (bits, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(u64::from_le_bytes(*bits))
        }
        0..SINGLE => Some(1 << first),
        few => {
            let (places, rest) = bytes.split_at_checked(usize::from(few - SINGLE))?;
            *bytes = rest;
            places.iter().try_fold(0, |spans, &place| Some(spans | 1_u64.checked_shl(place.into())?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(numbers: &[(Section, i64)]) -> Wanted {
        let mut wanted = Wanted::default();
        for &(section, number) in numbers {
            wanted.add(section, number);
        }
        wanted
    }

    #[test]
    fn a_block_gives_back_every_span_of_every_number_newest_first() {
        let starts: Vec<i64> = (0..64).map(|place| 1_772_000_000_000 + place * 10_000).collect();
        let mut block = Block::new(&starts);
        // number n is in every n-th span: from all of them down to the first alone
        for number in 1..=70_i64 {
            for (place, &start) in starts.iter().enumerate() {
                if i64::try_from(place).unwrap() % number == 0 {
                    block.add(start, Section::Term, Some(number * number * 1_000));
                }
            }
        }
        let bytes = block.bytes();
        for number in 1..=70_i64 {
            let found = matching(&bytes, &wanted(&[(Section::Term, number * number * 1_000)])).unwrap();
            let every = usize::try_from(number).unwrap();
            let mut expected: Vec<i64> = starts.iter().copied().step_by(every).collect();
            expected.reverse();
            assert_eq!(found, expected, "{number}");
        }
        assert!(matching(&bytes, &wanted(&[(Section::Term, 999)])).unwrap().is_empty());
        assert!(matching(&bytes, &wanted(&[(Section::Owner, 1_000)])).unwrap().is_empty());
    }

    #[test]
    fn sections_are_apart_and_their_spans_are_put_together() {
        let mut block = Block::new(&[10, 20, 30]);
        block.add(10, Section::Port, Some(443));
        block.add(20, Section::Protocol, Some(6));
        block.add(30, Section::Owner, Some(6));
        block.add(30, Section::Term, None);
        block.add(99, Section::Term, Some(1));
        let bytes = block.bytes();
        let found = |numbers: &[(Section, i64)]| matching(&bytes, &wanted(numbers)).unwrap();
        assert_eq!(found(&[(Section::Protocol, 6)]), [20]);
        assert_eq!(found(&[(Section::Port, 443), (Section::Owner, 6), (Section::Term, 1)]), [30, 10]);
        assert_eq!(block.bounds(), Some((10, 30)));
    }

    #[test]
    fn bytes_that_break_off_are_no_block() {
        let mut block = Block::new(&[10, 20, 30]);
        for number in 1..300 {
            block.add(10 + number % 3 * 10, Section::Term, Some(number / 3));
        }
        let bytes = block.bytes();
        let wanted = wanted(&[(Section::Term, 1)]);
        assert!(matching(&bytes, &wanted).is_some());
        for length in 0..bytes.len() {
            assert_eq!(matching(&bytes[..length], &wanted), None, "{length}");
        }
    }
}

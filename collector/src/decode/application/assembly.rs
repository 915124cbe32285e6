//! The beginning of a stream put together from pieces that may come in any order, twice, or overlapping.

/// More than the longest hello in use (post-quantum key shares included), less than what a flood could make us keep.
pub const LONGEST: usize = 16_384;
/// Browsers cut a QUIC hello into a dozen frames for each of its datagrams, and shuffle them.
const MOST_PIECES: u8 = 64;

/// Bytes from the stream's beginning, and ranges beyond the first gap.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
    whole: usize,
    beyond: Vec<(usize, usize)>,
    pieces: u8,
}

impl Assembly {
    /// Adds a piece; false when it cannot become whole any more. What was there without a gap stays as it was, and costs no
    /// piece.
    pub fn add(&mut self, at: usize, piece: &[u8]) -> bool {
        let end = at.saturating_add(piece.len()).min(LONGEST);
        if end <= self.whole && at < LONGEST {
            return true;
        }
        self.pieces = self.pieces.saturating_add(1);
        if self.pieces > MOST_PIECES || at >= LONGEST {
            return false;
        }
        self.put(at, end, piece);
        true
    }

    /// Adds a piece that leaves no gap, for readers who look at nothing but the beginning: it costs no piece. False when it
    /// is too long.
    pub fn follow(&mut self, at: usize, piece: &[u8]) -> bool {
        let end = at.saturating_add(piece.len()).min(LONGEST);
        if end > self.whole {
            self.put(at, end, piece);
        }
        at < LONGEST
    }

    fn put(&mut self, at: usize, end: usize, piece: &[u8]) {
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let (Some(place), Some(piece)) = (self.bytes.get_mut(at..end), piece.get(..end - at)) {
            place.copy_from_slice(piece);
        }
        self.beyond.push((at, end));
        self.beyond.sort_unstable();
        self.join();
    }

    /// Ranges that no gap divides from the beginning are part of it.
    fn join(&mut self) {
        while let Some(&(from, to)) = self.beyond.first()
            && from <= self.whole
        {
            self.whole = self.whole.max(to);
            self.beyond.remove(0);
        }
    }

    /// Forgets bytes from the beginning, which are read: what follows them is the beginning now.
    pub fn advance(&mut self, bytes: usize) {
        self.bytes.drain(..bytes.min(self.bytes.len()));
        self.whole = self.whole.saturating_sub(bytes);
        for (from, to) in &mut self.beyond {
            *from = from.saturating_sub(bytes);
            *to = to.saturating_sub(bytes);
        }
        self.join();
        self.pieces = u8::try_from(self.beyond.len()).unwrap_or(MOST_PIECES);
    }

    /// Nothing is there, before a gap or beyond.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is there without a gap.
    pub fn start(&self) -> &[u8] {
        self.bytes.get(..self.whole).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_the_same_start() {
        let text = b"the beginning of a stream";
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut assembly = Assembly::default();
            for part in order {
                let at = part * 6;
                assert!(assembly.add(at, &text[at..(at + 8).min(text.len())]));
            }
            assert_eq!(assembly.start(), text);
        }
    }

    #[test]
    fn a_start_cut_into_dozens_of_pieces_becomes_whole_in_the_worst_order() {
        let mut assembly = Assembly::default();
        for at in (0..60).rev() {
            assert_eq!(assembly.start(), b"");
            assert!(assembly.add(at * 3, b"abc"));
        }
        assert_eq!(assembly.start(), b"abc".repeat(60));
    }

    #[test]
    fn pieces_without_end_are_refused() {
        let mut assembly = Assembly::default();
        let taken = (0..1000).filter(|at| assembly.add(2 * at, b"x")).count();
        assert_eq!((taken, assembly.beyond.len() < 64), (64, true));
    }

    #[test]
    fn what_is_read_makes_room_for_what_follows() {
        let mut assembly = Assembly::default();
        assert!(assembly.add(6, b"gh") && assembly.add(0, b"abcd"));
        assembly.advance(3);
        assert_eq!(assembly.start(), b"d");
        assert!(assembly.add(1, b"ef"));
        assert_eq!(assembly.start(), b"defgh");
        assembly.advance(5);
        assert!(assembly.is_empty());
        for _ in 0..10 * LONGEST / 1_000 {
            assert!(assembly.add(0, &[7; 1_000]));
            assembly.advance(1_000);
        }
    }

    #[test]
    fn what_follows_may_come_byte_by_byte() {
        let mut assembly = Assembly::default();
        assert!(assembly.add(1_001, b"z"));
        assert!((0..1_000).all(|at| assembly.follow(at, b"a")) && assembly.follow(990, b"aaaaaaaaaab"));
        assert_eq!(assembly.start(), [&[b'a'; 1_000][..], b"bz"].concat());
        assert!(assembly.follow(LONGEST - 1, b"xyz") && !assembly.follow(LONGEST, b"x"));
        assert!(assembly.bytes.len() <= LONGEST);
    }

    #[test]
    fn what_comes_again_may_come_as_often_as_it_will() {
        let mut assembly = Assembly::default();
        assert!((0..1000).all(|_| assembly.add(0, b"abc")));
        assert!(assembly.add(2, b"cd"));
        assert_eq!(assembly.start(), b"abcd");
    }

    #[test]
    fn memory_is_bounded_whatever_is_claimed() {
        let mut assembly = Assembly::default();
        assert!(!assembly.add(usize::MAX, b"x"));
        assembly.add(LONGEST - 1, &[1; 100]);
        assert!(assembly.bytes.len() <= LONGEST);
    }
}

//! Segments that others overtook on their way, told from those that were sent again: Wireshark's rule ("TCP Analysis" in
//! its user's guide, "TCP Out-Of-Order").
//!
//! Whoever lacks a segment says so, and it is sent again: that takes at least a round trip from when it was passed over.
//! What fills a gap sooner was on its way already. What fills it later was lost before it came here, and counts.
use super::tcp::distance;

/// Taken for the round trip of a flow whose handshake was not measured.
const USUAL_MICROS: u32 = 3_000;

/// Bytes that were passed over when a later segment came, in one direction: the latest of both. Several gaps at once are
/// one, with what was seen between them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gap {
    /// Sequence numbers of its first byte and of the one after its last; equal: there is none.
    from: u32,
    to: u32,
    /// When it came to be: the lowest bits of microseconds.
    since: u32,
    forward: bool,
}

impl Gap {
    /// The bytes from one number to another were passed over. Times in nanoseconds; a round trip of 0 is not known.
    #[cold]
    pub(super) fn jumped(&mut self, (from, to): (u32, u32), forward: bool, now: u64, round_trip_micros: u32) {
        if distance(from, to) <= 0 {
            return; // it only repeats some of what came before
        }
        if self.is_open(forward, now, round_trip_micros) {
            self.to = to;
        } else {
            *self = Self { from, to, since: micros(now), forward };
        }
    }

    /// Whether a segment fills some of it and was only overtaken.
    #[cold]
    pub(super) fn takes(
        &mut self,
        (from, to): (u32, u32),
        forward: bool,
        now: u64,
        round_trip_micros: u32,
    ) -> bool {
        let (start, end) = (distance(self.from, from), distance(self.from, to));
        let length = distance(self.from, self.to);
        if !self.is_open(forward, now, round_trip_micros) || end <= 0 || start >= length {
            return false;
        }
        if start <= 0 {
            self.from = if end < length { to } else { self.to };
        } else if end >= length {
            self.to = from;
        }
        true
    }

    fn is_open(&self, forward: bool, now: u64, round_trip_micros: u32) -> bool {
        let limit = if round_trip_micros == 0 { USUAL_MICROS } else { round_trip_micros };
        self.from != self.to && self.forward == forward && micros(now).wrapping_sub(self.since) < limit
    }
}

#[expect(clippy::cast_possible_truncation, reason = "differences are taken, of less than an hour")]
fn micros(nanoseconds: u64) -> u32 {
    (nanoseconds / 1_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;
    const RTT: u32 = 50_000;

    /// Bytes 100 to 400 were passed over, by segments of 100.
    fn gap() -> Gap {
        let mut gap = Gap::default();
        gap.jumped((100, 400), true, 0, RTT);
        gap
    }

    #[test]
    fn what_fills_a_gap_within_a_round_trip_was_overtaken_once() {
        let mut gap = gap();
        for segment in [(100, 200), (300, 400), (200, 300)] {
            assert!(gap.takes(segment, true, MILLISECOND, RTT), "{segment:?}");
            assert!(!gap.takes(segment, true, MILLISECOND, RTT), "{segment:?} a second time");
        }
    }

    #[test]
    fn what_fills_it_later_was_sent_again() {
        assert!(gap().takes((100, 200), true, 49 * MILLISECOND, RTT));
        assert!(!gap().takes((100, 200), true, 50 * MILLISECOND, RTT));
        let mut unmeasured = Gap::default();
        unmeasured.jumped((100, 400), true, 0, 0);
        assert!(!unmeasured.takes((100, 200), true, 3 * MILLISECOND, 0));
        assert!(unmeasured.takes((100, 200), true, 2 * MILLISECOND, 0));
    }

    #[test]
    fn what_lies_outside_or_goes_the_other_way_fills_nothing() {
        for segment in [(0, 100), (400, 500), (50, 100)] {
            assert!(!gap().takes(segment, true, 0, RTT), "{segment:?}");
        }
        assert!(!gap().takes((100, 200), false, 0, RTT));
        assert!(!Gap::default().takes((0, 100), false, 0, RTT));
    }

    #[test]
    fn two_gaps_at_once_are_both_filled() {
        let mut gap = Gap::default();
        gap.jumped((100, 200), true, 0, RTT);
        gap.jumped((300, 400), true, 0, RTT);
        assert!(gap.takes((100, 200), true, MILLISECOND, RTT));
        assert!(gap.takes((300, 400), true, MILLISECOND, RTT));
    }

    #[test]
    fn an_old_gap_makes_way_for_a_new_one() {
        let mut gap = gap();
        gap.jumped((900, 1_000), true, 80 * MILLISECOND, RTT);
        assert!(!gap.takes((100, 200), true, 81 * MILLISECOND, RTT));
        assert!(gap.takes((900, 1_000), true, 81 * MILLISECOND, RTT));
    }

    #[test]
    fn numbers_and_times_wrap() {
        let wrap = u64::from(u32::MAX) * 1_000;
        let mut gap = Gap::default();
        gap.jumped((u32::MAX - 50, 50), true, wrap, RTT);
        assert!(gap.takes((u32::MAX - 50, 0), true, wrap + 5 * MILLISECOND, RTT));
        assert!(gap.takes((0, 50), true, wrap + 5 * MILLISECOND, RTT));
    }
}

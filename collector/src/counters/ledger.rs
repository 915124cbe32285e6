//! Explains the kernel's bytes by captured ones: kernel = captured + lost + outside, cumulatively and to the byte.
use shared::report;
use weir_shared as shared;

/// For so many readings a difference may still be packets on their way from the kernel's counter to the flow table.
const READINGS_ON_THE_WAY: usize = 2;

/// One interface's ledger since the collector started.
///
/// The difference between the kernel's growth and the captured one settles two readings later, against what these
/// brought: what came late was neither lost nor outside. Then it is lost if drop counters grew around it, else outside
/// (filter, start-up, headers that offload hides). Until then it shows as outside, so that the equality always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    kernel_bytes: u64,
    captured_bytes: u64,
    /// What of it is somebody's, as far as that is known.
    attributed_bytes: u64,
    lost_bytes: u64,
    /// Differences not settled yet, oldest first, and whether drops grew with them.
    pending: [(i64, bool); READINGS_ON_THE_WAY],
    /// Drops grew with the difference that settled last.
    dropped_before: bool,
}

impl Ledger {
    /// What one reading brought. On loopback the kernel's growth is that of rx alone: each frame is counted as sent and
    /// as received, and captured once.
    pub fn observe(&mut self, kernel_growth: u64, captured_growth: u64, drops_grew: bool) {
        self.kernel_bytes = self.kernel_bytes.saturating_add(kernel_growth);
        self.captured_bytes = self.captured_bytes.saturating_add(captured_growth);
        let [oldest, next] = self.pending;
        let newest = (difference(kernel_growth, captured_growth), drops_grew);
        let settled = settle(oldest.0, [next.0, newest.0]);
        let dropped = self.dropped_before || oldest.1 || next.1 || newest.1;
        if dropped && let Ok(lost) = u64::try_from(settled) {
            self.lost_bytes = self.lost_bytes.saturating_add(lost);
        }
        let carried = oldest.0.saturating_sub(settled);
        self.pending = [(next.0.saturating_add(carried), next.1), newest];
        self.dropped_before = oldest.1;
    }

    /// So many more of the captured bytes have an owner who is known.
    pub fn attribute(&mut self, bytes: u64) {
        self.attributed_bytes = self.attributed_bytes.saturating_add(bytes).min(self.captured_bytes);
    }

    /// All since the collector started.
    pub fn total(&self) -> report::Ledger {
        let captured_and_lost = self.captured_bytes.saturating_add(self.lost_bytes);
        report::Ledger {
            kernel_bytes: self.kernel_bytes,
            attributed_bytes: self.attributed_bytes,
            unattributed_bytes: self.captured_bytes.saturating_sub(self.attributed_bytes),
            lost_bytes: self.lost_bytes,
            outside_bytes: difference(self.kernel_bytes, captured_and_lost),
        }
    }

    /// All since an earlier total of this ledger, a window's part; `earlier` is then as if it were of now. Of bytes whose
    /// owner was found after their window the later windows have no more than they captured themselves, one after the other.
    pub fn take_since(&self, earlier: &mut report::Ledger) -> report::Ledger {
        let now = self.total();
        let captured = self.captured_bytes - captured(earlier).min(self.captured_bytes);
        let attributed = now.attributed_bytes.saturating_sub(earlier.attributed_bytes).min(captured);
        let part = report::Ledger {
            kernel_bytes: now.kernel_bytes.saturating_sub(earlier.kernel_bytes),
            attributed_bytes: attributed,
            unattributed_bytes: captured - attributed,
            lost_bytes: now.lost_bytes.saturating_sub(earlier.lost_bytes),
            outside_bytes: now.outside_bytes.saturating_sub(earlier.outside_bytes),
        };
        let attributed_bytes = earlier.attributed_bytes.saturating_add(attributed);
        let unattributed_bytes = self.captured_bytes.saturating_sub(attributed_bytes);
        *earlier = report::Ledger { attributed_bytes, unattributed_bytes, ..now };
        part
    }
}

fn captured(ledger: &report::Ledger) -> u64 {
    ledger.attributed_bytes.saturating_add(ledger.unattributed_bytes)
}

fn difference(more: u64, less: u64) -> i64 {
    let saturated = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    if more >= less { saturated(more - less) } else { -saturated(less - more) }
}

/// What of the oldest difference is still there when the later ones are added: of +5, -4 only 1, of +5, +3 all 5.
fn settle(oldest: i64, later: [i64; READINGS_ON_THE_WAY]) -> i64 {
    let mut sum = oldest;
    let mut settled = oldest;
    for difference in later {
        sum = sum.saturating_add(difference);
        settled = if oldest >= 0 { settled.min(sum).max(0) } else { settled.max(sum).min(0) };
    }
    settled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Growth of the kernel's bytes and of the captured ones, and whether drops grew.
    type Brought = (u64, u64, bool);

    /// Lost and outside after these readings and two idle ones.
    fn outcome(readings: &[Brought]) -> (u64, i64) {
        let mut ledger = Ledger::default();
        for (kernel, captured, drops) in readings.iter().chain(&[(0, 0, false); 2]) {
            ledger.observe(*kernel, *captured, *drops);
        }
        (ledger.total().lost_bytes, ledger.total().outside_bytes)
    }

    #[test]
    fn each_difference_is_named_for_what_it_is() {
        let cases: [(&str, &[Brought], (u64, i64)); 9] = [
            ("all captured", &[(100, 100, false)], (0, 0)),
            ("filtered out", &[(100, 60, false)], (0, 40)),
            ("dropped", &[(100, 60, true)], (40, 0)),
            ("captured a reading late", &[(100, 60, false), (0, 40, false)], (0, 0)),
            ("captured a reading early", &[(60, 100, false), (40, 0, false)], (0, 0)),
            ("dropped, and the rest came late", &[(100, 50, true), (0, 40, false)], (10, 0)),
            ("drops reported a reading late", &[(100, 50, false), (0, 40, true)], (10, 0)),
            ("captured early, then dropped", &[(60, 100, false), (140, 50, true)], (50, 0)),
            (
                "filtered before, dropped long after",
                &[(100, 60, false), (9, 9, false), (9, 9, false), (9, 9, false), (100, 90, true)],
                (10, 40),
            ),
        ];
        for (name, readings, expected) in cases {
            assert_eq!(outcome(readings), expected, "{name}");
        }
    }

    #[test]
    fn lasting_loss_shows_while_it_lasts() {
        let mut ledger = Ledger::default();
        for _ in 0..10 {
            ledger.observe(100, 75, true);
        }
        assert_eq!((ledger.total().lost_bytes, ledger.total().outside_bytes), (200, 50));
    }

    #[test]
    fn what_is_attributed_after_its_window_counts_in_the_next_ones_as_far_as_there_is_room() {
        let (mut ledger, mut earlier) = (Ledger::default(), report::Ledger::default());
        let mut windows = Vec::new();
        for (captured, attributed) in [(100, 0), (60, 130), (100, 30), (10, 0)] {
            ledger.observe(captured, captured, false);
            ledger.attribute(attributed);
            let part = ledger.take_since(&mut earlier);
            windows.push((part.attributed_bytes, part.unattributed_bytes));
        }
        assert_eq!(windows, [(0, 100), (60, 0), (100, 0), (0, 10)]);
        assert_eq!(earlier, ledger.total());
    }

    proptest! {
        #[test]
        fn the_equality_holds_after_every_reading(
            readings in prop::collection::vec((0..1u64 << 40, 0..1u64 << 40, any::<bool>()), 1..50)
        ) {
            let mut ledger = Ledger::default();
            let (mut lost, mut earlier) = (0, report::Ledger::default());
            for (kernel, captured, drops) in readings {
                ledger.observe(kernel, captured, drops);
                ledger.attribute(captured / 3);
                let total = ledger.total();
                let explained = i128::from(super::captured(&total)) + i128::from(total.lost_bytes) + i128::from(total.outside_bytes);
                prop_assert_eq!(i128::from(total.kernel_bytes), explained);
                prop_assert!(total.lost_bytes >= lost, "loss is never taken back");
                lost = total.lost_bytes;
                prop_assert_eq!(ledger.take_since(&mut earlier).kernel_bytes, kernel);
                prop_assert_eq!(&earlier, &total);
            }
        }
    }
}

//! How much something moves now: what it moved in each second, forgotten exponentially. Flows that go on are told once a
//! second, so whole seconds are the grain.
use std::sync::LazyLock;

use weir_shared::report::{Count, RxTx};

const NANOS: f64 = 1e9;
/// Mean age of what is remembered, so that a steady flow reads true within about three seconds.
const MEMORY_SECONDS: f64 = 1.5;

/// A time that is more seconds before one that was told is of a clock that was set back.
const SET_BACK: u64 = 1;

/// What a second moved is told up to so long after it; until then a rate has not fallen.
const TOLD_WITHIN: u64 = 500_000_000;

/// Received and sent packets and bytes a second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    level: [f32; 4],
    /// Of the timeline, in which something was told last.
    second: u64,
}

/// The engine looks at what moved once a second, when that is told: what comes between is no whole second's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// Of all looks.
    all_seconds: u64,
    /// Since the look before.
    seconds: u64,
}

impl Look {
    pub(super) fn next(self, seconds: u64) -> Self {
        let seconds = seconds.max(1);
        Self { all_seconds: self.all_seconds.saturating_add(seconds), seconds }
    }

    /// Of a timeline that clocks do not move, in nanoseconds: the middle of a second.
    pub(super) fn time(self) -> u64 {
        self.all_seconds.saturating_mul(1_000_000_000).saturating_add(500_000_000)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a smoothed rate")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a smoothed rate, never negative"
)]
fn whole(level: f64) -> u64 {
    level.round() as u64
}

#[expect(clippy::cast_possible_truncation, reason = "a smoothed rate")]
fn single(level: f64) -> f32 {
    level as f32
}

const fn second(time: u64) -> u64 {
    time / 1_000_000_000
}

/// What is left of a level after so many seconds. After more than the last nothing is.
static LEFT: LazyLock<[f32; 32]> = LazyLock::new(|| {
    let mut left = [1.0; 32];
    for (seconds, left) in (0u64..).zip(&mut left) {
        *left = single((-float(seconds) / MEMORY_SECONDS).exp());
    }
    left
});

#[inline]
fn left(seconds: u64) -> f32 {
    usize::try_from(seconds).ok().and_then(|seconds| LEFT.get(seconds)).copied().unwrap_or(0.0)
}

impl Rate {
    /// `grown` in the second before `time`.
    pub(super) fn add(&mut self, grown: &RxTx, time: u64) {
        let now = second(time);
        let now = if self.is_ahead_of(now) { now } else { now.max(self.second) };
        let (kept, new) = (left(self.until(now)), 1.0 - left(1));
        let parts = [grown.rx.packets, grown.rx.bytes, grown.tx.packets, grown.tx.bytes];
        for (level, part) in self.level.iter_mut().zip(parts) {
            *level = *level * kept + single(float(part)) * new;
        }
        self.second = now;
    }

    /// Takes what moved since the look before, and gives it.
    pub(super) fn look(&mut self, recent: &mut RxTx, look: Look) -> RxTx {
        let recent = std::mem::take(recent);
        self.add(&in_a_second(&recent, look.seconds), look.time());
        recent
    }

    /// How long ago something was told.
    pub(super) fn seconds_since(&self, time: u64) -> u64 {
        self.until(second(time))
    }

    fn kept(&self, time: u64) -> f32 {
        left(self.until(second(time.saturating_sub(TOLD_WITHIN))))
    }

    /// Seconds since something was told last: the most there are where the clock was set back meanwhile, since how many
    /// have passed cannot be told.
    #[inline]
    fn until(&self, now: u64) -> u64 {
        if self.is_ahead_of(now) { u64::MAX } else { now.saturating_sub(self.second) }
    }

    #[inline]
    fn is_ahead_of(&self, now: u64) -> bool {
        self.second > now.saturating_add(SET_BACK)
    }

    /// No less than the bytes that `at` gives, both ways together, without working them out.
    #[inline]
    pub(super) fn at_most(&self, time: u64) -> u64 {
        let [_, received, _, sent] = self.level;
        above((received + sent) * self.kept(time))
    }

    pub(super) fn at(&self, time: u64) -> RxTx {
        let kept = self.kept(time);
        let [rx_packets, rx_bytes, tx_packets, tx_bytes] =
            self.level.map(|level| whole(f64::from(level * kept)));
        RxTx {
            rx: Count { packets: rx_packets, bytes: rx_bytes },
            tx: Count { packets: tx_packets, bytes: tx_bytes },
        }
    }
}

/// Over what rounding could make of it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bound, never negative")]
fn above(level: f32) -> u64 {
    ((level * 1.000_01) as u64).saturating_add(2)
}

/// Of what came in over so many seconds, what one had.
pub(super) fn in_a_second(traffic: &RxTx, seconds: u64) -> RxTx {
    let each =
        |count: Count| Count { packets: count.packets / seconds.max(1), bytes: count.bytes / seconds.max(1) };
    if seconds <= 1 { *traffic } else { RxTx { rx: each(traffic.rx), tx: each(traffic.tx) } }
}

/// The mean over a span.
pub(super) fn mean(traffic: &RxTx, nanos: u64) -> RxTx {
    let seconds = (float(nanos) / NANOS).max(1e-3);
    let each = |count: Count| Count {
        packets: whole(float(count.packets) / seconds),
        bytes: whole(float(count.bytes) / seconds),
    };
    RxTx { rx: each(traffic.rx), tx: each(traffic.tx) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_reads_true_after_three_seconds_and_fades_when_it_stops() {
        let mut rate = Rate::default();
        let step = RxTx { rx: Count { packets: 10, bytes: 1_000_000 }, tx: Count::default() };
        for second in 1..20u64 {
            rate.add(&step, second * 1_000_000_000 + 30_000_000);
            // also before the next second is told
            for millis in [30, 350, 999, 1_020, 1_400] {
                let now = rate.at(second * 1_000_000_000 + millis * 1_000_000).rx.bytes;
                assert!(second < 3 || (860_000..1_000_001).contains(&now), "{now} in second {second}");
            }
        }
        assert!(rate.at(30_000_000_000).rx.bytes < 5_000);
        assert_eq!(rate.at(90_000_000_000), RxTx::default());
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_no_rate_that_stands_or_grows() {
        let step = RxTx { rx: Count { packets: 10, bytes: 1_000_000 }, tx: Count::default() };
        let (mut goes_on, mut stopped) = (Rate::default(), Rate::default());
        for second in 4_000..4_020u64 {
            goes_on.add(&step, second * 1_000_000_000);
            stopped.add(&step, second * 1_000_000_000);
        }
        for second in 400..420u64 {
            goes_on.add(&step, second * 1_000_000_000);
            assert!(goes_on.at(second * 1_000_000_000).rx.bytes < 1_000_001);
        }
        assert!(goes_on.at(419_000_000_000).rx.bytes > 900_000);
        assert_eq!((stopped.at(400_000_000_000), stopped.at_most(400_000_000_000)), (RxTx::default(), 2));
    }

    #[test]
    fn the_quick_bound_is_never_under_the_rate() {
        for bytes in [1, 60, 1_500, 123_456_789_012] {
            let mut rate = Rate::default();
            let both = Count { packets: 1, bytes };
            rate.add(&RxTx { rx: both, tx: both }, 5_000_000_000);
            for tenths in 0..400u64 {
                let time = 5_000_000_000 + tenths * 100_000_000;
                let now = rate.at(time);
                assert!(rate.at_most(time) >= now.rx.bytes + now.tx.bytes, "{bytes} {tenths}");
            }
        }
        let mut rate = Rate::default();
        rate.add(&RxTx { rx: Count { packets: 1, bytes: 60 }, tx: Count::default() }, 0);
        assert!(rate.at_most(9_000_000_000) < 4, "a bound that never falls skips nothing");
    }
}

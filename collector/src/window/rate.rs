//! How much something moves now: growth, forgotten exponentially over about three seconds of the timeline.
use weir_shared::report::{Count, RxTx};

const NANOS: f64 = 1e9;
/// Mean age of what is remembered, so that a steady flow reads true within about three seconds.
const MEMORY_SECONDS: f64 = 1.5;

/// Received and sent packets and bytes a second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    level: [f32; 4],
    time: u64,
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

impl Rate {
    pub(super) fn add(&mut self, grown: &RxTx, time: u64) {
        let kept = self.kept(time);
        let parts = [grown.rx.packets, grown.rx.bytes, grown.tx.packets, grown.tx.bytes];
        for (level, part) in self.level.iter_mut().zip(parts) {
            *level = single(f64::from(*level) * kept + float(part) / MEMORY_SECONDS);
        }
        self.time = self.time.max(time);
    }

    fn kept(&self, time: u64) -> f64 {
        (-float(time.saturating_sub(self.time)) / NANOS / MEMORY_SECONDS).exp()
    }

    /// No less than the bytes that `at` gives, both ways together, without working them out.
    #[inline]
    pub(super) fn at_most(&self, time: u64, fading: &Fading) -> u64 {
        let seconds = time.saturating_sub(self.time) / 1_000_000_000;
        let kept = usize::try_from(seconds).ok().and_then(|second| fading.0.get(second));
        let [_, received, _, sent] = self.level;
        above((received + sent) * kept.or(fading.0.last()).copied().unwrap_or(1.0))
    }

    pub(super) fn at(&self, time: u64) -> RxTx {
        let kept = self.kept(time);
        let [rx_packets, rx_bytes, tx_packets, tx_bytes] =
            self.level.map(|level| whole(f64::from(level) * kept));
        RxTx {
            rx: Count { packets: rx_packets, bytes: rx_bytes },
            tx: Count { packets: tx_packets, bytes: tx_bytes },
        }
    }
}

/// What is left of a level after whole seconds.
#[derive(Debug)]
pub(super) struct Fading([f32; 16]);

impl Default for Fading {
    fn default() -> Self {
        let mut left = [1.0; 16];
        for (second, left) in (0u64..).zip(&mut left) {
            *left = single((-float(second) / MEMORY_SECONDS).exp());
        }
        Self(left)
    }
}

/// Over what rounding could make of it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bound, never negative")]
fn above(level: f32) -> u64 {
    ((level * 1.000_01) as u64).saturating_add(2)
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
    fn a_steady_flow_reads_true_within_three_percent_and_fades_when_it_stops() {
        let mut rate = Rate::default();
        let step = RxTx { rx: Count { packets: 10, bytes: 100_000 }, tx: Count::default() };
        for tick in 0..200u64 {
            rate.add(&step, tick * 100_000_000);
        }
        let now = rate.at(199 * 100_000_000).rx.bytes;
        assert!((970_000..1_070_000).contains(&now), "{now}");
        assert!(rate.at(30_000_000_000).rx.bytes < 5_000);
    }

    #[test]
    fn the_quick_bound_is_never_under_the_rate() {
        let fading = Fading::default();
        for bytes in [1, 60, 1_500, 123_456_789_012] {
            let mut rate = Rate::default();
            let both = Count { packets: 1, bytes };
            rate.add(&RxTx { rx: both, tx: both }, 5_000_000_000);
            for tenths in 0..400u64 {
                let time = 5_000_000_000 + tenths * 100_000_000;
                let now = rate.at(time);
                assert!(rate.at_most(time, &fading) >= now.rx.bytes + now.tx.bytes, "{bytes} {tenths}");
            }
        }
        let mut rate = Rate::default();
        rate.add(&RxTx { rx: Count { packets: 1, bytes: 60 }, tx: Count::default() }, 0);
        assert!(rate.at_most(9_000_000_000, &fading) < 4, "a bound that never falls skips nothing");
    }
}

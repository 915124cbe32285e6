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
}

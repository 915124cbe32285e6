//! What an interface moved between two readings: a pure decision from both, since counters start anew (reboot, an
//! interface made again, a driver that resets) and some wrap.
use std::sync::Arc;
use std::time::Duration;

use shared::report::KernelCounters;
use weir_shared as shared;

/// Where no link speed is known: a tenth of a terabit a second is beyond any machine's memory path today.
const UNKNOWN_BYTES_PER_SECOND: u64 = 125_000_000_000;
/// Counters are read a little after the clock, and drivers report in batches.
const SLACK_BYTES: u64 = 64 << 20;

/// A reading with what tells whether its counters continue those of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// /proc/sys/kernel/random/boot_id
    pub(super) boot_id: Arc<str>,
    pub(super) index: u32,
    /// Since boot, suspended time included.
    pub(super) boot_time: Duration,
    pub(super) counters: KernelCounters,
}

/// Why a growth is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Never seen before: its counters are the baseline.
    First,
    /// The counters went on.
    Continued,
    /// The machine was started anew: all that is counted since then.
    Rebooted,
    /// The interface was made anew under the same name: all that is counted since then.
    Recreated,
    /// The driver set its counters to zero.
    Reset,
    /// Counters of 32 or 64 bits came round.
    Wrapped,
    /// More than the link can carry, or a counter that fell alone: nothing is counted and a new baseline taken.
    Implausible,
}

/// The growth from `before` (None: never seen) to `now`. `speed` in bytes a second and direction is the link's, if known.
pub(super) fn judge(before: Option<&Sight>, now: &Sight, speed: Option<u64>) -> (Judgement, KernelCounters) {
    let Some(before) = before else { return (Judgement::First, KernelCounters::default()) };
    let (judgement, elapsed, growth) = if before.boot_id != now.boot_id {
        (Judgement::Rebooted, now.boot_time, Some(now.counters))
    } else {
        let elapsed = now.boot_time.saturating_sub(before.boot_time);
        if before.index != now.index {
            (Judgement::Recreated, elapsed, Some(now.counters))
        } else {
            let (judgement, growth) = same_interface(before.counters, now.counters);
            (judgement, elapsed, growth)
        }
    };
    match growth {
        Some(growth) if plausible(growth, elapsed, speed) => (judgement, growth),
        _ => (Judgement::Implausible, KernelCounters::default()),
    }
}

/// A reset takes every counter down, a wrap only those that came round.
fn same_interface(before: KernelCounters, now: KernelCounters) -> (Judgement, Option<KernelCounters>) {
    let pairs = pairs(before, now);
    if pairs.iter().all(|(before, now)| now >= before) {
        return (Judgement::Continued, Some(combine(before, now, u64::wrapping_sub)));
    }
    if pairs.iter().all(|(before, now)| now < before || *before == 0) {
        return (Judgement::Reset, Some(now));
    }
    let explained = pairs.iter().all(|(before, now)| now >= before || wraps_at(*before).is_some());
    (Judgement::Wrapped, explained.then(|| combine(before, now, wrapped)))
}

/// Growth of one counter that may have come round.
fn wrapped(now: u64, before: u64) -> u64 {
    match wraps_at(before) {
        Some(last) if now < before => last - before + 1 + now,
        _ => now.wrapping_sub(before),
    }
}

/// The last value of the counter's width, where it stood in the upper half of that: 32 bits as drivers of older cards
/// have them, or 64.
const fn wraps_at(before: u64) -> Option<u64> {
    const LAST: u64 = u32::MAX as u64;
    if before > LAST / 2 && before <= LAST {
        Some(LAST)
    } else if before > u64::MAX / 2 {
        Some(u64::MAX)
    } else {
        None
    }
}

fn plausible(growth: KernelCounters, elapsed: Duration, speed: Option<u64>) -> bool {
    let per_second = speed.unwrap_or(UNKNOWN_BYTES_PER_SECOND);
    let carried = u128::from(per_second) * elapsed.as_millis() / 1000;
    // twice: a speed that was negotiated anew, a clock that is a little off
    let most = carried.saturating_mul(2).saturating_add(u128::from(SLACK_BYTES));
    u128::from(growth.rx_bytes) <= most && u128::from(growth.tx_bytes) <= most
}

fn pairs(before: KernelCounters, now: KernelCounters) -> [(u64, u64); 4] {
    [
        (before.rx_packets, now.rx_packets),
        (before.rx_bytes, now.rx_bytes),
        (before.tx_packets, now.tx_packets),
        (before.tx_bytes, now.tx_bytes),
    ]
}

fn combine(before: KernelCounters, now: KernelCounters, growth: fn(u64, u64) -> u64) -> KernelCounters {
    KernelCounters {
        rx_packets: growth(now.rx_packets, before.rx_packets),
        rx_bytes: growth(now.rx_bytes, before.rx_bytes),
        tx_packets: growth(now.tx_packets, before.tx_packets),
        tx_bytes: growth(now.tx_bytes, before.tx_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIGABIT: u64 = 125_000_000;

    fn counters(rx_packets: u64, rx_bytes: u64, tx_packets: u64, tx_bytes: u64) -> KernelCounters {
        KernelCounters { rx_packets, rx_bytes, tx_packets, tx_bytes }
    }

    fn sight(boot_id: &str, index: u32, seconds: u64, counters: KernelCounters) -> Sight {
        Sight { boot_id: boot_id.into(), index, boot_time: Duration::from_secs(seconds), counters }
    }

    #[test]
    fn each_pair_of_readings_is_judged_as_what_it_is() {
        use Judgement::{Continued, First, Implausible, Rebooted, Recreated, Reset, Wrapped};
        let top = u64::from(u32::MAX);
        let old = sight("a", 2, 100, counters(10, 5000, 20, 9000));
        let high = sight("a", 2, 100, counters(10, top - 99, 20, 9000));
        let high64 = sight("a", 2, 100, counters(10, u64::MAX - 99, 20, 9000));
        let quiet = sight("a", 2, 100, counters(10, 5000, 0, 0));
        let none = KernelCounters::default();
        let cases = [
            ("never seen", None, sight("a", 2, 101, counters(9, 9, 9, 9)), First, none),
            (
                "grown",
                Some(&old),
                sight("a", 2, 101, counters(11, 5100, 20, 9000)),
                Continued,
                counters(1, 100, 0, 0),
            ),
            ("idle", Some(&old), sight("a", 2, 101, old.counters), Continued, none),
            (
                "rebooted",
                Some(&old),
                sight("b", 2, 50, counters(3, 300, 4, 400)),
                Rebooted,
                counters(3, 300, 4, 400),
            ),
            (
                "rebooted, more than before",
                Some(&old),
                sight("b", 2, 50, counters(30, 7000, 40, 9900)),
                Rebooted,
                counters(30, 7000, 40, 9900),
            ),
            (
                "made anew",
                Some(&old),
                sight("a", 7, 101, counters(1, 60, 0, 0)),
                Recreated,
                counters(1, 60, 0, 0),
            ),
            (
                "reset by its driver",
                Some(&old),
                sight("a", 2, 101, counters(1, 60, 0, 0)),
                Reset,
                counters(1, 60, 0, 0),
            ),
            (
                "reset, one counter never moved",
                Some(&quiet),
                sight("a", 2, 101, counters(1, 60, 0, 0)),
                Reset,
                counters(1, 60, 0, 0),
            ),
            (
                "wrapped at 32 bits",
                Some(&high),
                sight("a", 2, 101, counters(11, 100, 20, 9000)),
                Wrapped,
                counters(1, 200, 0, 0),
            ),
            (
                "wrapped at 64 bits",
                Some(&high64),
                sight("a", 2, 101, counters(11, 100, 20, 9000)),
                Wrapped,
                counters(1, 200, 0, 0),
            ),
            (
                "one fell from far below",
                Some(&old),
                sight("a", 2, 101, counters(11, 4000, 20, 9000)),
                Implausible,
                none,
            ),
            (
                "4 GiB in a second of gigabit",
                Some(&old),
                sight("a", 2, 101, counters(11, 5000 + (4 << 30), 20, 9000)),
                Implausible,
                none,
            ),
            (
                "4 GiB in a minute of gigabit",
                Some(&old),
                sight("a", 2, 160, counters(11, 5000 + (4 << 30), 20, 9000)),
                Continued,
                counters(1, 4 << 30, 0, 0),
            ),
            (
                "more since boot than fits",
                Some(&old),
                sight("b", 2, 1, counters(1, 1 << 40, 1, 1)),
                Implausible,
                none,
            ),
        ];
        for (name, before, now, judgement, growth) in cases {
            assert_eq!(judge(before, &now, Some(GIGABIT)), (judgement, growth), "{name}");
        }
    }

    #[test]
    fn a_link_of_unknown_speed_may_be_fast() {
        let before = sight("a", 2, 100, counters(0, 0, 0, 0));
        let now = sight("a", 2, 101, counters(1, 10 << 30, 0, 0));
        assert_eq!(judge(Some(&before), &now, None).0, Judgement::Continued);
        assert_eq!(judge(Some(&before), &now, Some(GIGABIT)).0, Judgement::Implausible);
    }
}

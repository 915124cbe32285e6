//! The last five minutes of each interface, second by second. Each second is placed by its own time, so that neither an
//! early nor a late update leaves a hole or counts one twice.
use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use weir_shared::live::SecondSeries;
use weir_shared::report::RxTx;

/// Seconds kept of each interface.
const SECONDS: usize = 300;
/// Interfaces of which seconds are kept.
const MOST_INTERFACES: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Seconds(BTreeMap<String, Series>);

#[derive(Debug)]
struct Series {
    /// Start of the second after the last one.
    next: Timestamp,
    values: VecDeque<RxTx>,
}

impl Seconds {
    /// What a snapshot tells replaces all.
    pub(super) fn replace(&mut self, all: Vec<SecondSeries>) {
        self.0.clear();
        self.add(&all);
    }

    /// Adds what is new in the newest seconds.
    pub(super) fn add(&mut self, newest: &[SecondSeries]) {
        for series in newest.iter().filter(|series| !series.seconds.is_empty()) {
            if self.0.contains_key(&series.interface) || self.0.len() < MOST_INTERFACES {
                let empty = || Series { next: series.start, values: VecDeque::new() };
                self.0.entry(series.interface.clone()).or_insert_with(empty).add(series);
            }
        }
    }

    /// Forgets interfaces that are no longer captured.
    pub(super) fn retain(&mut self, captured: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| captured(name));
    }

    pub(super) fn all(&self) -> Vec<SecondSeries> {
        self.0.iter().map(|(name, series)| series.whole(name)).collect()
    }
}

impl Series {
    fn add(&mut self, newest: &SecondSeries) {
        // a hole, or a clock that was set back: what was before stands on another line of time
        let step = newest.start.duration_since(self.next);
        if step > SignedDuration::ZERO
            || step < -SignedDuration::from_secs(i64::try_from(SECONDS).unwrap_or(0))
        {
            *self = Self { next: newest.start, values: VecDeque::new() };
        }
        for (second, time) in newest.seconds.iter().zip(starts(newest.start)) {
            if time >= self.next {
                self.values.push_back(*second);
                self.next = time.saturating_add(SignedDuration::from_secs(1)).unwrap_or(time);
            }
        }
        while self.values.len() > SECONDS {
            self.values.pop_front();
        }
    }

    fn whole(&self, name: &str) -> SecondSeries {
        let length = i64::try_from(self.values.len()).unwrap_or(0);
        SecondSeries {
            interface: name.to_owned(),
            start: self.next.checked_sub(SignedDuration::from_secs(length)).unwrap_or(self.next),
            seconds: self.values.iter().copied().collect(),
        }
    }
}

fn starts(first: Timestamp) -> impl Iterator<Item = Timestamp> {
    (0..).map_while(move |second| first.checked_add(SignedDuration::from_secs(second)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_shared::report::Count;

    fn series(start: i64, bytes: &[u64]) -> SecondSeries {
        let second = |&bytes: &u64| RxTx { rx: Count { packets: 1, bytes }, tx: Count::default() };
        SecondSeries {
            interface: "eth0".to_owned(),
            start: Timestamp::from_second(start).unwrap(),
            seconds: bytes.iter().map(second).collect(),
        }
    }

    fn kept(seconds: &Seconds) -> (i64, Vec<u64>) {
        let all = seconds.all();
        (all[0].start.as_second(), all[0].seconds.iter().map(|second| second.rx.bytes).collect())
    }

    #[test]
    fn an_update_that_repeats_or_skips_a_second_changes_no_other() {
        let mut seconds = Seconds::default();
        seconds.replace(vec![series(100, &[1, 2, 3])]);
        seconds.add(&[series(101, &[2, 3])]);
        assert_eq!(kept(&seconds), (100, vec![1, 2, 3]));
        seconds.add(&[series(101, &[2, 3, 4, 5])]);
        assert_eq!(kept(&seconds), (100, vec![1, 2, 3, 4, 5]));
    }

    #[test]
    fn after_a_hole_the_series_begins_anew() {
        let mut seconds = Seconds::default();
        seconds.add(&[series(100, &[1])]);
        seconds.add(&[series(110, &[2])]);
        assert_eq!(kept(&seconds), (110, vec![2]));
        seconds.add(&[series(-10_000, &[3])]);
        assert_eq!(kept(&seconds), (-10_000, vec![3]));
    }

    #[test]
    fn five_minutes_are_kept() {
        let mut seconds = Seconds::default();
        seconds.add(&[series(0, &[7; 400])]);
        assert_eq!((kept(&seconds).0, kept(&seconds).1.len()), (100, 300));
    }
}

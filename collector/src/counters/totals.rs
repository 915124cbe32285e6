//! What each interface moved, by day in the machine's time zone, across restarts of collector and machine.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use shared::health::{DayRow, Degraded};
use shared::report::{Gap, KernelCounters};
use weir_shared as shared;

use super::growth::{Judgement, Sight, judge};
use super::stored::{self, Changes, Contents, DayTotal, Days, Seen};
use super::{CounterError, Reading};
use crate::database::Store;

pub(super) const FILE_NAME: &str = "collector.redb";

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const DAYS_KEPT: i64 = 400;
/// Containers come and go with interfaces of new names: further ones of a day share a row.
const MOST_NAMES_A_DAY: usize = 64;
const OTHERS: &str = "(others)";
const MOST_SEEN: usize = 1024;
/// Growth of one reading that is worth asking the link for its speed.
const REMARKABLE_BYTES: u64 = 256 << 20;

/// What an interface moved since the reading before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    pub name: String,
    pub index: u32,
    pub kernel: KernelCounters,
    pub judgement: Judgement,
}

/// What one reading brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// One an interface read. Zero in the first reading of a run: what moved before it is in `gaps`.
    pub growth: Vec<Growth>,
    /// What moved while the collector was not running: one an interface that moved anything, or one for all ("") where
    /// none did. Only in the first reading, and not where the totals begin.
    pub gaps: Vec<Gap>,
    /// A baseline was taken or a gap found: lost, the next run would count anew from its own first reading, or find the
    /// same gap again. To be persisted at once.
    pub urgent: bool,
}

/// Totals per interface and day. Call `observe` each tick and `persist` each window, when an observation is urgent, and
/// at the end; what was not persisted when the collector dies is found again in the next run's gap.
#[derive(Debug)]
pub struct Counters {
    store: Store,
    zone: TimeZone,
    boot_id: Arc<str>,
    /// The link's speed in bytes a second, where it is known.
    speed: fn(&str) -> Option<u64>,
    seen: BTreeMap<String, Seen>,
    days: Days,
    changed_days: BTreeSet<(Date, String)>,
    /// Of the run before; taken by the first reading.
    stopped: Option<Timestamp>,
    last_reading: Option<Timestamp>,
    begun: Timestamp,
    first: bool,
}

impl Counters {
    /// Opens or creates `collector.redb` in `directory`.
    ///
    /// # Errors
    /// The file is another collector's, or cannot be created or written.
    pub fn open(directory: &Path) -> Result<Self, CounterError> {
        let boot_id = std::fs::read_to_string(BOOT_ID)
            .map_err(|source| CounterError::Read { path: BOOT_ID, source })?;
        Self::open_with(directory, TimeZone::system(), boot_id.trim(), link_speed)
    }

    fn open_with(
        directory: &Path,
        zone: TimeZone,
        boot_id: &str,
        speed: fn(&str) -> Option<u64>,
    ) -> Result<Self, CounterError> {
        let store = Store::open("totals", directory.join(FILE_NAME), stored::SCHEMA)?;
        let Contents { seen, days, last_reading, begun } = store.read(stored::read)?;
        Ok(Self {
            store,
            zone,
            boot_id: Arc::from(boot_id),
            speed,
            seen,
            days,
            changed_days: BTreeSet::new(),
            stopped: last_reading,
            last_reading,
            begun,
            first: true,
        })
    }

    /// Takes in a reading of all interfaces at wall time `now`, `boot_time` after boot (CLOCK_BOOTTIME). Growth is
    /// credited to the day of `now`; `in_totals` says whether an interface counts in totals over interfaces.
    pub fn observe(
        &mut self,
        now: Timestamp,
        boot_time: Duration,
        readings: &[Reading],
        in_totals: impl Fn(&str) -> bool,
    ) -> Observation {
        let today = now.to_zoned(self.zone.clone()).date();
        let mut observation =
            Observation { growth: Vec::with_capacity(readings.len()), ..Observation::default() };
        for reading in readings {
            let (judgement, kernel) = self.see(reading, now, boot_time);
            self.credit(today, &reading.name, kernel, in_totals(&reading.name));
            observation.urgent |= judgement == Judgement::First;
            let missed = self.first && self.stopped.is_some();
            if missed && kernel != KernelCounters::default() {
                observation.gaps.push(self.gap(now, &reading.name, judgement, kernel));
            }
            let kernel = if missed { KernelCounters::default() } else { kernel };
            observation.growth.push(Growth {
                name: reading.name.clone(),
                index: reading.index,
                kernel,
                judgement,
            });
        }
        if self.first && self.stopped.is_some() && observation.gaps.is_empty() {
            observation.gaps.push(self.gap(now, "", Judgement::Continued, KernelCounters::default()));
        }
        observation.urgent |= !observation.gaps.is_empty();
        self.first = false;
        self.last_reading = Some(now);
        observation
    }

    /// Sums of the day of the last reading.
    pub fn today(&self, name: &str) -> KernelCounters {
        let key = (self.date(), name.to_owned());
        self.days.get(&key).map(|total| total.kernel).unwrap_or_default()
    }

    /// Sums of the calendar month of the last reading.
    pub fn month(&self, name: &str) -> KernelCounters {
        let date = self.date();
        let rows = self.days.range((date.first_of_month(), String::new())..);
        let mut sum = KernelCounters::default();
        for (_, total) in
            rows.take_while(|((day, _), _)| *day <= date.last_of_month()).filter(|((_, row), _)| row == name)
        {
            sum += total.kernel;
        }
        sum
    }

    /// When the sums began: the time tells them from those of another file.
    pub fn begun(&self) -> Timestamp {
        self.begun
    }

    /// All days kept, oldest first.
    pub fn days(&self) -> Vec<DayRow> {
        let row = |((date, name), total): (&(Date, String), &DayTotal)| DayRow {
            date: *date,
            interface: name.clone(),
            kernel: total.kernel,
            in_totals: total.in_totals,
        };
        self.days.iter().map(row).collect()
    }

    /// Writes what changed, in one transaction, on disk when this returns. After an error call it again later: nothing
    /// is forgotten.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn persist(&mut self) -> Result<(), CounterError> {
        let Some(last_reading) = self.last_reading else { return Ok(()) };
        self.forget_the_old();
        let changed = self.changed_days.iter().filter_map(|key| self.days.get_key_value(key)).collect();
        let oldest_day = self.oldest_day();
        let changes =
            Changes { seen: &self.seen, days: changed, oldest_day, last_reading, begun: self.begun };
        self.store.write(|transaction| stored::write(transaction, &changes))?;
        self.changed_days.clear();
        Ok(())
    }

    /// Whether the file was replaced, or cannot be written now, and why.
    pub fn degraded(&self) -> Vec<Degraded> {
        self.store.degraded()
    }

    /// The growth since the reading before, under whatever name that was.
    fn see(&mut self, reading: &Reading, now: Timestamp, boot_time: Duration) -> (Judgement, KernelCounters) {
        let sight = Sight {
            boot_id: Arc::clone(&self.boot_id),
            index: reading.index,
            boot_time,
            counters: reading.counters,
        };
        let before = self.before(reading);
        let speed = before.as_ref().filter(|before| remarkable(&before.counters, &sight.counters));
        let speed = speed.and_then(|_| (self.speed)(&reading.name));
        let (judgement, growth) = judge(before.as_ref(), &sight, speed);
        log(judgement, reading, before.as_ref(), growth);
        match self.seen.get_mut(&reading.name) {
            Some(seen) => *seen = Seen { sight, time: now },
            None => {
                self.seen.insert(reading.name.clone(), Seen { sight, time: now });
            }
        }
        (judgement, growth)
    }

    /// What was last seen of this interface: within one boot its index tells, also when it was renamed; else its name.
    fn before(&mut self, reading: &Reading) -> Option<Sight> {
        let by_name = self.seen.get(&reading.name).map(|seen| seen.sight.clone());
        // without netlink an index may be unknown
        if reading.index == 0 {
            return by_name.map(|sight| Sight { index: 0, ..sight });
        }
        let same = |sight: &Sight| sight.index == reading.index && sight.boot_id == self.boot_id;
        if by_name.as_ref().is_some_and(same) {
            return by_name;
        }
        let renamed = self.seen.iter().find(|(_, seen)| same(&seen.sight)).map(|(name, _)| name.clone());
        match renamed.and_then(|name| self.seen.remove_entry(&name)) {
            Some((name, seen)) => {
                tracing::info!(from = name, to = reading.name, "an interface was renamed; its totals go on");
                Some(seen.sight)
            }
            None => by_name,
        }
    }

    fn credit(&mut self, today: Date, name: &str, kernel: KernelCounters, in_totals: bool) {
        let mut key = (today, name.to_owned());
        if !self.days.contains_key(&key) {
            if kernel == KernelCounters::default() {
                return;
            }
            let names =
                self.days.range((today, String::new())..).take_while(|((day, _), _)| *day == today).count();
            if names >= MOST_NAMES_A_DAY {
                key.1 = OTHERS.to_owned();
            }
        }
        let total = self.days.entry(key.clone()).or_default();
        if kernel == KernelCounters::default() && total.in_totals == in_totals {
            return;
        }
        total.kernel += kernel;
        total.in_totals = in_totals;
        self.changed_days.insert(key);
    }

    fn gap(&self, now: Timestamp, name: &str, judgement: Judgement, kernel: KernelCounters) -> Gap {
        let reason = match judgement {
            Judgement::Rebooted => "the collector was not running, and the machine was started anew",
            _ => "the collector was not running",
        };
        // the clock may have been set back meanwhile
        let start = self.stopped.unwrap_or(now).min(now);
        Gap { start, end: now, interface: name.to_owned(), reason: reason.to_owned(), kernel }
    }

    fn date(&self) -> Date {
        self.last_reading.unwrap_or_else(Timestamp::now).to_zoned(self.zone.clone()).date()
    }

    fn oldest_day(&self) -> Date {
        self.date().checked_sub(DAYS_KEPT.days()).unwrap_or(Date::MIN)
    }

    fn forget_the_old(&mut self) {
        let oldest_day = self.oldest_day();
        self.days.retain(|(date, _), _| *date >= oldest_day);
        while self.seen.len() > MOST_SEEN {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.time).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else { break };
            self.seen.remove(&oldest);
        }
    }
}

fn remarkable(before: &KernelCounters, now: &KernelCounters) -> bool {
    let grown = |before: u64, now: u64| now.wrapping_sub(before) > REMARKABLE_BYTES;
    grown(before.rx_bytes, now.rx_bytes) || grown(before.tx_bytes, now.tx_bytes)
}

fn log(judgement: Judgement, reading: &Reading, before: Option<&Sight>, growth: KernelCounters) {
    let before = before.map(|sight| sight.counters).unwrap_or_default();
    let (name, now, credited) = (&reading.name, reading.counters.bytes(), growth.bytes());
    match judgement {
        Judgement::Continued => {}
        Judgement::First => {
            tracing::info!(
                interface = name,
                bytes = now,
                "first sight of an interface: its counters are the baseline"
            );
        }
        Judgement::Implausible => tracing::warn!(
            interface = name,
            before_bytes = before.bytes(),
            now_bytes = now,
            "counters changed in a way the link cannot have carried; nothing is counted, a new baseline is taken"
        ),
        other => tracing::info!(
            interface = name,
            judgement = ?other,
            before_bytes = before.bytes(),
            now_bytes = now,
            credited_bytes = credited,
            "counters of an interface started anew"
        ),
    }
}

/// Only of devices with hardware behind them: a veth says 10 Gbit/s and carries more.
fn link_speed(name: &str) -> Option<u64> {
    let folder = Path::new("/sys/class/net").join(name);
    let megabits: u64 = std::fs::read_to_string(folder.join("speed")).ok()?.trim().parse().ok()?;
    (megabits > 0 && folder.join("device").exists()).then(|| megabits.saturating_mul(125_000))
}

#[cfg(test)]
#[path = "totals_tests.rs"]
mod tests;

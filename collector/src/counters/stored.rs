//! The totals' tables: what was last seen of each interface, and its sums by day.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};
use shared::report::KernelCounters;
use weir_shared as shared;

use super::growth::Sight;
use crate::database::Schema;

type Numbers = (u64, u64, u64, u64);
type StoredSight = (u32, &'static str, u64, i64, Numbers);

/// By name: index, boot id, milliseconds since boot, wall time in milliseconds since the epoch, counters.
const SEEN: TableDefinition<'static, &str, StoredSight> = TableDefinition::new("seen");
/// By date (YYYY-MM-DD) and name: sums of that day, and whether they count in totals over interfaces.
const DAYS: TableDefinition<'static, (&str, &str), (Numbers, bool)> = TableDefinition::new("days");
const TIMES: TableDefinition<'static, &str, i64> = TableDefinition::new("times");

/// Wall time of the last reading that is in the file.
const LAST_READING: &str = "last_reading";
/// Wall time at which the sums began.
const BEGUN: &str = "begun";

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) sight: Sight,
    pub(super) time: Timestamp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DayTotal {
    pub(super) kernel: KernelCounters,
    pub(super) in_totals: bool,
}

pub(super) type Days = BTreeMap<(Date, String), DayTotal>;

/// All that the file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) seen: BTreeMap<String, Seen>,
    pub(super) days: Days,
    pub(super) last_reading: Option<Timestamp>,
    pub(super) begun: Timestamp,
}

/// What one transaction changes.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    /// All of them: others are removed.
    pub(super) seen: &'a BTreeMap<String, Seen>,
    pub(super) days: Vec<(&'a (Date, String), &'a DayTotal)>,
    /// Rows before this date are removed.
    pub(super) oldest_day: Date,
    pub(super) last_reading: Timestamp,
    pub(super) begun: Timestamp,
}

pub(super) const SCHEMA: Schema = Schema { check: |transaction| read(transaction).map(drop), create };

fn create(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(SEEN)?;
    transaction.open_table(DAYS)?;
    transaction.open_table(TIMES)?.insert(BEGUN, Timestamp::now().as_millisecond())?;
    Ok(())
}

pub(super) fn read(transaction: &ReadTransaction) -> Result<Contents, redb::Error> {
    let mut contents = Contents::default();
    for entry in transaction.open_table(SEEN)?.iter()? {
        let (name, value) = entry?;
        let (index, boot_id, boot_millis, wall_millis, numbers) = value.value();
        let sight = Sight {
            boot_id: Arc::from(boot_id),
            index,
            boot_time: Duration::from_millis(boot_millis),
            counters: counters(numbers),
        };
        contents.seen.insert(name.value().to_owned(), Seen { sight, time: timestamp(wall_millis)? });
    }
    for entry in transaction.open_table(DAYS)?.iter()? {
        let (key, value) = entry?;
        let (date, name) = key.value();
        let (numbers, in_totals) = value.value();
        let date = date.parse().map_err(|error| redb::Error::Corrupted(format!("day {date:?}: {error}")))?;
        contents.days.insert((date, name.to_owned()), DayTotal { kernel: counters(numbers), in_totals });
    }
    let times = transaction.open_table(TIMES)?;
    let time = |name| times.get(name)?.map(|millis| timestamp(millis.value())).transpose();
    contents.last_reading = time(LAST_READING)?;
    contents.begun = time(BEGUN)?.unwrap_or_default();
    Ok(contents)
}

pub(super) fn write(transaction: &WriteTransaction, changes: &Changes<'_>) -> Result<(), redb::Error> {
    let mut seen = transaction.open_table(SEEN)?;
    seen.retain(|name, _| changes.seen.contains_key(name))?;
    for (name, Seen { sight, time }) in changes.seen {
        let boot_millis = u64::try_from(sight.boot_time.as_millis()).unwrap_or(u64::MAX);
        let numbers = numbers(sight.counters);
        seen.insert(
            name.as_str(),
            (sight.index, sight.boot_id.as_ref(), boot_millis, time.as_millisecond(), numbers),
        )?;
    }
    let mut days = transaction.open_table(DAYS)?;
    for ((date, name), total) in &changes.days {
        let value = (numbers(total.kernel), total.in_totals);
        days.insert((date.to_string().as_str(), name.as_str()), value)?;
    }
    let oldest = changes.oldest_day.to_string();
    days.retain_in(..(oldest.as_str(), ""), |_, _| false)?;
    let mut times = transaction.open_table(TIMES)?;
    times.insert(LAST_READING, changes.last_reading.as_millisecond())?;
    times.insert(BEGUN, changes.begun.as_millisecond())?;
    Ok(())
}

fn timestamp(millis: i64) -> Result<Timestamp, redb::Error> {
    Timestamp::from_millisecond(millis).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

const fn counters((rx_packets, rx_bytes, tx_packets, tx_bytes): Numbers) -> KernelCounters {
    KernelCounters { rx_packets, rx_bytes, tx_packets, tx_bytes }
}

const fn numbers(counters: KernelCounters) -> Numbers {
    (counters.rx_packets, counters.rx_bytes, counters.tx_packets, counters.tx_bytes)
}

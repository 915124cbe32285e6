//! Which level of detail answers a question about a range of time, and in which steps.
use jiff::Timestamp;
use sqlx::Row as _;

use super::{Store, StoreError};

/// Spans of the history. Windows are kept for the shortest time, days for the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Window = 0,
    Minute = 1,
    Hour = 2,
    Day = 3,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Window, Self::Minute, Self::Hour, Self::Day];

    pub(super) const fn number(self) -> i64 {
        self as i64
    }

    /// Length of a span; of a window as configured, so this is the usual one.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Window => 10_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

/// A half-open range of time, `from` included and `to` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Range {
    pub(super) fn millis(&self) -> (i64, i64) {
        (self.from.as_millisecond(), self.to.as_millisecond())
    }

    fn length(&self) -> i64 {
        self.to.as_millisecond().saturating_sub(self.from.as_millisecond()).max(0)
    }
}

/// Where a list or a series is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub level: Level,
    pub step_millis: i64,
}

impl Plan {
    /// The length of a step that is a multiple of its own; None where each span is a step. Days begin at local midnight
    /// and are no multiples of anything.
    fn multiple(self) -> Option<i64> {
        let Self { level, step_millis: step } = self;
        let native = step <= level.millis() && level != Level::Window;
        (step > 0 && !native).then_some(step)
    }

    /// Start of the step that a row of `table` lies in.
    pub(super) fn bucket(&self, table: &str) -> String {
        match self.multiple() {
            Some(step) => format!("{table}.start / {step} * {step}"),
            None => format!("{table}.start"),
        }
    }

    /// Start of the step that a span lies in.
    pub(super) fn step_of(&self, start: i64) -> i64 {
        self.multiple().map_or(start, |step| start / step * step)
    }

    /// Spans whose start is less than this after a step's are in it.
    pub(super) fn width(&self) -> i64 {
        self.multiple().unwrap_or(1)
    }
}

/// A chart has no more points than this.
pub const MOST_POINTS: i64 = 1_000;
/// Spans of one interface that a series may read.
const MOST_SPANS: i64 = 20_000;
/// Spans of one interface whose ranked rows a list may read.
const MOST_RANKED_SPANS: i64 = 4_000;

/// Steps that people can read off an axis, in seconds.
const STEPS: [i64; 20] = [
    1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800,
    604_800, 2_592_000,
];

/// What each level holds: its oldest span, and the length of its newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    oldest: [Option<i64>; 4],
    newest: Option<i64>,
    window_millis: Option<i64>,
}

impl Held {
    /// The first span of a level.
    pub(super) fn oldest(&self, level: Level) -> Option<i64> {
        self.oldest.get(level as usize).copied().flatten()
    }

    /// From the beginning of the history to the begin of its newest span; None: it is empty.
    pub fn reach(&self) -> Option<Range> {
        let mut begin = None;
        for level in Level::ALL {
            // a coarse span begins before the fine one that opened it
            let whole = |begin: i64, oldest: i64| oldest.saturating_add(level.millis()) <= begin;
            begin = match (begin, self.oldest(level)) {
                (Some(begin), Some(oldest)) if !whole(begin, oldest) => Some(begin),
                (begin, oldest) => oldest.or(begin),
            };
        }
        let time = |millis| Timestamp::from_millisecond(millis).ok();
        Some(Range { from: time(begin?)?, to: time(self.newest?)? })
    }

    /// The range cut to what there is, so that a question about all years is as cheap as the data allows.
    pub fn clamp(&self, range: Range) -> Range {
        let oldest = Level::ALL.iter().filter_map(|&level| self.oldest(level)).min();
        let (Some(oldest), Some(newest)) = (oldest, self.newest) else { return range };
        let (from, to) = range.millis();
        let from = from.max(oldest).min(to);
        let to = to.min(newest.saturating_add(Level::Minute.millis())).max(from);
        let time = |millis| Timestamp::from_millisecond(millis).unwrap_or(range.from);
        Range { from: time(from), to: time(to) }
    }

    fn level(&self, range: Range, most: i64) -> Level {
        let (from, _) = range.millis();
        let window = self.window_millis.unwrap_or(Level::Window.millis()).max(1_000);
        let reaches_back = |level: Level| {
            let coarser_reach = (Level::ALL.iter())
                .filter(|&&other| other > level)
                .filter_map(|&other| self.oldest(other).map(|oldest| oldest.saturating_add(other.millis())))
                .min();
            match (self.oldest(level), coarser_reach) {
                (Some(oldest), Some(reach)) => oldest <= from || oldest <= reach,
                (Some(_), None) => true,
                (None, _) => false,
            }
        };
        (Level::ALL.into_iter())
            .find(|&level| {
                let millis = if level == Level::Window { window } else { level.millis() };
                range.length() / millis <= most && reaches_back(level)
            })
            .unwrap_or(if self.oldest(Level::Day).is_some() { Level::Day } else { Level::Window })
    }

    /// The finest level that holds the whole range and is cheap enough; the smallest step of at most a thousand points.
    pub fn plan_series(&self, range: Range, step_millis: Option<i64>) -> Plan {
        let window = self.window_millis.unwrap_or(Level::Window.millis()).max(1_000);
        let level = self.level(range, MOST_SPANS);
        let finest = if level == Level::Window { window } else { level.millis() };
        let smallest = step_millis.unwrap_or(0).max(range.length() / MOST_POINTS).max(finest);
        let step_millis = match STEPS.iter().map(|step| step * 1_000).find(|&step| step >= smallest) {
            Some(step) if step_millis != Some(smallest) => step,
            _ => smallest,
        };
        Plan { level, step_millis }
    }

    pub fn plan_ranked(&self, range: Range) -> Plan {
        let level = self.level(range, MOST_RANKED_SPANS);
        Plan { level, step_millis: level.millis() }
    }
}

impl Store {
    /// What each level holds.
    pub async fn held(&self) -> Result<Held, StoreError> {
        let mut held = Held::default();
        let rows = sqlx::query(
            "SELECT l.value, (SELECT min(start) FROM span WHERE level = l.value), \
             (SELECT max(start) FROM span WHERE level = l.value) FROM json_each('[0,1,2,3]') l",
        )
        .fetch_all(&self.readers)
        .await?;
        for (row, oldest) in rows.iter().zip(held.oldest.iter_mut()) {
            *oldest = row.try_get(1)?;
            held.newest = held.newest.max(row.try_get(2)?);
        }
        held.window_millis =
            sqlx::query_scalar("SELECT length_millis FROM traffic_window ORDER BY id DESC LIMIT 1")
                .fetch_optional(&self.readers)
                .await?;
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn range(from: i64, to: i64) -> Range {
        Range {
            from: Timestamp::from_millisecond(from).unwrap(),
            to: Timestamp::from_millisecond(to).unwrap(),
        }
    }

    /// Windows of the last week, minutes of a month, hours of a year, days of four.
    fn years() -> Held {
        let now = 1_500 * DAY;
        Held {
            oldest: [
                Some(now - 7 * DAY),
                Some(now - 30 * DAY),
                Some(now - 400 * DAY),
                Some(now - 1_460 * DAY),
            ],
            newest: Some(now),
            window_millis: Some(10_000),
        }
    }

    #[test]
    fn any_range_has_at_most_a_thousand_points() {
        for days in [1, 2, 7, 30, 90, 400, 1_460] {
            let range = range((1_500 - days) * DAY, 1_500 * DAY);
            let plan = years().plan_series(range, None);
            assert!(days * DAY / plan.step_millis <= MOST_POINTS, "{days} days: {plan:?}");
        }
    }

    #[test]
    fn the_history_reaches_as_far_back_as_any_level_does() {
        assert_eq!(years().reach(), Some(range((1_500 - 1_460) * DAY, 1_500 * DAY)));
        assert_eq!(Held::default().reach(), None);
    }

    #[test]
    fn a_range_older_than_the_windows_is_read_from_a_level_that_still_has_it() {
        let old = range(1_480 * DAY, 1_480 * DAY + 3_600_000);
        assert_eq!(years().plan_series(old, None).level, Level::Minute);
        let older = range(1_300 * DAY, 1_300 * DAY + 3_600_000);
        assert_eq!(years().plan_series(older, None).level, Level::Hour);
    }

    #[test]
    fn a_young_history_shows_its_windows_although_the_range_begins_before_it() {
        let now = 1_500 * DAY;
        let start = now - 600_000;
        let held = Held {
            oldest: [
                Some(start),
                Some(start - start % 60_000),
                Some(start - start % 3_600_000),
                Some(start - start % DAY),
            ],
            newest: Some(now),
            window_millis: Some(10_000),
        };
        let plan = held.plan_series(range(now - 3_600_000, now), None);
        assert_eq!(plan, Plan { level: Level::Window, step_millis: 10_000 });
        assert_eq!(held.reach(), Some(range(start, now)), "its day began before it did");
    }
}

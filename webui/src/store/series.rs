//! Windows and coarser spans with their totals, newest first.
use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};
use weir_shared::report::{Count, InterfaceWindow, Window};

use super::columns::{self, PIECES, unsigned};
use super::range::{Level, Plan, Range};
use super::search::Search;
use super::{Store, StoreError, scope};

/// What a list of spans asks for.
#[derive(Clone, Debug)]
pub struct SeriesQuery {
    pub range: Range,
    /// None is all that count in totals.
    pub interface: Option<String>,
    /// One sum a span in place of one part an interface.
    pub summed: bool,
    /// Only spans with a row that has this in it; empty is all of them.
    pub search: String,
    /// None: chosen from the data. `Some(0)`: the windows themselves.
    pub step_millis: Option<i64>,
    pub limit: usize,
    /// Only spans that began before this.
    pub before: Option<Timestamp>,
}

/// Spans, newest first. `length_millis` of a span is the time that was watched in it.
#[derive(Clone, Debug)]
pub struct Series {
    pub range: Range,
    pub plan: Plan,
    pub windows: Vec<Window>,
    /// Give this as `before` for the next page.
    pub next: Option<Timestamp>,
}

impl Store {
    /// Spans of a range with their totals per interface.
    pub async fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        let held = self.held().await?;
        let range = held.clamp(query.range);
        let mut plan = held.plan_series(range, query.step_millis.filter(|&step| step > 0));
        if query.step_millis == Some(0) {
            plan = Plan { level: Level::Window, step_millis: 0 };
        } else if !query.search.trim().is_empty() {
            let coarse = held.plan_ranked(range);
            plan = if coarse.level > plan.level { coarse } else { plan };
        }
        let (mut from, mut to) = range.millis();
        // a block may name spans that are gone
        if let Some(oldest) = held.oldest(plan.level) {
            from = from.max(oldest);
        }
        if let Some(before) = query.before {
            to = to.min(before.as_millisecond());
        }
        let spans = Spans { plan, interface: query.interface.as_deref(), from, to };
        let (starts, more) = match Search::new(&query.search) {
            None => self.starts(&spans, query.limit).await?,
            Some(search) => self.matching_steps(&spans, &search, query.limit).await?,
        };
        let mut windows = self.windows_at(&spans, &starts).await?;
        if query.summed {
            for window in &mut windows {
                window.interfaces = vec![scope::merged(&window.interfaces)];
            }
        }
        let next = more.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        Ok(Series { range, plan, windows, next })
    }

    /// Sums over a range, with the applications; of all interfaces those that count in totals.
    pub async fn totals(
        &self,
        range: Range,
        interface: Option<&str>,
    ) -> Result<(Range, InterfaceWindow), StoreError> {
        let held = self.held().await?;
        let range = held.clamp(range);
        let (from, to) = range.millis();
        let sql = format!(
            "SELECT i.name AS interface, i.in_totals AS in_totals, {} FROM span s CROSS JOIN interface i \
             ON i.id = s.interface_id WHERE s.level = ?1 AND s.start >= ?2 AND s.start < ?3 AND {} GROUP BY i.id",
            PIECES.aggregates,
            scope::condition("s.interface_id", 4),
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(held.plan_series(range, None).level.number())
            .bind(from)
            .bind(to)
            .bind(interface)
            .fetch_all(&self.readers)
            .await?;
        let parts = rows.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let mut totals = scope::merged(&parts);
        totals.application = self.applications(range, interface).await?;
        Ok((range, totals))
    }

    /// Starts of steps, newest first, and where the next page begins.
    async fn starts(&self, spans: &Spans<'_>, limit: usize) -> Result<(Vec<i64>, Option<i64>), StoreError> {
        let sql = format!(
            "SELECT DISTINCT {bucket} AS bucket FROM span r WHERE r.level = ?1 AND r.start >= ?2 AND r.start < ?3 AND \
             {scope} ORDER BY bucket DESC LIMIT ?5",
            bucket = spans.plan.bucket("r"),
            scope = scope::condition("r.interface_id", 4),
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut starts: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(spans.plan.level.number())
            .bind(spans.from)
            .bind(spans.to)
            .bind(spans.interface)
            .bind(limit.saturating_add(1))
            .fetch_all(&self.readers)
            .await?;
        let more = usize::try_from(limit).is_ok_and(|limit| starts.len() > limit);
        if more {
            starts.pop();
        }
        let next = if more { starts.last().copied() } else { None };
        Ok((starts, next))
    }

    async fn windows_at(&self, spans: &Spans<'_>, starts: &[i64]) -> Result<Vec<Window>, StoreError> {
        if starts.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {bucket} AS bucket, i.name AS interface, i.in_totals AS in_totals, sum(s.length_millis) AS length, \
             {aggregates} FROM json_each(?5) j CROSS JOIN span s ON s.level = ?1 AND s.start >= max(?2, j.value) AND \
             s.start < min(?3, j.value + ?6) CROSS JOIN interface i ON i.id = s.interface_id WHERE {scope} \
             GROUP BY bucket, i.id ORDER BY bucket DESC, i.name",
            bucket = spans.plan.bucket("s"),
            scope = scope::condition("s.interface_id", 4),
            aggregates = PIECES.aggregates,
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(spans.plan.level.number())
            .bind(spans.from)
            .bind(spans.to)
            .bind(spans.interface)
            .bind(serde_json::json!(starts).to_string())
            .bind(spans.plan.width())
            .fetch_all(&self.readers)
            .await?;
        let mut applications = self.applications_at(spans, starts).await?;
        let mut windows: Vec<Window> = Vec::with_capacity(starts.len());
        for row in &rows {
            let start: i64 = row.try_get("bucket")?;
            let mut interface = part(row)?;
            if let Some(mix) = applications.remove(&(start, interface.interface.clone())) {
                interface.application = mix;
            }
            push(&mut windows, start, row.try_get("length")?, interface);
        }
        Ok(windows)
    }

    async fn applications_at(
        &self,
        spans: &Spans<'_>,
        starts: &[i64],
    ) -> Result<BTreeMap<(i64, String), BTreeMap<String, Count>>, StoreError> {
        let sql = format!(
            "SELECT {bucket} AS bucket, i.name, t.text, sum(r.rx_packets), sum(r.rx_bytes) FROM json_each(?5) j \
             CROSS JOIN ranked r ON r.level = ?1 AND r.kind = 5 AND r.start >= max(?2, j.value) AND \
             r.start < min(?3, j.value + ?6) CROSS JOIN interface i ON i.id = r.interface_id \
             CROSS JOIN term t ON t.id = r.key WHERE {scope} GROUP BY bucket, i.id, r.key",
            bucket = spans.plan.bucket("r"),
            scope = scope::condition("r.interface_id", 4),
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(spans.plan.level.number())
            .bind(spans.from)
            .bind(spans.to)
            .bind(spans.interface)
            .bind(serde_json::json!(starts).to_string())
            .bind(spans.plan.width())
            .fetch_all(&self.readers)
            .await?;
        let mut applications: BTreeMap<(i64, String), BTreeMap<String, Count>> = BTreeMap::new();
        for row in &rows {
            let count = Count { packets: unsigned(row.try_get(3)?), bytes: unsigned(row.try_get(4)?) };
            applications
                .entry((row.try_get(0)?, row.try_get(1)?))
                .or_default()
                .insert(row.try_get(2)?, count);
        }
        Ok(applications)
    }
}

/// Where a series is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans<'a> {
    pub(super) plan: Plan,
    pub(super) interface: Option<&'a str>,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// The totals of one interface, named.
fn part(row: &SqliteRow) -> Result<InterfaceWindow, sqlx::Error> {
    let mut part = columns::from_row(row)?;
    part.interface = row.try_get("interface")?;
    part.in_totals = row.try_get("in_totals")?;
    Ok(part)
}

/// Rows come in order of their start: an interface joins the window before it or begins the next.
fn push(windows: &mut Vec<Window>, start: i64, length: i64, interface: InterfaceWindow) {
    let start = Timestamp::from_millisecond(start).unwrap_or_default();
    let length_millis = u32::try_from(length).unwrap_or(u32::MAX);
    match windows.last_mut().filter(|window| window.start == start) {
        Some(window) => {
            window.length_millis = window.length_millis.max(length_millis);
            window.interfaces.push(interface);
        }
        None => windows.push(Window { start, length_millis, interfaces: vec![interface] }),
    }
}

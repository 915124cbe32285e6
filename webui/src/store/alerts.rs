//! Alerts and gaps out of the history.
use jiff::Timestamp;
use sqlx::Row as _;
use weir_shared::alert::{Alert, AlertState, Severity};
use weir_shared::report::{Gap, KernelCounters};

use super::columns::unsigned;
use super::range::Range;
use super::{Store, StoreError};

/// What a list of alerts asks for.
#[derive(Clone, Debug)]
pub struct AlertQuery {
    pub range: Range,
    /// Part of subject, kind or message; empty is all of them.
    pub search: String,
    pub limit: usize,
    /// The identity of the last row of the page before.
    pub before: Option<i64>,
}

/// Alerts, newest first.
#[derive(Clone, Debug)]
pub struct AlertPage {
    pub alerts: Vec<Alert>,
    pub next: Option<i64>,
}

impl Store {
    /// Starts, updates and ends of alerts, newest first.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<AlertPage, StoreError> {
        let (from, to) = query.range.millis();
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT id, alert_id, time, kind, state, severity, subject, subjects, message, evidence FROM alert \
             WHERE id < ?1 AND time >= ?2 AND time < ?3 AND (?4 = '' OR instr(lower(kind), lower(?4)) OR \
             instr(lower(subject), lower(?4)) OR instr(lower(message), lower(?4)) OR instr(lower(subjects), lower(?4))) \
             ORDER BY id DESC LIMIT ?5",
        )
        .bind(query.before.unwrap_or(i64::MAX))
        .bind(from)
        .bind(to)
        .bind(query.search.trim())
        .bind(limit.saturating_add(1))
        .fetch_all(&self.readers)
        .await?;
        let mut page = AlertPage { alerts: Vec::new(), next: None };
        let mut last = None;
        for row in &rows {
            if page.alerts.len() == query.limit {
                page.next = last;
                break;
            }
            last = Some(row.try_get("id")?);
            page.alerts.push(alert(row)?);
        }
        Ok(page)
    }

    /// Spans that were not seen, newest first.
    pub async fn gaps(&self, range: Range, limit: usize) -> Result<Vec<Gap>, StoreError> {
        let (from, to) = range.millis();
        let rows = sqlx::query(
            "SELECT start, end, interface, reason, rx_packets, rx_bytes, tx_packets, tx_bytes FROM gap \
             WHERE end >= ?1 AND start < ?2 ORDER BY start DESC LIMIT ?3",
        )
        .bind(from)
        .bind(to)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Gap {
                    start: Timestamp::from_millisecond(row.try_get(0)?).unwrap_or_default(),
                    end: Timestamp::from_millisecond(row.try_get(1)?).unwrap_or_default(),
                    interface: row.try_get(2)?,
                    reason: row.try_get(3)?,
                    kernel: kernel(row, 4)?,
                })
            })
            .collect()
    }
}

pub(super) fn kernel(row: &sqlx::sqlite::SqliteRow, first: usize) -> Result<KernelCounters, sqlx::Error> {
    let at = |index: usize| -> Result<u64, sqlx::Error> { Ok(unsigned(row.try_get(first + index)?)) };
    Ok(KernelCounters { rx_packets: at(0)?, rx_bytes: at(1)?, tx_packets: at(2)?, tx_bytes: at(3)? })
}

fn alert(row: &sqlx::sqlite::SqliteRow) -> Result<Alert, sqlx::Error> {
    let json = |column: &str| -> Result<serde_json::Value, sqlx::Error> {
        Ok(serde_json::from_str(&row.try_get::<String, _>(column)?).unwrap_or_default())
    };
    let words =
        |value: serde_json::Value| -> Vec<String> { serde_json::from_value(value).unwrap_or_default() };
    Ok(Alert {
        id: row.try_get::<i64, _>("alert_id")?.cast_unsigned(),
        time: Timestamp::from_millisecond(row.try_get("time")?).unwrap_or_default(),
        kind: row.try_get("kind")?,
        state: match row.try_get::<String, _>("state")?.as_str() {
            "update" => AlertState::Update,
            "end" => AlertState::End,
            _ => AlertState::Start,
        },
        severity: match row.try_get::<String, _>("severity")?.as_str() {
            "critical" => Severity::Critical,
            "warning" => Severity::Warning,
            _ => Severity::Info,
        },
        subject: row.try_get("subject")?,
        subjects: words(json("subjects")?),
        message: row.try_get("message")?,
        evidence: json("evidence")?.as_object().cloned().unwrap_or_default(),
    })
}

//! Retention: history ends by age, and by size where age is not enough.
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteQueryResult;

use super::range::Level;
use super::{Store, StoreError};

/// How long each level is kept; None is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub days: [Option<u32>; 4],
    pub max_bytes: u64,
}

/// Rows removed in one transaction, so that ingest never waits long for the lock.
const BATCH: i64 = 5_000;
const DAY_MILLIS: i64 = 86_400_000;
/// The database is cut to this share of its limit, so that it is not cut again at once.
const CUT_TO_PERCENT: u64 = 95;
/// Pages returned to the file system in one transaction.
const VACUUM_PAGES: i64 = 2_000;

impl Store {
    /// Removes what is older than its level keeps, and alerts, events, gaps,
    /// sessions and days' totals older than the coarsest. Returns the rows removed.
    pub async fn prune_by_age(&self, limits: &Limits, now: Timestamp) -> Result<u64, StoreError> {
        let mut removed = 0;
        for (level, days) in Level::ALL.into_iter().zip(limits.days) {
            let Some(days) = days else { continue };
            let before = now.as_millisecond().saturating_sub(i64::from(days).saturating_mul(DAY_MILLIS));
            removed += self.remove_before(level, before).await?;
            if level == Level::Day {
                removed += self.remove_events_before(before).await?;
                removed += self.remove_days_before(before).await?;
            }
        }
        Ok(removed)
    }

    /// Removes the oldest of the finest level until the database is within its limit, then of the next. Returns the rows
    /// removed.
    pub async fn prune_by_size(&self, limits: &Limits) -> Result<u64, StoreError> {
        let mut removed = 0;
        if self.used_bytes().await? <= limits.max_bytes {
            return Ok(0);
        }
        let goal = limits.max_bytes / 100 * CUT_TO_PERCENT;
        for level in Level::ALL {
            while self.used_bytes().await? > goal {
                let Some(before) = self.next_cut(level).await? else { break };
                let now = self.remove_before(level, before).await?;
                if now == 0 {
                    break;
                }
                removed += now;
            }
        }
        Ok(removed)
    }

    /// Bytes of the database that hold something.
    pub async fn used_bytes(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count), \
             (SELECT page_size FROM pragma_page_size)",
        )
        .fetch_one(&self.readers)
        .await?;
        let (pages, size): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(pages.saturating_mul(size).unsigned_abs())
    }

    /// Returns free pages to the file system.
    pub async fn vacuum(&self) -> Result<(), StoreError> {
        loop {
            let free: i64 = sqlx::query_scalar("SELECT freelist_count FROM pragma_freelist_count")
                .fetch_one(&self.writer)
                .await?;
            if free == 0 {
                break;
            }
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"));
            sqlx::query(sql).fetch_all(&self.writer).await?;
            let left: i64 = sqlx::query_scalar("SELECT freelist_count FROM pragma_freelist_count")
                .fetch_one(&self.writer)
                .await?;
            if left >= free {
                break;
            }
        }
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_all(&self.writer).await?;
        Ok(())
    }

    /// Removes texts, 5-tuples and owners that no row names any more. Returns how many.
    pub async fn prune_terms(&self) -> Result<u64, StoreError> {
        let mut removed = 0;
        // what was used since the oldest window was written is certainly named, and needs no search
        let before: Option<i64> = sqlx::query_scalar("SELECT min(start) - 86400000 FROM traffic_window")
            .fetch_one(&self.readers)
            .await?;
        let before = before.unwrap_or(i64::MAX);
        let flows: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM flow WHERE last_used < ?1 EXCEPT SELECT key FROM ranked WHERE kind = 1 AND level > 0",
        )
        .bind(before)
        .fetch_all(&self.readers)
        .await?;
        removed += self
            .remove_unused(
                "DELETE FROM flow WHERE last_used < ?2 AND id IN (SELECT value FROM json_each(?1))",
                &flows,
                before,
            )
            .await?;
        let owners: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM owner WHERE last_used < ?1 EXCEPT SELECT key FROM ranked WHERE kind = 6 AND level > 0 \
             EXCEPT SELECT initiator_owner / 8 FROM ranked WHERE kind = 1 AND level > 0 \
             EXCEPT SELECT responder_owner / 8 FROM ranked WHERE kind = 1 AND level > 0 \
             EXCEPT SELECT owner FROM session_owner",
        )
        .bind(before)
        .fetch_all(&self.readers)
        .await?;
        removed += self
            .remove_unused(
                "DELETE FROM owner WHERE last_used < ?2 AND id IN (SELECT value FROM json_each(?1))",
                &owners,
                before,
            )
            .await?;
        let terms: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM term WHERE last_used < ?1 EXCEPT SELECT key FROM ranked WHERE kind BETWEEN 2 AND 5 AND level > 0 \
             EXCEPT SELECT name FROM ranked WHERE level > 0 EXCEPT SELECT label FROM ranked WHERE level > 0 \
             EXCEPT SELECT state FROM ranked WHERE level > 0 EXCEPT SELECT initiator FROM flow \
             EXCEPT SELECT responder FROM flow",
        )
        .bind(before)
        .fetch_all(&self.readers)
        .await?;
        removed += self
            .remove_unused(
                "DELETE FROM term WHERE last_used < ?2 AND id IN (SELECT value FROM json_each(?1))",
                &terms,
                before,
            )
            .await?;
        Ok(removed)
    }

    async fn remove_unused(&self, sql: &'static str, ids: &[i64], before: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        for batch in ids.chunks(2_000) {
            let query = sqlx::query(sql).bind(serde_json::json!(batch).to_string()).bind(before);
            removed += self.write(query).await?;
        }
        Ok(removed)
    }

    /// A time a little after the oldest span of a level; None where it holds nothing that may go.
    async fn next_cut(&self, level: Level) -> Result<Option<i64>, StoreError> {
        let oldest: Option<i64> = sqlx::query_scalar(
            "SELECT min(start) FROM span WHERE level = ?1 AND (level > 0 OR window_id <= \
             (SELECT window_id FROM rollup_position))",
        )
        .bind(level.number())
        .fetch_one(&self.readers)
        .await?;
        // an hour of windows, a day of minutes, sixty hours, sixty days
        Ok(oldest.map(|start| {
            start.saturating_add(level.millis().saturating_mul(match level {
                Level::Window => 360,
                Level::Minute => 1_440,
                Level::Hour | Level::Day => 60,
            }))
        }))
    }

    /// Removes the spans of a level that began before a time; of windows only those that were added to the coarser levels.
    async fn remove_before(&self, level: Level, before: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        for kind in 1..=6_i64 {
            removed += self
                .remove_batches(
                    "DELETE FROM ranked WHERE (level, kind, start, interface_id, window_id, key) IN \
                     (SELECT level, kind, start, interface_id, window_id, key FROM ranked WHERE level = ?1 AND \
                     kind = ?4 AND start < ?2 AND window_id <= (SELECT window_id FROM rollup_position) LIMIT ?3)",
                    (level, before, kind),
                )
                .await?;
        }
        removed += self
            .remove_batches(
                "DELETE FROM search_block WHERE id IN (SELECT id FROM search_block WHERE level = ?1 AND last_start < ?2 \
                 AND ?4 = 0 LIMIT ?3)",
                (level, before, 0),
            )
            .await?;
        removed += self
            .remove_batches(
                "DELETE FROM span WHERE (level, start, interface_id, window_id) IN (SELECT level, start, interface_id, \
                 window_id FROM span WHERE level = ?1 AND start < ?2 AND window_id <= (SELECT window_id FROM \
                 rollup_position) AND ?4 = 0 LIMIT ?3)",
                (level, before, 0),
            )
            .await?;
        if level == Level::Window {
            removed += self
                .remove_batches(
                    "DELETE FROM traffic_window WHERE id IN (SELECT id FROM traffic_window WHERE start < ?2 AND ?1 = 0 \
                     AND id <= (SELECT window_id FROM rollup_position) AND ?4 = 0 LIMIT ?3)",
                    (level, before, 0),
                )
                .await?;
        }
        Ok(removed)
    }

    async fn remove_events_before(&self, before: i64) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let alerts =
            sqlx::query("DELETE FROM alert WHERE time < ?1").bind(before).execute(&mut *transaction).await?;
        let gaps =
            sqlx::query("DELETE FROM gap WHERE start < ?1").bind(before).execute(&mut *transaction).await?;
        let events =
            sqlx::query("DELETE FROM event WHERE time < ?1").bind(before).execute(&mut *transaction).await?;
        let sessions = sqlx::query("DELETE FROM monitoring_session WHERE end < ?1")
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok([alerts, gaps, events, sessions].iter().map(SqliteQueryResult::rows_affected).sum())
    }

    async fn remove_batches(
        &self,
        sql: &'static str,
        (level, before, kind): (Level, i64, i64),
    ) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let query = sqlx::query(sql).bind(level.number()).bind(before).bind(BATCH).bind(kind);
            let now = self.write(query).await?;
            removed += now;
            if now < BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}

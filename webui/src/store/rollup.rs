//! Roll-up: each window is added exactly once to its minute, hour and day, in one transaction with how far that went.
//! A late window is added like any other, so that running this twice, or after a crash, changes nothing.
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::columns::PIECES;
use super::range::Level;
use super::{Store, StoreError, search};

/// Windows a transaction, so that ingest never waits long for the lock.
const BATCH: i64 = 60;
/// Spans that closed less than this ago are not trimmed yet.
const GRACE_MILLIS: i64 = 120_000;
/// Spans trimmed in one transaction.
const TRIM_BATCH: i64 = 30;

/// Rows a kind and interface that a span keeps; what is over goes to its remainder.
const fn kept_rows(level: Level) -> i64 {
    match level {
        Level::Window => i64::MAX,
        Level::Minute => 50,
        Level::Hour | Level::Day => 200,
    }
}

/// Start of the span that a window belongs to; `w` is its row in traffic_window.
const fn bucket(level: Level) -> &'static str {
    match level {
        Level::Window => "w.start",
        Level::Minute => "w.start / 60000 * 60000",
        Level::Hour => "w.start / 3600000 * 3600000",
        Level::Day => "w.day_start",
    }
}

const COARSE: [Level; 3] = [Level::Minute, Level::Hour, Level::Day];

impl Store {
    /// Adds the next windows to the coarser levels; returns how many. 0: all have been added.
    pub async fn roll_up(&self) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "SELECT count(*), max(id), min(start) FROM (SELECT id, start FROM traffic_window \
             WHERE id > (SELECT window_id FROM rollup_position) ORDER BY id LIMIT ?1)",
        )
        .bind(BATCH)
        .fetch_one(&mut *transaction)
        .await?;
        let (count, last): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        let (Some(last), Some(oldest)) = (last, row.try_get::<Option<i64>, _>(2)?) else { return Ok(0) };
        for level in COARSE {
            add_spans(&mut transaction, level, last).await?;
            add_ranked(&mut transaction, level, last).await?;
            sqlx::query("UPDATE trimmed SET before = min(before, ?2 - ?3) WHERE level = ?1")
                .bind(level.number())
                .bind(oldest)
                // a day in local time begins at most so long before the window
                .bind(if level == Level::Day {
                    level.millis() + Level::Hour.millis()
                } else {
                    level.millis()
                })
                .execute(&mut *transaction)
                .await?;
            search::forget(&mut transaction, level).await?;
        }
        sqlx::query("UPDATE rollup_position SET window_id = ?1")
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(count.unsigned_abs())
    }

    /// Cuts closed coarse spans to their highest rows; the rest goes to the remainder, so that sums stay exact. Returns
    /// how many spans were cut.
    pub async fn trim(&self, now_millis: i64) -> Result<u64, StoreError> {
        let mut trimmed = 0;
        for level in COARSE {
            trimmed += self.trim_level(level, now_millis).await?;
        }
        Ok(trimmed)
    }

    async fn trim_level(&self, level: Level, now_millis: i64) -> Result<u64, StoreError> {
        let length = if level == Level::Day { level.millis() + Level::Hour.millis() } else { level.millis() };
        let closed_before = now_millis.saturating_sub(length).saturating_sub(GRACE_MILLIS);
        let starts: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT start FROM span WHERE level = ?1 AND start >= (SELECT before FROM trimmed WHERE level = ?1) \
             AND start < ?2 ORDER BY start LIMIT ?3",
        )
        .bind(level.number())
        .bind(closed_before)
        .bind(TRIM_BATCH)
        .fetch_all(&self.readers)
        .await?;
        let Some(last) = starts.last().copied() else { return Ok(0) };
        let mut transaction = self.begin().await?;
        for start in &starts {
            trim_span(&mut transaction, level, *start).await?;
        }
        sqlx::query("UPDATE trimmed SET before = ?2 WHERE level = ?1")
            .bind(level.number())
            .bind(last.saturating_add(1))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(u64::try_from(starts.len()).unwrap_or(u64::MAX))
    }
}

async fn add_spans(connection: &mut SqliteConnection, level: Level, last: i64) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO span (level, start, interface_id, window_id, length_millis, {names}) \
         SELECT {level}, {bucket} AS bucket, s.interface_id, 0, sum(s.length_millis), {aggregates} \
         FROM traffic_window w CROSS JOIN span s ON s.level = 0 AND s.start = w.start AND s.window_id = w.id \
         WHERE w.id > (SELECT window_id FROM rollup_position) AND w.id <= ?1 GROUP BY bucket, s.interface_id \
         ON CONFLICT DO UPDATE SET length_millis = length_millis + excluded.length_millis, {additions}",
        level = level.number(),
        bucket = bucket(level),
        names = PIECES.names,
        aggregates = PIECES.aggregates,
        additions = PIECES.additions,
    );
    sqlx::query(AssertSqlSafe(sql)).bind(last).execute(connection).await?;
    Ok(())
}

const RANKED_NAMES: &str = "level, kind, start, interface_id, window_id, key, rx_packets, rx_bytes, tx_packets, \
    tx_bytes, first_seen, last_seen, name, label, direction, round_trip_micros, retransmitted_segments, zero_windows, \
    resets, state, other_rows, rx_payload_bytes, tx_payload_bytes, initiator_owner, responder_owner";

/// How a row is added to one that stands already. Of names and states the later stays; how many rows a remainder stands
/// for cannot be added up, since the same row may be in several.
const RANKED_ADDITIONS: &str = "rx_packets = rx_packets + excluded.rx_packets, rx_bytes = rx_bytes + excluded.rx_bytes, \
    tx_packets = tx_packets + excluded.tx_packets, tx_bytes = tx_bytes + excluded.tx_bytes, \
    first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen), \
    name = coalesce(excluded.name, name), label = coalesce(excluded.label, label), \
    round_trip_micros = coalesce(round_trip_micros, excluded.round_trip_micros), \
    retransmitted_segments = retransmitted_segments + excluded.retransmitted_segments, \
    zero_windows = zero_windows + excluded.zero_windows, resets = resets + excluded.resets, \
    state = coalesce(excluded.state, state), other_rows = max(other_rows, excluded.other_rows), \
    direction = max(direction, excluded.direction), \
    rx_payload_bytes = rx_payload_bytes + excluded.rx_payload_bytes, \
    tx_payload_bytes = tx_payload_bytes + excluded.tx_payload_bytes, \
    initiator_owner = iif(initiator_owner / 8 <> excluded.initiator_owner / 8, -1, \
    coalesce(max(initiator_owner, excluded.initiator_owner), initiator_owner, excluded.initiator_owner)), \
    responder_owner = iif(responder_owner / 8 <> excluded.responder_owner / 8, -1, \
    coalesce(max(responder_owner, excluded.responder_owner), responder_owner, excluded.responder_owner))";

/// The owner of a flow's end over several spans; -1 where it had one after the other.
pub(super) fn one(column: &str) -> String {
    format!("iif(min({column}) / 8 < max({column}) / 8, -1, max({column}))")
}

async fn add_ranked(connection: &mut SqliteConnection, level: Level, last: i64) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO ranked ({RANKED_NAMES}) SELECT {level}, r.kind, {bucket} AS bucket, r.interface_id, 0, r.key, \
         sum(r.rx_packets), sum(r.rx_bytes), sum(r.tx_packets), sum(r.tx_bytes), min(r.first_seen), max(r.last_seen), \
         max(r.name), max(r.label), max(r.direction), max(r.round_trip_micros), sum(r.retransmitted_segments), \
         sum(r.zero_windows), sum(r.resets), max(r.state), max(r.other_rows), sum(r.rx_payload_bytes), \
         sum(r.tx_payload_bytes), {initiator}, {responder} \
         FROM traffic_window w CROSS JOIN json_each('[1,2,3,4,5,6]') k \
         CROSS JOIN ranked r ON r.level = 0 AND r.kind = k.value AND r.start = w.start AND r.window_id = w.id \
         WHERE w.id > (SELECT window_id FROM rollup_position) AND w.id <= ?1 \
         GROUP BY r.kind, bucket, r.interface_id, r.key ON CONFLICT DO UPDATE SET {RANKED_ADDITIONS}",
        level = level.number(),
        bucket = bucket(level),
        initiator = one("r.initiator_owner"),
        responder = one("r.responder_owner"),
    );
    sqlx::query(AssertSqlSafe(sql)).bind(last).execute(connection).await?;
    Ok(())
}

/// The rows of a span beyond the highest. Applications are few and all kept.
const BEYOND: &str = "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY kind, interface_id \
    ORDER BY rx_bytes + tx_bytes DESC, key) AS place FROM ranked WHERE level = ?1 AND kind IN (1, 2, 3, 4, 6) \
    AND start = ?2 AND key <> 0) WHERE place > ?3";

async fn trim_span(connection: &mut SqliteConnection, level: Level, start: i64) -> Result<(), StoreError> {
    let add = format!(
        "INSERT INTO ranked ({RANKED_NAMES}) SELECT level, kind, start, interface_id, 0, 0, sum(rx_packets), \
         sum(rx_bytes), sum(tx_packets), sum(tx_bytes), min(first_seen), max(last_seen), NULL, NULL, NULL, NULL, NULL, \
         NULL, NULL, NULL, count(*), NULL, NULL, NULL, NULL FROM ({BEYOND}) WHERE true GROUP BY kind, interface_id \
         ON CONFLICT DO UPDATE SET rx_packets = rx_packets + excluded.rx_packets, rx_bytes = rx_bytes + \
         excluded.rx_bytes, tx_packets = tx_packets + excluded.tx_packets, tx_bytes = tx_bytes + excluded.tx_bytes, \
         other_rows = coalesce(other_rows, 0) + excluded.other_rows"
    );
    let remove = format!(
        "DELETE FROM ranked WHERE (level, kind, start, interface_id, window_id, key) IN \
         (SELECT level, kind, start, interface_id, window_id, key FROM ({BEYOND}))"
    );
    for sql in [add, remove] {
        sqlx::query(AssertSqlSafe(sql))
            .bind(level.number())
            .bind(start)
            .bind(kept_rows(level))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

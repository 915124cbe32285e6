//! Storing what the collector's journal says: each entry once, in one transaction with its position.
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};
use weir_shared::alert::Alert;
use weir_shared::journal::{JournalEntry, JournalRecord};
use weir_shared::report::{Gap, InterfaceWindow, Window};

use super::columns::{self, PIECES, signed};
use super::intern::Numbers;
use super::{Store, StoreError, events, ranked, sessions};

/// The last entry stored, and the journal it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub journal_id: String,
    pub sequence: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    New,
    /// It had been stored before: nothing changed.
    Known,
}

impl Store {
    /// How far the journal has been stored; None before the first entry.
    pub async fn position(&self) -> Result<Option<Position>, StoreError> {
        let row = sqlx::query("SELECT journal_id, sequence FROM journal_position")
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| {
            let sequence = columns::unsigned(row.try_get(1)?);
            Ok(Position { journal_id: row.try_get(0)?, sequence })
        })
        .transpose()
    }

    /// When the newest window ended; None in a new history.
    pub async fn newest_end(&self) -> Result<Option<Timestamp>, StoreError> {
        let end: Option<i64> =
            sqlx::query_scalar("SELECT start + length_millis FROM traffic_window ORDER BY id DESC LIMIT 1")
                .fetch_optional(&self.readers)
                .await?;
        Ok(end.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }

    /// Stores entries in order, all or none of them.
    pub async fn store_entries(
        &self,
        journal_id: &str,
        entries: &[JournalEntry],
    ) -> Result<Vec<Stored>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut outcomes = Vec::with_capacity(entries.len());
        for entry in entries {
            outcomes.push(store_entry(&mut transaction, journal_id, entry).await?);
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    /// Passes over an entry that cannot be stored: the gap takes its place, at its position.
    pub async fn store_gap_instead(&self, position: &Position, gap: &Gap) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let sequence = signed(position.sequence);
        insert_gap(&mut transaction, &position.journal_id, Some(sequence), gap).await?;
        set_position(&mut transaction, &position.journal_id, sequence).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores a gap that this program found itself: another journal than before, or entries that the ring no longer has.
    /// `next` becomes the position, so that the same gap is not found again.
    pub async fn store_own_gap(&self, gap: &Gap, next: &Position) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        insert_gap(&mut transaction, &next.journal_id, None, gap).await?;
        set_position(&mut transaction, &next.journal_id, signed(next.sequence)).await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn store_entry(
    connection: &mut SqliteConnection,
    journal_id: &str,
    entry: &JournalEntry,
) -> Result<Stored, StoreError> {
    let sequence = signed(entry.sequence);
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM journal_position WHERE journal_id = ?1 AND sequence >= ?2)",
    )
    .bind(journal_id)
    .bind(sequence)
    .fetch_one(&mut *connection)
    .await?;
    if known {
        return Ok(Stored::Known);
    }
    match &entry.record {
        JournalRecord::Window(window) => insert_window(connection, journal_id, sequence, window).await?,
        JournalRecord::Alert(alert) => insert_alert(connection, journal_id, sequence, alert).await?,
        JournalRecord::Gap(gap) => insert_gap(connection, journal_id, Some(sequence), gap).await?,
        JournalRecord::Session(session) => {
            sessions::insert(connection, journal_id, sequence, session).await?;
        }
        JournalRecord::Event(event) => events::insert(connection, journal_id, sequence, event).await?,
    }
    set_position(connection, journal_id, sequence).await?;
    Ok(Stored::New)
}

async fn set_position(
    connection: &mut SqliteConnection,
    journal_id: &str,
    sequence: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO journal_position VALUES (1, ?1, ?2) \
         ON CONFLICT DO UPDATE SET journal_id = excluded.journal_id, sequence = excluded.sequence",
    )
    .bind(journal_id)
    .bind(sequence)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_window(
    connection: &mut SqliteConnection,
    journal_id: &str,
    sequence: i64,
    window: &Window,
) -> Result<(), StoreError> {
    let window_id = sqlx::query(
        "INSERT INTO traffic_window (journal_id, sequence, start, length_millis, day_start) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(journal_id)
    .bind(sequence)
    .bind(window.start.as_millisecond())
    .bind(i64::from(window.length_millis))
    .bind(day_start(window.start))
    .execute(&mut *connection)
    .await?
    .last_insert_rowid();
    let numbers = Numbers::of(connection, window).await?;
    for interface in &window.interfaces {
        let interface_id = interface_id(connection, interface).await?;
        let place = Place { window_id, interface_id };
        insert_span(connection, &place, window, interface).await?;
        ranked::insert(connection, &place, window, &ranked::rows(window, interface, &numbers)).await?;
    }
    Ok(())
}

/// Where the rows of one interface's window belong.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) window_id: i64,
    pub(super) interface_id: i64,
}

async fn interface_id(
    connection: &mut SqliteConnection,
    interface: &InterfaceWindow,
) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO interface (name, in_totals) VALUES (?1, ?2) \
         ON CONFLICT (name) DO UPDATE SET in_totals = excluded.in_totals RETURNING id",
    )
    .bind(&interface.interface)
    .bind(interface.in_totals)
    .fetch_one(connection)
    .await?)
}

async fn insert_span(
    connection: &mut SqliteConnection,
    place: &Place,
    window: &Window,
    interface: &InterfaceWindow,
) -> Result<(), StoreError> {
    // in journals of earlier collectors, an interface that went and came back within a window is in it twice
    let sql = format!(
        "INSERT INTO span (level, start, interface_id, window_id, length_millis, {}) VALUES (0, ?, ?, ?, ?, {}) \
         ON CONFLICT DO UPDATE SET {}",
        PIECES.names, PIECES.marks, PIECES.additions
    );
    let mut query = sqlx::query(AssertSqlSafe(sql))
        .bind(window.start.as_millisecond())
        .bind(place.interface_id)
        .bind(place.window_id)
        .bind(i64::from(window.length_millis));
    for value in columns::values(interface) {
        query = query.bind(value);
    }
    query.execute(connection).await?;
    Ok(())
}

async fn insert_alert(
    connection: &mut SqliteConnection,
    journal_id: &str,
    sequence: i64,
    alert: &Alert,
) -> Result<(), StoreError> {
    let word = |value: Result<Value, serde_json::Error>| match value {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    };
    sqlx::query(
        "INSERT INTO alert (journal_id, sequence, alert_id, time, kind, state, severity, subject, subjects, message, \
         evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(journal_id)
    .bind(sequence)
    // an id is a name here, not an amount: all 64 bits are kept
    .bind(alert.id.cast_signed())
    .bind(alert.time.as_millisecond())
    .bind(&alert.kind)
    .bind(word(serde_json::to_value(alert.state)))
    .bind(word(serde_json::to_value(alert.severity)))
    .bind(&alert.subject)
    .bind(Value::from(alert.subjects.clone()).to_string())
    .bind(&alert.message)
    .bind(Value::Object(alert.evidence.clone()).to_string())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_gap(
    connection: &mut SqliteConnection,
    journal_id: &str,
    sequence: Option<i64>,
    gap: &Gap,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO gap (journal_id, sequence, start, end, interface, reason, rx_packets, rx_bytes, tx_packets, \
         tx_bytes, day_start) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(journal_id)
    .bind(sequence)
    .bind(gap.start.as_millisecond())
    .bind(gap.end.as_millisecond())
    .bind(&gap.interface)
    .bind(&gap.reason)
    .bind(signed(gap.kernel.rx_packets))
    .bind(signed(gap.kernel.rx_bytes))
    .bind(signed(gap.kernel.tx_packets))
    .bind(signed(gap.kernel.tx_bytes))
    .bind(day_start(gap.start))
    .execute(connection)
    .await?;
    Ok(())
}

/// The first instant of the day in this machine's time zone, which is the collector's too.
pub(super) fn day_start(time: Timestamp) -> i64 {
    let zoned = time.to_zoned(TimeZone::system());
    zoned.start_of_day().map_or_else(|_| time.as_millisecond(), |start| start.timestamp().as_millisecond())
}

//! Events out of the history, and into it.
use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection};
use weir_shared::alert::Event;

use super::alerts::AlertQuery;
use super::{Store, StoreError};

/// Events, newest first.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<Event>,
    pub next: Option<i64>,
}

impl Store {
    /// What somebody did or what happened once, newest first; asked for as alerts are.
    pub async fn events(&self, query: &AlertQuery) -> Result<EventPage, StoreError> {
        let (from, to) = query.range.millis();
        let rows = sqlx::query(
            "SELECT id, time, kind, subject, message FROM event WHERE id < ?1 AND time >= ?2 AND time < ?3 AND \
             (?4 = '' OR instr(lower(kind), lower(?4)) OR instr(lower(subject), lower(?4)) OR \
             instr(lower(message), lower(?4))) ORDER BY id DESC LIMIT ?5",
        )
        .bind(query.before.unwrap_or(i64::MAX))
        .bind(from)
        .bind(to)
        .bind(query.search.trim())
        .bind(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1))
        .fetch_all(&self.readers)
        .await?;
        let events = rows.iter().take(query.limit).map(|row| {
            Ok(Event {
                time: Timestamp::from_millisecond(row.try_get("time")?).unwrap_or_default(),
                kind: row.try_get("kind")?,
                subject: row.try_get("subject")?,
                message: row.try_get("message")?,
            })
        });
        let last = if rows.len() > query.limit { rows.iter().take(query.limit).next_back() } else { None };
        let next = last.map(|row| row.try_get("id")).transpose()?;
        Ok(EventPage { events: events.collect::<Result<_, sqlx::Error>>()?, next })
    }
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    journal_id: &str,
    sequence: i64,
    event: &Event,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO event (journal_id, sequence, time, kind, subject, message) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(journal_id)
    .bind(sequence)
    .bind(event.time.as_millisecond())
    .bind(&event.kind)
    .bind(&event.subject)
    .bind(&event.message)
    .execute(connection)
    .await?;
    Ok(())
}

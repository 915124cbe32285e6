//! Entries of the journal that can never be stored. Each is tried a few times, then passed over: a gap in the history
//! takes its place, and those behind it are stored.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use weir_shared::client::ClientError;
use weir_shared::error::ErrorChain;
use weir_shared::journal::{JournalEntry, JournalRecord};
use weir_shared::report::{Gap, KernelCounters, Window};

use super::Ingest;
use crate::store::{Position, StoreError, Stored};

/// Tries before an entry is passed over.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(300);

/// Stores each entry by itself, after one of them was refused; those refused again and again are passed over.
pub(super) async fn one_by_one(
    ingest: &Ingest,
    journal_id: &str,
    entries: &[JournalEntry],
) -> Result<Vec<Stored>, StoreError> {
    let mut outcomes = Vec::with_capacity(entries.len());
    for entry in entries {
        outcomes.push(store(ingest, journal_id, entry).await?);
    }
    Ok(outcomes)
}

async fn store(ingest: &Ingest, journal_id: &str, entry: &JournalEntry) -> Result<Stored, StoreError> {
    let mut tried = 0;
    loop {
        let error = match ingest.store.store_entries(journal_id, std::slice::from_ref(entry)).await {
            Ok(outcomes) => return Ok(outcomes.first().copied().unwrap_or(Stored::New)),
            Err(error) if error.is_of_the_content() => error,
            Err(error) => return Err(error),
        };
        tried += 1;
        if tried == TRIES {
            let position = Position { journal_id: journal_id.to_owned(), sequence: entry.sequence };
            let gap = gap_of(&entry.record, &error);
            pass_over(ingest, &position, gap).await?;
            return Ok(Stored::New);
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// The entry of the journal that was sent, and that this program does not understand.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    sequence: u64,
    tried: u32,
}

impl Unreadable {
    /// Counts how often it came; passes it over the last time. Other errors are the connection's.
    pub(super) async fn met(
        &mut self,
        ingest: &Ingest,
        journal_id: &str,
        error: &ClientError,
    ) -> Result<(), StoreError> {
        let ClientError::Entry { sequence, source } = error else { return Ok(()) };
        self.tried = if self.sequence == *sequence { self.tried.saturating_add(1) } else { 1 };
        self.sequence = *sequence;
        if self.tried < TRIES {
            return Ok(());
        }
        let now = Timestamp::now();
        let gap = Gap {
            start: ingest.store.newest_end().await?.unwrap_or(now),
            end: now,
            interface: String::new(),
            reason: format!("an entry of the journal is not understood: {}", ErrorChain(source)),
            kernel: KernelCounters::default(),
        };
        let position = Position { journal_id: journal_id.to_owned(), sequence: *sequence };
        pass_over(ingest, &position, gap).await
    }
}

async fn pass_over(ingest: &Ingest, position: &Position, gap: Gap) -> Result<(), StoreError> {
    let sequence = position.sequence;
    let gap = Gap { reason: format!("{} (journal entry {sequence} is passed over)", gap.reason), ..gap };
    tracing::error!(
        sequence,
        "{}; a gap in the history takes its place, from {} to {}",
        gap.reason,
        gap.start,
        gap.end
    );
    let outcome = ingest.store.store_gap_instead(position, &gap).await;
    if outcome.is_ok() {
        ingest.hub.passed_over(sequence);
    }
    outcome
}

/// What is missing without this entry.
fn gap_of(record: &JournalRecord, cause: &StoreError) -> Gap {
    let missing = |what: &str, start, end| Gap {
        start,
        end,
        interface: String::new(),
        reason: format!("{what} could not be stored: {}", ErrorChain(cause)),
        kernel: KernelCounters::default(),
    };
    match record {
        JournalRecord::Window(window) => {
            Gap { kernel: kernel_of(window), ..missing("a window", window.start, end_of(window)) }
        }
        JournalRecord::Alert(alert) => missing("an alert", alert.time, alert.time),
        JournalRecord::Gap(gap) => Gap { reason: missing("a gap", gap.start, gap.end).reason, ..gap.clone() },
        JournalRecord::Session(session) => {
            missing("a session that ended", session.begin, session.end.unwrap_or(session.begin))
        }
        JournalRecord::Event(event) => missing("an event", event.time, event.time),
    }
}

fn end_of(window: &Window) -> Timestamp {
    let length = SignedDuration::from_millis(i64::from(window.length_millis));
    window.start.checked_add(length).unwrap_or(window.start)
}

/// What the kernel counted on the interfaces that count in totals.
fn kernel_of(window: &Window) -> KernelCounters {
    let mut sum = KernelCounters::default();
    for part in window.interfaces.iter().filter(|part| part.in_totals) {
        sum += part.kernel;
    }
    sum
}

//! The journal: from the stored position on, each entry once.
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use weir_shared::client::{Backoff, ClientError, Collector, Incoming};
use weir_shared::error::ErrorChain;
use weir_shared::journal::{JournalEntry, JournalOpened};
use weir_shared::report::{Gap, KernelCounters};

use super::Ingest;
use super::unstorable::{self, Unreadable};
use crate::store::{Position, StoreError, Stored};

/// Entries a transaction while catching up.
const BATCH: usize = 50;
/// Entries that are there already are taken together; this is how long one waits for the next.
const TOGETHER: Duration = Duration::from_millis(5);

#[derive(Debug, thiserror::Error)]
enum IngestError {
    #[error(transparent)]
    Collector(#[from] ClientError),
    #[error("the history could not be written")]
    Store(#[from] StoreError),
}

pub(super) async fn run(ingest: &Ingest) {
    let mut backoff = Backoff::default();
    let mut unreadable = Unreadable::default();
    loop {
        let outcome = tokio::select! {
            () = ingest.stop.cancelled() => return,
            outcome = follow(ingest, &mut backoff, &mut unreadable) => outcome,
        };
        match outcome {
            Ok(()) => {}
            Err(IngestError::Store(error)) => {
                tracing::error!(
                    "the history could not be written: {}; nothing is lost while the collector's journal holds it; \
                     trying again",
                    ErrorChain(&error)
                );
            }
            // the live task has said so already
            Err(IngestError::Collector(error)) => {
                tracing::debug!("the journal's stream ended: {}", ErrorChain(&error))
            }
        }
        tokio::select! {
            () = ingest.stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}

async fn follow(
    ingest: &Ingest,
    backoff: &mut Backoff,
    unreadable: &mut Unreadable,
) -> Result<(), IngestError> {
    let collector = Collector::connect(&ingest.socket).await?;
    let position = ingest.store.position().await;
    match &position {
        // that it can be read does not say that it can be written
        Ok(position) => {
            let stored = position.as_ref().map_or(0, |position| position.sequence);
            ingest.hub.history(ingest.store.trouble(), Some(stored));
        }
        Err(_) => ingest.note(&position, None),
    }
    let (opened, mut entries) = open(ingest, &collector, position?).await?;
    loop {
        let Some(first) = entries.next().await else { return Ok(()) };
        let (batch, end) = gather(first, &mut entries).await;
        if !batch.is_empty() {
            store(ingest, &opened.journal_id, &batch).await?;
            // not before: a disk that stays full is asked ever less often
            backoff.reset();
            ingest.stored.notify_one();
        }
        if let Some(error) = end {
            unreadable.met(ingest, &opened.journal_id, &error).await?;
            return Err(error.into());
        }
    }
}

async fn store(ingest: &Ingest, journal_id: &str, batch: &[JournalEntry]) -> Result<(), StoreError> {
    let stored = match ingest.store.store_entries(journal_id, batch).await {
        Err(error) if error.is_of_the_content() => unstorable::one_by_one(ingest, journal_id, batch).await,
        outcome => outcome,
    };
    ingest.note(&stored, batch.last().map(|entry| entry.sequence));
    let known = stored?.iter().filter(|stored| **stored == Stored::Known).count();
    if known > 0 {
        tracing::debug!(known, "{known} entries had been stored before");
    }
    Ok(())
}

/// Opens the stream after what is stored. Another journal than before, or one that no longer has the next entry, leaves a
/// gap in the history.
async fn open(
    ingest: &Ingest,
    collector: &Collector,
    position: Option<Position>,
) -> Result<(JournalOpened, Incoming<JournalEntry>), IngestError> {
    let from = position.as_ref().map_or(0, |position| position.sequence.saturating_add(1));
    let (opened, entries) = collector.journal(from, &[]).await?;
    let Some(position) = position else { return Ok((opened, entries)) };
    let before_oldest = Position {
        journal_id: opened.journal_id.clone(),
        sequence: opened.oldest_sequence.saturating_sub(1),
    };
    if opened.journal_id != position.journal_id {
        let reason = "the collector's journal is another one than before".to_owned();
        store_gap(ingest, &before_oldest, reason).await?;
        drop(entries);
        return Ok(collector.journal(0, &[]).await?);
    }
    if opened.oldest_sequence > from {
        let missed = opened.oldest_sequence - from;
        let reason = format!("{missed} journal entries were overwritten before they could be read");
        store_gap(ingest, &before_oldest, reason).await?;
    }
    Ok((opened, entries))
}

async fn store_gap(ingest: &Ingest, next: &Position, reason: String) -> Result<(), IngestError> {
    let start = ingest.store.newest_end().await?;
    let end = Timestamp::now();
    tracing::warn!("a gap in the history from {} on: {reason}", start.unwrap_or(end));
    let gap = Gap {
        start: start.unwrap_or(end),
        end,
        interface: String::new(),
        reason,
        kernel: KernelCounters::default(),
    };
    let stored = ingest.store.store_own_gap(&gap, next).await;
    ingest.note(&stored, Some(next.sequence));
    Ok(stored?)
}

/// The first entry and those that are there already; an error comes after what was gathered.
async fn gather(
    first: Result<JournalEntry, ClientError>,
    entries: &mut Incoming<JournalEntry>,
) -> (Vec<JournalEntry>, Option<ClientError>) {
    let mut batch = Vec::new();
    let mut next = first;
    loop {
        match next {
            Ok(entry) => batch.push(entry),
            Err(error) => return (batch, Some(error)),
        }
        if batch.len() == BATCH {
            return (batch, None);
        }
        match tokio::time::timeout(TOGETHER, entries.next()).await {
            Ok(Some(entry)) => next = entry,
            Ok(None) | Err(_) => return (batch, None),
        }
    }
}

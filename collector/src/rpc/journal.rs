//! Reading the journal for a client: what it holds from a sequence on, and then what is appended. A client that does
//! not read is not read for: at most one batch is held for it.
use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use shared::journal::{JournalEntry, JournalKind};
use shared::wire::v1::stream_journal_response::Content;
use shared::wire::v1::{self, StreamJournalRequest, StreamJournalResponse};
use tokio::sync::watch;
use tonic::Status;
use weir_shared as shared;

use super::Context;
use crate::journal::{Journal, JournalError, Kinds};

const BATCH_ENTRIES: usize = 64;
const BATCH_BYTES: usize = 1 << 20;

/// Runs one call to the journal, which blocks on the disk, off the asynchronous threads.
pub(super) async fn blocking<T: Send + 'static>(
    journal: &Arc<Journal>,
    call: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Status> {
    let journal = Arc::clone(journal);
    match tokio::task::spawn_blocking(move || call(&journal)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Status::unavailable(shared::error::ErrorChain(&error).to_string())),
        Err(error) => Err(Status::internal(format!("reading the journal broke off: {error}"))),
    }
}

pub(super) async fn stream(
    context: Context,
    request: StreamJournalRequest,
) -> Result<BoxStream<'static, Result<StreamJournalResponse, Status>>, Status> {
    let kinds = kinds(&request.kinds)?;
    let journal = Arc::clone(&context.handle.journal);
    let last_sequence = journal.last_sequence();
    let opened = blocking(&journal, Journal::opened).await?;
    let first = StreamJournalResponse { content: Some(Content::Opened(opened.into())) };
    let follower =
        Follower { journal, kinds, next: request.from_sequence, ready: VecDeque::new(), last_sequence };
    let rest = stream::unfold(Some(follower), |follower| async move { follower?.next().await });
    Ok(stream::iter([Ok(first)]).chain(rest).take_until(context.stop.cancelled_owned()).boxed())
}

/// None asked for means all.
fn kinds(numbers: &[i32]) -> Result<Kinds, Status> {
    if numbers.is_empty() {
        return Ok(Kinds::ALL);
    }
    let mut kinds = Kinds::NONE;
    for number in numbers {
        match v1::JournalKind::try_from(*number) {
            Ok(v1::JournalKind::Window) => kinds = kinds.with(JournalKind::Window),
            Ok(v1::JournalKind::Alert) => kinds = kinds.with(JournalKind::Alert),
            Ok(v1::JournalKind::Gap) => kinds = kinds.with(JournalKind::Gap),
            Ok(v1::JournalKind::Session) => kinds = kinds.with(JournalKind::Session),
            Ok(v1::JournalKind::Event) => kinds = kinds.with(JournalKind::Event),
            Ok(v1::JournalKind::Unspecified) | Err(_) => {
                return Err(Status::invalid_argument(format!(
                    "kind {number} is unknown; 1 (windows), 2 (alerts), 3 (gaps), 4 (sessions) and 5 (events) are"
                )));
            }
        }
    }
    Ok(kinds)
}

struct Follower {
    journal: Arc<Journal>,
    kinds: Kinds,
    next: u64,
    ready: VecDeque<JournalEntry>,
    last_sequence: watch::Receiver<u64>,
}

impl Follower {
    /// The stream ends after an error: the client resumes by sequence.
    async fn next(mut self) -> Option<(Result<StreamJournalResponse, Status>, Option<Self>)> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.next = entry.sequence.saturating_add(1);
                let content = Some(Content::Entry(entry.into()));
                return Some((Ok(StreamJournalResponse { content }), Some(self)));
            }
            // marked as seen before reading, so that what is appended meanwhile wakes the wait below
            self.last_sequence.borrow_and_update();
            let (from, kinds) = (self.next, self.kinds);
            match blocking(&self.journal, move |journal| {
                journal.read(from, kinds, BATCH_ENTRIES, BATCH_BYTES)
            })
            .await
            {
                Ok(entries) => self.ready = entries.into(),
                Err(status) => return Some((Err(status), None)),
            }
            if self.ready.is_empty() && self.last_sequence.changed().await.is_err() {
                return None;
            }
        }
    }
}

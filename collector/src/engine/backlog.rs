//! What the journal could not take waits here, bounded and in order, until it can.
use std::collections::VecDeque;
use std::sync::Arc;

use shared::health::Degraded;
use shared::journal::JournalRecord;
use weir_shared as shared;

use crate::journal::Journal;

/// At ten seconds a window, more than two hours.
const MOST_WAITING: usize = 1_000;

#[derive(Debug)]
pub(super) struct Backlog {
    journal: Arc<Journal>,
    waiting: VecDeque<JournalRecord>,
    /// Records that found no room to wait.
    pub(super) lost: u64,
    trouble: Option<String>,
}

impl Backlog {
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, waiting: VecDeque::new(), lost: 0, trouble: None }
    }

    pub(super) fn push(&mut self, record: JournalRecord) {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.waiting.push_back(record);
    }

    /// Writes what waits; on an error it stays and the next call tries again.
    pub(super) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.journal.append(self.waiting.make_contiguous()) {
            Ok(_) => {
                self.waiting.clear();
                if self.trouble.take().is_some() {
                    tracing::info!("the journal takes records again");
                }
            }
            Err(error) => {
                let reason = shared::error::ErrorChain(&error).to_string();
                if self.trouble.as_ref() != Some(&reason) {
                    tracing::error!(
                        reason,
                        waiting = self.waiting.len(),
                        "the journal does not take records; they wait in memory"
                    );
                }
                self.trouble = Some(reason);
            }
        }
    }

    pub(super) fn degraded(&self) -> Option<Degraded> {
        let reason = self.trouble.as_ref()?;
        let waiting = self.waiting.len();
        let reason = format!("{reason}; {waiting} records wait in memory, {} were lost", self.lost);
        Some(Degraded { part: "journal".to_owned(), reason })
    }
}

//! Closed windows, alerts and gaps on disk until their readers have them: a ring by size and age with one gapless
//! sequence, in one redb file. A reader's key is (journal id, sequence).
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use shared::alert::Alert;
use shared::health::Degraded;
use shared::journal::{JournalEntry, JournalKind, JournalOpened, JournalRecord};
use tokio::sync::watch;
use weir_shared as shared;

use crate::database::{DatabaseError, Store};

mod packing;
mod ring;

pub const FILE_NAME: &str = "journal.redb";

/// Of the disk space allowed, how much the entries themselves may take, in percent: large values lie in pages of powers
/// of two. The file is sparse and its apparent length doubles in one step, so only space on disk is a measure.
const STORED_PERCENT: u64 = 40;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal failed")]
    Database(#[from] DatabaseError),
    #[error(
        "sequence {from} lies beyond the next one, {next}: it is of another journal; open the stream again"
    )]
    Beyond { from: u64, next: u64 },
}

/// What the ring may hold. The newest entry stays whatever its size and age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Space on disk that the file may take, in bytes.
    pub disk_bytes: u64,
    pub age: Duration,
}

impl Limits {
    pub const fn new(mebibytes: u32, days: u32) -> Self {
        Self { disk_bytes: (mebibytes as u64) << 20, age: Duration::from_secs(days as u64 * 24 * 60 * 60) }
    }

    const fn stored_bytes(&self) -> u64 {
        self.disk_bytes / 100 * STORED_PERCENT
    }
}

/// Which entries a reader wants: a set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(u8::MAX);

    #[must_use]
    pub const fn with(self, kind: JournalKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    const fn has(self, kind: JournalKind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// The writing end and the reading ends; share it in an `Arc`. All calls block on the disk.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    limits: Mutex<Limits>,
    last_sequence: watch::Sender<u64>,
}

impl Journal {
    /// Opens `journal.redb` in `directory`, which is created where it is missing. A corrupt file is moved aside and a
    /// new one with another id begun: see [`Journal::degraded`].
    ///
    /// # Errors
    /// Another collector has it open, or it cannot be created or written.
    pub fn open(directory: &Path, limits: Limits) -> Result<Self, JournalError> {
        let store = Store::open("journal", directory.join(FILE_NAME), ring::SCHEMA)?;
        let last = store.read(ring::last_sequence)?;
        Ok(Self { store, limits: Mutex::new(limits), last_sequence: watch::Sender::new(last) })
    }

    /// Takes up new limits; the next append applies them.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = limits;
    }

    /// Writes the records in one transaction, on disk when this returns, and removes what is beyond the limits, oldest
    /// first. Returns the last sequence.
    ///
    /// # Errors
    /// Nothing was written: the disk is full or failed. The file is opened again by the next call, so that the same
    /// records can be tried again.
    pub fn append(&self, records: &[JournalRecord]) -> Result<u64, JournalError> {
        self.append_at(records, Timestamp::now())
    }

    fn append_at(&self, records: &[JournalRecord], now: Timestamp) -> Result<u64, JournalError> {
        let limits = *self.limits.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bounds = ring::Bounds {
            stored_bytes: limits.stored_bytes(),
            oldest: now.checked_sub(limits.age).unwrap_or(Timestamp::MIN),
        };
        let last = self.store.write(|transaction| ring::append(transaction, records, now, bounds))?;
        self.last_sequence.send_replace(last);
        Ok(last)
    }

    /// Entries of the wanted kinds from the sequence `from` (0: the oldest kept) on, in order: at most `limit_entries`,
    /// and no more after their encoded size passes `limit_bytes`. At least one where there is one.
    ///
    /// An entry that cannot be decoded comes as a gap that says so, so that a reader gets past it.
    ///
    /// # Errors
    /// The file cannot be read, or `from` is further than the next sequence: the journal was replaced meanwhile.
    pub fn read(
        &self,
        from: u64,
        kinds: Kinds,
        limit_entries: usize,
        limit_bytes: usize,
    ) -> Result<Vec<JournalEntry>, JournalError> {
        self.store.read(|transaction| {
            let next = ring::next_sequence(transaction)?;
            if from > next {
                return Ok(Err(JournalError::Beyond { from, next }));
            }
            ring::read(transaction, from, kinds, limit_entries, limit_bytes).map(Ok)
        })?
    }

    /// The alerts that are still held, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn alerts(&self, limit: usize) -> Result<Vec<Alert>, JournalError> {
        Ok(self.store.read(|transaction| ring::alerts(transaction, limit))?)
    }

    /// How a stream opens. The id changes while running only if the file was found corrupt and replaced.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn opened(&self) -> Result<JournalOpened, JournalError> {
        Ok(self.store.read(ring::opened)?)
    }

    /// Changes with each append; 0 while the journal is empty and new.
    pub fn last_sequence(&self) -> watch::Receiver<u64> {
        self.last_sequence.subscribe()
    }

    /// Whether the file was replaced, or cannot be written now, and why.
    pub fn degraded(&self) -> Vec<Degraded> {
        self.store.degraded()
    }
}

#[cfg(test)]
mod tests;

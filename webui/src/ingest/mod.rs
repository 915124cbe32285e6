//! From the collector to the store and the live view: journal and live view with one connection each, and the days'
//! totals over the latter's. What the store cannot take is not read; the collector's journal holds it meanwhile.
mod days;
mod journal;
mod live;
mod unstorable;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::live::hub::Hub;
use crate::store::{Store, StoreError};

/// What all tasks need.
#[derive(Clone, Debug)]
pub struct Ingest {
    pub socket: PathBuf,
    pub store: Store,
    pub hub: Hub,
    /// Told when windows have been stored.
    pub stored: Arc<Notify>,
    pub stop: CancellationToken,
}

impl Ingest {
    /// Tells pages and `/readyz` how writing goes, and how far the journal has been stored.
    fn note<T>(&self, outcome: &Result<T, StoreError>, stored_sequence: Option<u64>) {
        self.store.note(outcome);
        self.hub.history(self.store.trouble(), stored_sequence.filter(|_| outcome.is_ok()));
    }

    /// Runs all tasks until told to stop.
    pub async fn run(self) {
        tokio::join!(journal::run(&self), live::run(&self), days::run(&self));
    }
}

//! Work on the history that is not urgent: roll-up after each window, retention every few minutes. Each job may run again
//! at any time, also after a crash in its middle.
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use weir_shared::error::ErrorChain;

use crate::auth::session::LIMITS;
use crate::store::retention::Limits;
use crate::store::{Store, StoreError};

const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// Texts that nothing names any more are looked for this seldom: it reads much.
const PRUNE_TERMS_EVERY: Duration = Duration::from_secs(86_400);
/// A roll-up waits this long after a window, so that ingest goes first while catching up.
const AFTER_WINDOW: Duration = Duration::from_millis(200);

/// The jobs and what they work on.
#[derive(Clone, Debug)]
pub struct Jobs {
    pub store: Store,
    pub limits: watch::Receiver<Limits>,
    pub stored: Arc<Notify>,
    pub stop: CancellationToken,
}

impl Jobs {
    /// Runs until told to stop.
    pub async fn run(self) {
        tokio::join!(self.roll_up_when_stored(), self.prune_now_and_then(), self.prune_terms_daily());
    }

    async fn roll_up_when_stored(&self) {
        loop {
            report("roll-up", self.roll_up().await);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.stored.notified() => {}
            }
            tokio::time::sleep(AFTER_WINDOW).await;
        }
    }

    /// All that is there to roll up, then what of it is searched by blocks. Of a history from before there were any
    /// that is much, and new windows go first.
    async fn roll_up(&self) -> Result<(), StoreError> {
        loop {
            while self.store.roll_up().await? > 0 {}
            while self.store.trim(Timestamp::now().as_millisecond()).await? > 0 {}
            if self.store.index_search().await? == 0 || self.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    async fn prune_now_and_then(&self) {
        loop {
            let limits = *self.limits.borrow();
            report("retention", prune(&self.store, &limits).await);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(PRUNE_EVERY) => {}
            }
        }
    }

    async fn prune_terms_daily(&self) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(PRUNE_TERMS_EVERY) => {}
            }
            report("cleaning up texts", self.store.prune_terms().await.map(drop));
        }
    }
}

async fn prune(store: &Store, limits: &Limits) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let mut removed = store.prune_by_age(limits, now).await?;
    removed += store.prune_by_size(limits).await?;
    if removed > 0 {
        tracing::debug!(removed, "{removed} rows of old history removed");
        store.vacuum().await?;
    }
    store.prune_sessions(&LIMITS, now).await?;
    Ok(())
}

fn report(job: &str, outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::error!(job, "{job} failed: {}; it is tried again", ErrorChain(&error));
    }
}

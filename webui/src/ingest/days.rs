//! The collector's totals by day, fetched while the link is up: all of them first, then the newest again and again.
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use weir_shared::client::{Collector, DaysRequest};
use weir_shared::error::ErrorChain;
use weir_shared::health::Days;

use super::Ingest;
use crate::store::StoreError;

const EVERY: Duration = Duration::from_secs(10);
/// How soon a link that came up is noticed.
const LINK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(ingest: &Ingest) {
    let mut told: Option<Days> = None;
    loop {
        let wait = match ingest.hub.collector() {
            None => {
                told = None;
                LINK_EVERY
            }
            Some(collector) => {
                match fetch(&collector, told.is_none()).await {
                    Some(days) if told.as_ref() == Some(&days) => {}
                    Some(days) => {
                        let stored = ingest.store.store_days(&days).await;
                        told = days_if_stored(days, stored);
                    }
                    None => {}
                }
                EVERY
            }
        };
        tokio::select! {
            () = ingest.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What was not stored is fetched whole again.
fn days_if_stored(days: Days, stored: Result<(), StoreError>) -> Option<Days> {
    stored
        .inspect_err(|error| tracing::debug!("the days' totals could not be written: {}", ErrorChain(error)))
        .ok()
        .map(|()| days)
}

async fn fetch(collector: &Collector, whole: bool) -> Option<Days> {
    // midnight may have passed since the last time, and clocks are set
    let recent = || {
        let today = Timestamp::now().to_zoned(TimeZone::system()).date();
        today.checked_sub(2.days()).ok()
    };
    let request = DaysRequest { from: if whole { None } else { recent() }, ..DaysRequest::default() };
    let days = collector.days(&request).await;
    // a link that is down is told elsewhere
    days.inspect_err(|error| tracing::debug!("the days' totals could not be fetched: {}", ErrorChain(error)))
        .ok()
}

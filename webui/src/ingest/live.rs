//! The live subscription: keeps the link, and the hub true about it.
use futures_util::StreamExt as _;
use weir_shared::client::{Backoff, ClientError, Collector};
use weir_shared::error::ErrorChain;

use super::Ingest;

pub(super) async fn run(ingest: &Ingest) {
    let mut backoff = Backoff::default();
    let mut told = String::new();
    loop {
        let outcome = tokio::select! {
            () = ingest.stop.cancelled() => return,
            outcome = follow(ingest, &mut backoff, &mut told) => outcome,
        };
        let reason = match outcome {
            Ok(()) => "the collector ended the connection".to_owned(),
            Err(error) => ErrorChain(&error).to_string(),
        };
        let delay = backoff.next_delay();
        if told != reason {
            tracing::warn!("the link to the collector is down: {reason}; trying again");
            told.clone_from(&reason);
        }
        ingest.hub.link_down(reason);
        tokio::select! {
            () = ingest.stop.cancelled() => return,
            () = tokio::time::sleep(delay) => {}
        }
    }
}

async fn follow(ingest: &Ingest, backoff: &mut Backoff, told: &mut String) -> Result<(), ClientError> {
    let collector = Collector::connect(&ingest.socket).await?;
    let status = collector.status().await?;
    let mut updates = collector.subscribe().await?;
    tracing::info!(version = status.version, "the link to the collector is up (version {})", status.version);
    told.clear();
    ingest.hub.link_up(collector, Some(status));
    backoff.reset();
    while let Some(live) = updates.next().await {
        ingest.hub.publish(live?);
    }
    Ok(())
}

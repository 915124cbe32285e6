//! A live subscription: a snapshot, then updates; a reader that lags gets a fresh snapshot, and what it missed counts.
//! Each reader is driven by its own demand, so that a slow one holds nothing up and nothing back.
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use shared::live::Live;
use shared::wire::v1::SubscribeResponse;
use tokio::sync::broadcast::{self, error::RecvError};
use tonic::Status;
use weir_shared as shared;

use super::{Context, unanswered};

struct Reader {
    context: Context,
    updates: broadcast::Receiver<Arc<Live>>,
}

pub(super) async fn subscribe(
    context: Context,
) -> Result<BoxStream<'static, Result<SubscribeResponse, Status>>, Status> {
    let subscription = context.handle.subscribe().await.map_err(unanswered)?;
    let first = to_wire(&context, &subscription.snapshot);
    let stop = context.stop.clone();
    let reader = Reader { context, updates: subscription.updates };
    let rest = stream::unfold(Some(reader), |reader| async move { reader?.next().await });
    Ok(stream::iter([Ok(first)]).chain(rest).take_until(stop.cancelled_owned()).boxed())
}

impl Reader {
    /// The stream ends after an error, and without one when the engine has stopped.
    async fn next(mut self) -> Option<(Result<SubscribeResponse, Status>, Option<Self>)> {
        match self.updates.recv().await {
            Ok(update) => Some((Ok(to_wire(&self.context, &update)), Some(self))),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(missed)) => {
                self.context.skipped.fetch_add(missed, Ordering::Relaxed);
                match self.context.handle.subscribe().await {
                    Ok(again) => {
                        self.updates = again.updates;
                        Some((Ok(to_wire(&self.context, &again.snapshot)), Some(self)))
                    }
                    Err(error) => Some((Err(unanswered(error)), None)),
                }
            }
        }
    }
}

fn to_wire(context: &Context, live: &Live) -> SubscribeResponse {
    use shared::wire::v1::subscribe_response::Content;
    let mut message = SubscribeResponse::from(live);
    let now = match &mut message.content {
        Some(Content::Snapshot(snapshot)) => snapshot.now.as_mut(),
        Some(Content::Update(update)) => Some(update),
        None => None,
    };
    if let Some(now) = now {
        let mut losses = shared::health::Losses::new();
        context.count_losses(&mut losses);
        let own = losses.into_iter().map(|(name, count)| shared::wire::v1::LossCounter { name, count });
        now.losses.extend(own);
    }
    message
}

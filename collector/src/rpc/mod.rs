//! gRPC on the collector's Unix sockets: who may connect (`connections`), who may call what (`access`), and three
//! services that convert, ask the engine or the journal, and convert back. Nothing here decides about traffic.
pub mod access;
mod alerts;
mod callers;
mod connections;
mod control;
mod journal;
mod live;
#[cfg(test)]
mod tests;
mod traffic;

use std::future::Future;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared::wire::{DESCRIPTORS, v1};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use weir_shared as shared;

use crate::engine::command::{AskError, Handle};

pub use connections::{Peer, Socket};

const LARGEST_REQUEST_BYTES: usize = 64 << 10;
const LARGEST_ANSWER_BYTES: usize = 4 << 20;
const MOST_STREAMS: u32 = 32;
const LARGEST_HEADERS_BYTES: u32 = 16 << 10;
const DEADLINE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);
/// How long clients have to take what is on its way when the collector stops.
const DRAIN: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on a socket")]
    Listen(#[source] std::io::Error),
    #[error("cannot describe the services for reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    #[error("the gRPC server failed")]
    Serve(#[source] tonic::transport::Error),
}

/// Serves until `stop` is cancelled: open streams then end, and what clients do not take within three seconds is cut.
/// Call it within a tokio runtime.
///
/// # Errors
/// A listener cannot be used.
pub async fn serve(
    listeners: Vec<(UnixListener, Socket)>,
    handle: Handle,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let incoming = connections::accept(listeners, stop.clone()).map_err(ServeError::Listen)?;
    let context = Context { handle, skipped: Arc::default(), stop: stop.clone() };
    let (reporter, health) = tonic_health::server::health_reporter();
    let traffic =
        v1::traffic_service_server::TrafficServiceServer::new(traffic::Traffic::new(context.clone()))
            .max_decoding_message_size(LARGEST_REQUEST_BYTES)
            .max_encoding_message_size(LARGEST_ANSWER_BYTES);
    let alerts = v1::alert_service_server::AlertServiceServer::new(alerts::Alerts(context.clone()))
        .max_decoding_message_size(LARGEST_REQUEST_BYTES)
        .max_encoding_message_size(LARGEST_ANSWER_BYTES);
    let control = v1::control_service_server::ControlServiceServer::new(control::Control::new(context))
        .max_decoding_message_size(LARGEST_REQUEST_BYTES)
        .max_encoding_message_size(LARGEST_ANSWER_BYTES);
    for service in ["weir.v1.TrafficService", "weir.v1.AlertService", "weir.v1.ControlService"] {
        reporter.set_service_status(service, tonic_health::ServingStatus::Serving).await;
    }
    let reflection =
        || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS);
    let server = Server::builder()
        .timeout(DEADLINE)
        .max_concurrent_streams(MOST_STREAMS)
        .http2_max_header_list_size(LARGEST_HEADERS_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_ANSWER))
        .layer(tower::layer::layer_fn(access::Guard::new))
        .add_service(traffic)
        .add_service(alerts)
        .add_service(control)
        .add_service(health)
        .add_service(reflection().build_v1().map_err(ServeError::Reflection)?)
        .add_service(reflection().build_v1alpha().map_err(ServeError::Reflection)?)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    until_drained(server, stop).await
}

async fn until_drained(
    server: impl Future<Output = Result<(), tonic::transport::Error>>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = server => result.map_err(ServeError::Serve),
        () = too_late => {
            tracing::info!("clients that did not take their last messages were cut");
            Ok(())
        }
    }
}

/// What every service needs.
#[derive(Clone, Debug)]
struct Context {
    handle: Handle,
    /// Live updates that slow readers skipped.
    skipped: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Context {
    fn count_losses(&self, losses: &mut shared::health::Losses) {
        losses.insert("live_updates_skipped".to_owned(), self.skipped.load(Ordering::Relaxed));
    }
}

fn unanswered(error: AskError) -> tonic::Status {
    tonic::Status::unavailable(error.to_string())
}

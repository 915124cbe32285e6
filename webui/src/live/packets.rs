//! `/ws/packets`: headers of live packets that match a filter, for as long as somebody looks.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix::{Actor, ActorContext as _, AsyncContext as _, StreamHandler};
use actix_web::http::StatusCode;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use serde::{Deserialize, Serialize};
use serde_json::json;
use weir_shared::client::{ClientError, Incoming, WatchRequest, Watched};
use weir_shared::packets::{PacketBatch, PacketHeader, PacketSummary};

use super::lease::{self, LARGEST_FRAME_BYTES, Lease, Leased};
use crate::auth::Caller;
use crate::http::error::problem;
use crate::http::state::State;
use crate::store::accounts::TokenHash;

/// A page shows no more lines than it can draw.
const MOST_PACKETS_PER_SECOND: u32 = 200;
/// Lists that one session may have open.
const MOST_LISTS: usize = 4;

/// Packet lists open by session; programs share one count.
#[derive(Debug, Default)]
pub struct OpenLists(Mutex<HashMap<Option<TokenHash>, usize>>);

/// One open list; it is counted until this is dropped.
#[derive(Debug)]
struct OpenList {
    lists: Arc<OpenLists>,
    owner: Option<TokenHash>,
}

impl OpenLists {
    fn open(self: &Arc<Self>, owner: Option<TokenHash>) -> Option<OpenList> {
        let mut lists = self.0.lock().ok()?;
        let count = lists.entry(owner).or_insert(0);
        if *count >= MOST_LISTS {
            return None;
        }
        *count += 1;
        Some(OpenList { lists: Arc::clone(self), owner })
    }
}

impl Drop for OpenList {
    fn drop(&mut self) {
        let Ok(mut lists) = self.lists.0.lock() else { return };
        if let Some(count) = lists.get_mut(&self.owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                lists.remove(&self.owner);
            }
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    interface: String,
}

pub(crate) async fn open(
    state: web::Data<State>,
    caller: web::ReqData<Caller>,
    asked: web::Query<Asked>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    let lease = Lease::of(&state.store, &caller);
    let Some(open) = state.packet_lists.open(lease.session()) else {
        let detail = format!("{MOST_LISTS} packet lists are open already; close one first.");
        return Ok(problem(StatusCode::TOO_MANY_REQUESTS, &detail));
    };
    let wanted = WatchRequest {
        filter: asked.filter.trim().to_owned(),
        interface: asked.interface.clone(),
        most_packets_per_second: MOST_PACKETS_PER_SECOND,
    };
    let packets = match state.hub.collector() {
        Some(collector) => collector.watch_packets(&wanted).await,
        None => Err(ClientError::Unavailable("the link to the collector is down".to_owned())),
    };
    let list = List { packets: Some(packets), lease, _open: open };
    ws::WsResponseBuilder::new(list, &request, body).frame_size(LARGEST_FRAME_BYTES).start()
}

struct List {
    /// What the collector answered, until the actor starts.
    packets: Option<Result<Incoming<Watched>, ClientError>>,
    lease: Lease,
    _open: OpenList,
}

type Context = ws::WebsocketContext<List>;

impl Actor for List {
    type Context = Context;

    fn started(&mut self, context: &mut Context) {
        match self.packets.take() {
            Some(Ok(packets)) => {
                context.add_stream(packets);
            }
            Some(Err(error)) => return fail(context, &error),
            None => return context.stop(),
        }
        lease::keep(context);
    }
}

impl Leased for List {
    fn lease(&mut self) -> &mut Lease {
        &mut self.lease
    }
}

fn fail(context: &mut Context, error: &ClientError) {
    context.text(json!({ "type": "error", "message": error.to_string() }).to_string());
    lease::close(context, ws::CloseCode::Normal, "");
}

#[derive(Serialize)]
struct Packets<'a> {
    r#type: &'static str,
    packets: &'a [PacketHeader],
    totals: Totals,
}

#[derive(Serialize)]
struct Totals {
    packets: u64,
    bytes: u64,
    not_sent: u64,
}

impl From<&PacketSummary> for Totals {
    fn from(summary: &PacketSummary) -> Self {
        Self { packets: summary.packets, bytes: summary.bytes, not_sent: summary.not_sent }
    }
}

impl StreamHandler<Result<Watched, ClientError>> for List {
    fn handle(&mut self, watched: Result<Watched, ClientError>, context: &mut Context) {
        let batch = match watched {
            Ok(Watched::Batch(batch)) => batch,
            Ok(Watched::Summary(totals)) => PacketBatch { packets: Vec::new(), totals },
            Err(error) => return fail(context, &error),
        };
        let frame = Packets { r#type: "packets", packets: &batch.packets, totals: (&batch.totals).into() };
        match serde_json::to_string(&frame) {
            Ok(text) => context.text(text),
            Err(error) => tracing::error!(%error, "a packet list could not be written: {error}"),
        }
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for List {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, context: &mut Context) {
        lease::heard(self, message, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_four_lists_and_gets_one_back_when_it_closes_one() {
        let lists = Arc::new(OpenLists::default());
        let owner = Some([1; 32]);
        let mut held: Vec<_> = (0..MOST_LISTS).map(|_| lists.open(owner).unwrap()).collect();
        assert!(lists.open(owner).is_none());
        assert!(lists.open(Some([2; 32])).is_some());
        held.pop();
        assert!(lists.open(owner).is_some());
    }
}

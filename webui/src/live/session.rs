//! One browser's WebSocket to `/ws/live`. It is an actor that runs only while its socket takes data: a browser that does
//! not read makes it fall behind, and what it then gets is a snapshot.
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext as _, StreamHandler};
use actix_web::{Error, HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::hub::Hub;
use super::lease::{self, LARGEST_FRAME_BYTES, Lease, Leased};
use crate::auth::Caller;
use crate::http::state::State;

/// What a page says once a minute while it is visible.
const VISIBLE: &str = "visible";
const TOUCH_EVERY: Duration = Duration::from_secs(50);
pub(crate) async fn open(
    state: web::Data<State>,
    caller: web::ReqData<Caller>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    let session = Session { hub: state.hub.clone(), lease: Lease::of(&state.store, &caller), touched: None };
    std::future::ready(
        ws::WsResponseBuilder::new(session, &request, body).frame_size(LARGEST_FRAME_BYTES).start(),
    )
    .await
}

struct Session {
    hub: Hub,
    lease: Lease,
    touched: Option<Instant>,
}

type Context = ws::WebsocketContext<Session>;

impl Actor for Session {
    type Context = Context;

    fn started(&mut self, context: &mut Context) {
        let (first, updates) = self.hub.subscribe();
        if let Some(first) = first {
            context.text(&*first);
        }
        context.add_stream(BroadcastStream::new(updates));
        lease::keep(context);
    }
}

impl Leased for Session {
    fn lease(&mut self) -> &mut Lease {
        &mut self.lease
    }
}

impl Session {
    fn seen(&mut self, context: &mut Context) {
        if self.touched.is_none_or(|touched| touched.elapsed() >= TOUCH_EVERY) {
            self.touched = Some(Instant::now());
            context.spawn(actix::fut::wrap_future::<_, Self>(self.lease.touch()));
        }
    }
}

impl StreamHandler<Result<Arc<str>, BroadcastStreamRecvError>> for Session {
    fn handle(&mut self, frame: Result<Arc<str>, BroadcastStreamRecvError>, context: &mut Context) {
        match frame {
            Ok(frame) => context.text(&*frame),
            Err(BroadcastStreamRecvError::Lagged(missed)) => {
                tracing::debug!(missed, "a slow browser missed {missed} updates and gets a snapshot");
                if let (Some(snapshot), _) = self.hub.subscribe() {
                    context.text(&*snapshot);
                }
            }
        }
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Session {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, context: &mut Context) {
        if lease::heard(self, message, context).is_some_and(|text| text == VISIBLE) {
            self.seen(context);
        }
    }
}

//! One browser's WebSocket to `/ws/live`. It is an actor that runs only while its socket takes data: a browser that does
//! not read makes it fall behind, and what it then gets is a snapshot.
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext as _, AsyncContext as _, StreamHandler};
use actix_web::{Error, HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use jiff::Timestamp;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::hub::Hub;
use crate::auth::Caller;
use crate::auth::session::LIMITS;
use crate::http::state::State;
use crate::store::Store;
use crate::store::accounts::TokenHash;

const PING_EVERY: Duration = Duration::from_secs(20);
/// Two pings without an answer.
const SILENT_FOR: Duration = Duration::from_secs(45);
/// A log-out ends open WebSockets within five seconds.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// What a page says once a minute while it is visible.
const VISIBLE: &str = "visible";
const TOUCH_EVERY: Duration = Duration::from_secs(50);
/// A browser has little to say.
const LARGEST_FRAME_BYTES: usize = 4 << 10;

/// What keeps a WebSocket open: its session, or a program's token.
#[derive(Clone, Debug)]
pub(super) struct Permit {
    pub(super) store: Store,
    /// None for programs.
    pub(super) session: Option<TokenHash>,
}

impl Permit {
    pub(super) fn of(store: &Store, caller: &Caller) -> Self {
        let session = match caller {
            Caller::Browser(browser) => Some(browser.token),
            Caller::Program(_) | Caller::Stranger { .. } => None,
        };
        Self { store: store.clone(), session }
    }

    /// A page that is looked at keeps its session from ending idle; the end of its time stays.
    pub(super) async fn touch(self) {
        let Some(token) = self.session else { return };
        if let Err(error) = self.store.touch_session(&token, Timestamp::now()).await {
            tracing::debug!(%error, "the use of a session could not be noted: {error}");
        }
    }

    /// False once the session is known to have ended.
    pub(super) async fn stands(self) -> bool {
        match self.session {
            None => true,
            Some(token) => !matches!(self.store.session(&token, &LIMITS, Timestamp::now()).await, Ok(None)),
        }
    }
}

pub(crate) async fn open(
    state: web::Data<State>,
    caller: web::ReqData<Caller>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    let session = Session {
        hub: state.hub.clone(),
        permit: Permit::of(&state.store, &caller),
        heard: Instant::now(),
        touched: None,
    };
    std::future::ready(
        ws::WsResponseBuilder::new(session, &request, body).frame_size(LARGEST_FRAME_BYTES).start(),
    )
    .await
}

struct Session {
    hub: Hub,
    permit: Permit,
    heard: Instant,
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
        context.run_interval(PING_EVERY, |session, context| {
            if session.heard.elapsed() > SILENT_FOR {
                context.stop();
            } else {
                context.ping(b"");
            }
        });
        context.run_interval(CHECK_EVERY, |session, context| {
            let check = actix::fut::wrap_future::<_, Self>(session.permit.clone().stands());
            context.spawn(actix::fut::ActorFutureExt::map(check, |stands, _, context: &mut Context| {
                if !stands {
                    end(context);
                }
            }));
        });
    }
}

fn end(context: &mut Context) {
    let reason = ws::CloseReason {
        code: ws::CloseCode::Policy,
        description: Some("the session has ended".to_owned()),
    };
    context.close(Some(reason));
    context.stop();
}

impl Session {
    fn seen(&mut self, context: &mut Context) {
        if self.touched.is_none_or(|touched| touched.elapsed() >= TOUCH_EVERY) {
            self.touched = Some(Instant::now());
            context.spawn(actix::fut::wrap_future::<_, Self>(self.permit.clone().touch()));
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
        self.heard = Instant::now();
        match message {
            Ok(ws::Message::Ping(bytes)) => context.pong(&bytes),
            Ok(ws::Message::Close(reason)) => {
                context.close(reason);
                context.stop();
            }
            Ok(ws::Message::Text(text)) if text == VISIBLE => self.seen(context),
            Err(_) => context.stop(),
            _ => {}
        }
    }
}

//! What every WebSocket does beside its own work: it answers pings, and it ends when its browser falls silent or its
//! session does.
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext as _, AsyncContext as _};
use actix_web_actors::ws;
use jiff::Timestamp;

use crate::auth::Caller;
use crate::auth::session::LIMITS;
use crate::store::Store;
use crate::store::accounts::TokenHash;

const PING_EVERY: Duration = Duration::from_secs(20);
/// Two pings without an answer.
const SILENT_FOR: Duration = Duration::from_secs(45);
/// A log-out ends open WebSockets within five seconds.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// A browser has little to say.
pub(super) const LARGEST_FRAME_BYTES: usize = 4 << 10;

/// What keeps a WebSocket open: its session, or a program's token; and when its other end was heard last.
#[derive(Debug)]
pub(super) struct Lease {
    store: Store,
    /// None for programs.
    session: Option<TokenHash>,
    heard: Instant,
}

/// An actor that a WebSocket is.
pub(super) trait Leased: Actor<Context = ws::WebsocketContext<Self>> {
    fn lease(&mut self) -> &mut Lease;
}

impl Lease {
    pub(super) fn of(store: &Store, caller: &Caller) -> Self {
        let session = match caller {
            Caller::Browser(browser) => Some(browser.token),
            Caller::Program(_) | Caller::Stranger { .. } => None,
        };
        Self { store: store.clone(), session, heard: Instant::now() }
    }

    pub(super) fn session(&self) -> Option<TokenHash> {
        self.session
    }

    /// A page that is looked at keeps its session from ending idle; the end of its time stays.
    pub(super) fn touch(&self) -> impl Future<Output = ()> + use<> {
        let (store, session) = (self.store.clone(), self.session);
        async move {
            let Some(token) = session else { return };
            if let Err(error) = store.touch_session(&token, Timestamp::now()).await {
                tracing::debug!(%error, "the use of a session could not be noted: {error}");
            }
        }
    }

    /// False once the session is known to have ended.
    fn stands(&self) -> impl Future<Output = bool> + use<> {
        let (store, session) = (self.store.clone(), self.session);
        async move {
            match session {
                None => true,
                Some(token) => !matches!(store.session(&token, &LIMITS, Timestamp::now()).await, Ok(None)),
            }
        }
    }
}

/// Pings, and asks whether the lease still stands, until the actor ends.
pub(super) fn keep<A: Leased>(context: &mut ws::WebsocketContext<A>) {
    context.run_interval(PING_EVERY, |actor, context| {
        if actor.lease().heard.elapsed() > SILENT_FOR {
            context.stop();
        } else {
            context.ping(b"");
        }
    });
    context.run_interval(CHECK_EVERY, |actor, context| {
        let check = actix::fut::wrap_future::<_, A>(actor.lease().stands());
        context.spawn(actix::fut::ActorFutureExt::map(
            check,
            |stands, _, context: &mut ws::WebsocketContext<A>| {
                if !stands {
                    close(context, ws::CloseCode::Policy, "the session has ended");
                }
            },
        ));
    });
}

/// Takes what the browser sends; gives its text where it is one.
pub(super) fn heard<A: Leased>(
    actor: &mut A,
    message: Result<ws::Message, ws::ProtocolError>,
    context: &mut ws::WebsocketContext<A>,
) -> Option<String> {
    actor.lease().heard = Instant::now();
    match message {
        Ok(ws::Message::Ping(bytes)) => context.pong(&bytes),
        Ok(ws::Message::Close(reason)) => {
            context.close(reason);
            context.stop();
        }
        Ok(ws::Message::Text(text)) => return Some(text.to_string()),
        Err(_) => context.stop(),
        Ok(_) => {}
    }
    None
}

pub(super) fn close<A: Leased>(context: &mut ws::WebsocketContext<A>, code: ws::CloseCode, why: &str) {
    context.close(Some(ws::CloseReason { code, description: Some(why.to_owned()) }));
    context.stop();
}

//! Sessions of browsers, tokens of programs.
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use jiff::{SignedDuration, Timestamp};

use super::token::{self, Token};
use crate::http::error::HttpError;
use crate::store::accounts::{Session, SessionLimits, TokenHash};
use crate::store::{Store, StoreError};

/// Half an hour without a request, twelve hours in all.
pub const LIMITS: SessionLimits =
    SessionLimits { idle: SignedDuration::from_mins(30), absolute: SignedDuration::from_hours(12) };
/// Use is noted this often, so that a page full of requests is not as many writes.
const TOUCH_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// A browser that has logged in.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    pub token: TokenHash,
    pub session: Session,
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub enum Caller {
    Browser(LoggedIn),
    /// By the name of its token.
    Program(String),
    Stranger {
        /// It came with a cookie that is no longer worth anything.
        session_ended: bool,
    },
}

/// Name of the session's cookie. The prefix makes browsers insist on Secure and the whole site (RFC 6265bis section 4.1.3).
pub const fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-weir" } else { "weir" }
}

/// The cookie of a new session.
pub fn cookie(token: &Token, tls: bool) -> Cookie<'static> {
    Cookie::build(cookie_name(tls), token.text().to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(tls)
        .finish()
}

/// The cookie that makes a browser forget its session.
pub fn no_cookie(tls: bool) -> Cookie<'static> {
    let mut cookie = Cookie::build(cookie_name(tls), "")
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(tls)
        .finish();
    cookie.set_max_age(time::Duration::ZERO);
    cookie
}

/// Finds out who a request comes from.
///
/// # Errors
/// The database does not answer.
pub async fn identify(request: &HttpRequest, store: &Store, tls: bool) -> Result<Caller, StoreError> {
    if let Some(text) = bearer(request) {
        return program(&token::hash(&text), store).await;
    }
    let Some(cookie) = request.cookie(cookie_name(tls)) else {
        return Ok(Caller::Stranger { session_ended: false });
    };
    let token = token::hash(cookie.value());
    let now = Timestamp::now();
    let Some(session) = store.session(&token, &LIMITS, now).await? else {
        return Ok(Caller::Stranger { session_ended: !cookie.value().is_empty() });
    };
    if now.duration_since(session.last_seen) > TOUCH_AFTER
        && let Err(error) = store.touch_session(&token, now).await
    {
        // who may read should not be locked out by a disk that is full
        tracing::warn!(%error, "the use of a session could not be noted: {error}");
    }
    Ok(Caller::Browser(LoggedIn { token, session }))
}

async fn program(token: &TokenHash, store: &Store) -> Result<Caller, StoreError> {
    let Some(known) = store.token(token).await? else {
        return Ok(Caller::Stranger { session_ended: false });
    };
    let now = Timestamp::now();
    if known.last_used.is_none_or(|used| now.duration_since(used) > TOUCH_AFTER)
        && let Err(error) = store.touch_token(token, now).await
    {
        // as with sessions
        tracing::warn!(%error, "the use of token {:?} could not be noted: {error}", known.name);
    }
    Ok(Caller::Program(known.name))
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

impl FromRequest for LoggedIn {
    type Error = HttpError;
    type Future = std::future::Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        std::future::ready(match request.extensions().get::<Caller>() {
            Some(Caller::Browser(browser)) => Ok(browser.clone()),
            _ => Err(HttpError::NotLoggedIn),
        })
    }
}

//! The page of monitoring sessions: start, stop and reset, and those that ended.
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Deserialize;
use weir_shared::client::ClientError;
use weir_shared::session::Session;

use super::api::collector;
use super::error::{HttpError, redirect};
use super::login::check_form;
use super::pages::{Kept, shell};
use super::state::State;
use crate::auth::LoggedIn;
use crate::pages;
use crate::pages::view::SessionsView;
use crate::store::alerts::AlertQuery;
use crate::store::range::Range;

/// Sessions that the page shows.
const SHOWN: u32 = 30;

#[derive(Debug, Deserialize)]
pub(super) struct Change {
    #[serde(default)]
    csrf: String,
    /// `start`, `stop` or `reset`.
    #[serde(default)]
    change: String,
    #[serde(default)]
    name: String,
}

pub(super) async fn page(
    state: web::Data<State>,
    caller: LoggedIn,
    kept: web::Query<Kept>,
) -> Result<HttpResponse, HttpError> {
    show(&state, &caller, &kept, None).await
}

pub(super) async fn change(
    state: web::Data<State>,
    caller: LoggedIn,
    kept: web::Query<Kept>,
    asked: web::Form<Change>,
) -> Result<HttpResponse, HttpError> {
    check_form(&caller, &asked.csrf)?;
    let collector = collector(&state)?.on_behalf_of(&caller.session.user);
    let done = match asked.change.as_str() {
        "start" => collector.start_session(asked.name.trim()).await.map(|session| session.name),
        "stop" => collector.stop_session().await.map(|session| session.name),
        "reset" => collector.reset_session().await.map(|(_, session)| session.name),
        other => return Err(HttpError::Refused(format!("{other:?} is nothing to do with a session"))),
    };
    match done {
        Ok(name) => {
            let user = &caller.session.user;
            tracing::info!(user, "{user} asked for session {name:?}: {}", asked.change);
            Ok(redirect(&kept.link("/sessions")))
        }
        Err(error) => show(&state, &caller, &kept, Some(words(error))).await,
    }
}

/// What the collector says of a session that cannot be started or stopped is for people already.
fn words(error: ClientError) -> String {
    match error {
        ClientError::Failed { message, .. } => message,
        error => error.to_string(),
    }
}

async fn show(
    state: &State,
    caller: &LoggedIn,
    kept: &Kept,
    problem: Option<String>,
) -> Result<HttpResponse, HttpError> {
    let mut response =
        if problem.is_some() { HttpResponse::UnprocessableEntity() } else { HttpResponse::Ok() };
    let told = match state.hub.collector() {
        Some(collector) => collector.sessions(SHOWN).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let (running, just_ended): (Vec<_>, Vec<_>) = told.into_iter().partition(|session| session.end.is_none());
    let view = SessionsView {
        shell: shell(state, caller, kept),
        running: running.into_iter().next(),
        ended: ended(state, just_ended).await?,
        problem,
    };
    Ok(response.content_type("text/html; charset=utf-8").body(pages::sessions::page(&view).into_string()))
}

/// The history's, and before them what the collector has told and the journal has not brought yet.
async fn ended(state: &State, just_ended: Vec<Session>) -> Result<Vec<Session>, HttpError> {
    let limit = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let range = Range { from: Timestamp::MIN, to: Timestamp::MAX };
    let query = AlertQuery { range, search: String::new(), limit, before: None };
    let mut sessions = state.store.ended_sessions(&query).await?.sessions;
    for session in just_ended {
        if !sessions.iter().any(|known| (known.id, known.begin) == (session.id, session.begin)) {
            sessions.push(session);
        }
    }
    sessions.sort_by_key(|session| std::cmp::Reverse(session.end));
    sessions.truncate(limit);
    Ok(sessions)
}

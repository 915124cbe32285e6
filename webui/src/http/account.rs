//! One's own account: the guided page after the first log-in, and the settings.
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::error::{HttpError, redirect};
use super::login::{check_form, peer};
use super::pages::{Kept, shell};
use super::state::State;
use crate::auth::{LoggedIn, PasswordProblem, password};
use crate::pages;
use crate::pages::view::{PasswordOutcome, SettingsView, WelcomeView};

#[derive(Deserialize)]
pub(super) struct Change {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    current: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    repeat: String,
}

pub(super) async fn settings(
    state: web::Data<State>,
    caller: LoggedIn,
    kept: web::Query<Kept>,
) -> Result<HttpResponse, HttpError> {
    show_settings(&state, &caller, &kept, None).await
}

pub(super) async fn change_in_settings(
    state: web::Data<State>,
    caller: LoggedIn,
    request: HttpRequest,
    change: web::Form<Change>,
) -> Result<HttpResponse, HttpError> {
    let outcome = change_password(&state, &caller, &request, change.into_inner()).await?;
    show_settings(&state, &caller, &Kept::default(), Some(outcome)).await
}

#[derive(Deserialize)]
pub(super) struct Revoke {
    #[serde(default)]
    csrf: String,
    /// The token's name.
    #[serde(default)]
    revoke: String,
}

pub(super) async fn revoke_token(
    state: web::Data<State>,
    caller: LoggedIn,
    asked: web::Form<Revoke>,
) -> Result<HttpResponse, HttpError> {
    check_form(&caller, &asked.csrf)?;
    let (user, name) = (&caller.session.user, &asked.revoke);
    // one that is gone already is what was asked for
    if state.store.revoke_token(name).await? {
        tracing::info!(user, name, "{user} revoked token {name:?}");
    }
    Ok(redirect("/settings"))
}

pub(super) async fn welcome(state: web::Data<State>, caller: LoggedIn) -> Result<HttpResponse, HttpError> {
    state.store.end_first_login(caller.session.account_id).await?;
    Ok(show_welcome(&state, &caller, None).await)
}

pub(super) async fn change_in_welcome(
    state: web::Data<State>,
    caller: LoggedIn,
    request: HttpRequest,
    change: web::Form<Change>,
) -> Result<HttpResponse, HttpError> {
    let outcome = change_password(&state, &caller, &request, change.into_inner()).await?;
    if outcome == PasswordOutcome::Changed {
        return Ok(redirect("/"));
    }
    Ok(show_welcome(&state, &caller, Some(outcome)).await)
}

async fn change_password(
    state: &State,
    caller: &LoggedIn,
    request: &HttpRequest,
    change: Change,
) -> Result<PasswordOutcome, HttpError> {
    check_form(caller, &change.csrf)?;
    if change.new != change.repeat {
        return Ok(PasswordOutcome::NotRepeated);
    }
    match password::check_new(&change.new) {
        Ok(()) => {}
        Err(PasswordProblem::TooCommon) => return Ok(PasswordOutcome::TooCommon),
        Err(PasswordProblem::TooShort) => return Ok(PasswordOutcome::TooShort),
        Err(problem @ PasswordProblem::TooLong) => return Err(HttpError::Refused(problem.to_string())),
    }
    let user = &caller.session.user;
    if let Err(wait) = state.throttle.try_now(peer(request), user) {
        return Ok(PasswordOutcome::Throttled { retry_after_seconds: wait.as_secs() + 1 });
    }
    let same = change.current == change.new;
    let phc = state.store.account(user).await?.map(|account| account.password_hash);
    if !state.passwords.verify(change.current, phc).await? {
        return Ok(PasswordOutcome::WrongCurrent);
    }
    state.throttle.was_right(peer(request), user);
    if same {
        return Ok(PasswordOutcome::Same);
    }
    let hash = state.passwords.hash(change.new).await?;
    state.store.set_password(user, &hash, Some(&caller.token)).await?;
    tracing::info!(user, "{user} changed the password; other sessions ended");
    Ok(PasswordOutcome::Changed)
}

async fn show_settings(
    state: &State,
    caller: &LoggedIn,
    kept: &Kept,
    outcome: Option<PasswordOutcome>,
) -> Result<HttpResponse, HttpError> {
    let view = SettingsView {
        shell: shell(state, caller, kept),
        outcome,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        retention: retention_lines(state),
        database_bytes: state.store.used_bytes().await?,
        tokens: state.store.tokens().await?,
    };
    Ok(page(outcome, pages::settings::page(&view).into_string()))
}

async fn show_welcome(state: &State, caller: &LoggedIn, outcome: Option<PasswordOutcome>) -> HttpResponse {
    let interfaces = match state.hub.collector() {
        Some(collector) => collector.interfaces().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let view = WelcomeView { shell: shell(state, caller, &Kept::default()), interfaces, outcome };
    page(outcome, pages::welcome::page(&view).into_string())
}

fn page(outcome: Option<PasswordOutcome>, html: String) -> HttpResponse {
    let mut response = match outcome {
        None | Some(PasswordOutcome::Changed) => HttpResponse::Ok(),
        Some(PasswordOutcome::Throttled { .. }) => HttpResponse::TooManyRequests(),
        Some(_) => HttpResponse::UnprocessableEntity(),
    };
    response.content_type("text/html; charset=utf-8").body(html)
}

fn retention_lines(state: &State) -> Vec<(String, String)> {
    let limits = *state.retention.borrow();
    let names = ["Windows", "Minutes", "Hours", "Days"];
    let kept = |days: Option<u32>| match days {
        Some(1) => "kept 1 day".to_owned(),
        Some(days) => format!("kept {days} days"),
        None => "kept for ever".to_owned(),
    };
    let mut lines: Vec<(String, String)> =
        names.iter().zip(limits.days).map(|(name, days)| ((*name).to_owned(), kept(days))).collect();
    lines.push(("All together".to_owned(), format!("at most {} MiB", limits.max_bytes >> 20)));
    lines
}

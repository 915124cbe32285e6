//! Log-in and log-out.
use std::net::{IpAddr, Ipv4Addr};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::error::{HttpError, redirect};
use super::state::State;
use crate::auth::token::same;
use crate::auth::{Caller, LoggedIn, Token, form as forms, session};
use crate::pages;
use crate::pages::view::{LoginProblem, LoginView};
use crate::startup::NO_PASSWORD;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
    #[serde(default)]
    ended: String,
}

#[derive(Deserialize)]
pub(super) struct Login {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    csrf: String,
}

/// The session's own token, in forms that change something.
#[derive(Debug, Deserialize)]
pub(super) struct Confirmed {
    #[serde(default)]
    csrf: String,
}

pub(super) async fn form(
    state: web::Data<State>,
    caller: web::ReqData<Caller>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, HttpError> {
    if matches!(*caller, Caller::Browser(_)) {
        return Ok(redirect(inside(&asked.next)));
    }
    let problem = (!asked.ended.is_empty()).then_some(LoginProblem::SessionEnded);
    let view = LoginView { next: inside(&asked.next).to_owned(), problem, ..LoginView::default() };
    show(&state, view).await
}

/// A form with a fresh token and the cookie beside it.
async fn show(state: &State, mut view: LoginView) -> Result<HttpResponse, HttpError> {
    let token = Token::random()?;
    view.csrf = token.text().to_owned();
    // it may have been set meanwhile, by the command
    view.no_password_yet = state.store.setting(NO_PASSWORD).await?.is_some();
    view.exposed_without_tls = state.exposed_without_tls;
    let mut response = match view.problem {
        Some(LoginProblem::Throttled { retry_after_seconds }) => {
            let mut response = HttpResponse::TooManyRequests();
            response.insert_header(("Retry-After", retry_after_seconds.to_string()));
            response
        }
        Some(LoginProblem::Wrong) => HttpResponse::Unauthorized(),
        Some(LoginProblem::FormExpired) => HttpResponse::Forbidden(),
        _ => HttpResponse::Ok(),
    };
    Ok(response
        .cookie(forms::login_cookie(&token, state.tls))
        .content_type("text/html; charset=utf-8")
        .body(pages::login::page(&view).into_string()))
}

pub(super) async fn submit(
    state: web::Data<State>,
    request: HttpRequest,
    login: web::Form<Login>,
) -> Result<HttpResponse, HttpError> {
    let login = login.into_inner();
    let next = inside(&login.next).to_owned();
    let again =
        |problem| LoginView { user: login.user.clone(), next: next.clone(), problem, ..LoginView::default() };
    if !forms::login_token_is_right(&request, &login.csrf, state.tls) {
        return show(&state, again(Some(LoginProblem::FormExpired))).await;
    }
    let address = peer(&request);
    if let Err(wait) = state.throttle.try_now(address, &login.user) {
        tracing::warn!(%address, "log-in tries from {address} are over the limit");
        return show(
            &state,
            again(Some(LoginProblem::Throttled { retry_after_seconds: wait.as_secs() + 1 })),
        )
        .await;
    }
    let account = state.store.account(&login.user).await?;
    let phc = account.as_ref().map(|account| account.password_hash.clone());
    let right = state.passwords.verify(login.password.clone(), phc).await?;
    let Some(account) = account.filter(|_| right) else {
        tracing::warn!(%address, user = login.user, "log-in refused: user {:?} from {address}", login.user);
        return show(&state, again(Some(LoginProblem::Wrong))).await;
    };
    state.throttle.was_right(address, &login.user);
    let (token, form_token) = (Token::random()?, Token::random()?);
    state.store.add_session(&token.hash(), account.id, form_token.text()).await?;
    tracing::info!(%address, user = account.name, "{} logged in from {address}", account.name);
    let mut response = redirect(if account.first_login { "/welcome" } else { &next });
    if let Err(error) = response.add_cookie(&session::cookie(&token, state.tls)) {
        return Err(HttpError::Refused(error.to_string()));
    }
    Ok(response)
}

pub(super) async fn logout(
    state: web::Data<State>,
    caller: LoggedIn,
    confirmed: web::Form<Confirmed>,
) -> Result<HttpResponse, HttpError> {
    check_form(&caller, &confirmed.csrf)?;
    state.store.end_session(&caller.token).await?;
    tracing::info!(user = caller.session.user, "{} logged out", caller.session.user);
    let mut response = redirect("/login");
    if let Err(error) = response.add_cookie(&session::no_cookie(state.tls)) {
        return Err(HttpError::Refused(error.to_string()));
    }
    Ok(response)
}

/// # Errors
/// The form does not carry the token of its session.
pub(super) fn check_form(caller: &LoggedIn, field: &str) -> Result<(), HttpError> {
    if same(&caller.session.form_token, field) { Ok(()) } else { Err(HttpError::FormExpired) }
}

/// Only paths of this site: an address of another one behind a log-in would be believed.
fn inside(next: &str) -> &str {
    let plain = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && !next.starts_with("/login")
        && !next.starts_with("/logout");
    if plain { next } else { "/" }
}

/// Behind a proxy this is the proxy's.
pub(super) fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_never_leads_to_another_site() {
        assert_eq!(inside("/hosts?interface=eth0"), "/hosts?interface=eth0");
        for outside in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "/logout"]
        {
            assert_eq!(inside(outside), "/", "{outside:?}");
        }
    }
}

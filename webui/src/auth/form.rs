//! Every form carries a token. A session has its own; the log-in form, which comes before one, has a cookie beside it that
//! must say the same.
use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time};

use super::token::{Token, same};

const LOGIN_MINUTES: i64 = 60;

const fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-weir-login" } else { "weir-login" }
}

/// The cookie beside a log-in form.
pub fn login_cookie(token: &Token, tls: bool) -> Cookie<'static> {
    Cookie::build(cookie_name(tls), token.text().to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(tls)
        .max_age(time::Duration::minutes(LOGIN_MINUTES))
        .finish()
}

/// Whether a log-in form came from the page that this browser was given.
pub fn login_token_is_right(request: &HttpRequest, field: &str, tls: bool) -> bool {
    request.cookie(cookie_name(tls)).is_some_and(|cookie| !field.is_empty() && same(cookie.value(), field))
}

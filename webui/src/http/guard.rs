//! What every request passes before a handler sees it, and every response before it leaves.
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, UPGRADE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, web};

use super::error::{Detail, error_page, problem, redirect, refusal, wants_problem};
use super::state::State;
use crate::auth::session::{Caller, identify};

/// No inline script or style, nothing from elsewhere, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";

/// Headers of every response, refusals included.
pub(super) async fn headers(
    state: web::Data<State>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // what answers GET answers HEAD (RFC 9110 section 9.1); the server leaves the body out
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let asset = request.path().starts_with("/assets/");
    let mut response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // not no-referrer, under which browsers send a form's Origin as null
        (REFERRER_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if state.tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if !(asset && status.is_success()) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Name, origin and log-in; errors become pages for people.
pub(super) async fn guard(
    state: web::Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(refused) = refuse_stranger_sites(&state, request.request()) {
        return Ok(request.into_response(refused));
    }
    let caller = match identify(request.request(), &state.store, state.tls).await {
        Ok(caller) => caller,
        // the page that says so must be readable, and what needs no log-in goes on
        Err(_) if is_open(request.path()) => Caller::Stranger { session_ended: false },
        Err(error) => {
            let refused =
                refusal(request.request(), StatusCode::SERVICE_UNAVAILABLE, &error.to_string(), false);
            return Ok(request.into_response(refused));
        }
    };
    let logged_in = !matches!(caller, Caller::Stranger { .. });
    if let Caller::Stranger { session_ended } = caller
        && !is_open(request.path())
    {
        let response = turn_away(request.request(), session_ended);
        return Ok(request.into_response(response));
    }
    let for_program = wants_problem(request.request());
    request.extensions_mut().insert(caller);
    let response = next.call(request).await?.map_into_boxed_body();
    Ok(dress(response, for_program, logged_in))
}

/// What strangers may ask for.
fn is_open(path: &str) -> bool {
    matches!(path, "/login" | "/healthz" | "/readyz" | "/favicon.ico") || path.starts_with("/assets/")
}

fn refuse_stranger_sites(state: &State, request: &HttpRequest) -> Option<actix_web::HttpResponse> {
    let host = (request.headers().get(HOST).and_then(|host| host.to_str().ok()))
        .or_else(|| request.uri().authority().map(|authority| authority.as_str()))
        .unwrap_or("");
    if !state.hosts.allows(host) {
        let detail = format!("This service does not answer to the name {host:?}.");
        return Some(refusal(request, StatusCode::MISDIRECTED_REQUEST, &detail, false));
    }
    let changes = request.method() != Method::GET && request.method() != Method::HEAD;
    // no browser lets another site's page send a token; programs that have one know no Origin
    let upgrade = request.headers().contains_key(UPGRADE) && !request.headers().contains_key(AUTHORIZATION);
    if (changes || upgrade) && !same_origin(request, host, state.tls) {
        let detail = "The request did not come from a page of this site.";
        return Some(refusal(request, StatusCode::FORBIDDEN, detail, false));
    }
    None
}

/// Whether the Origin header (RFC 6454 section 7) is this site's. Programs that send none cannot change anything.
fn same_origin(request: &HttpRequest, host: &str, tls: bool) -> bool {
    let scheme = if tls { "https://" } else { "http://" };
    let mut origins = request.headers().get_all(ORIGIN);
    let first = origins.next().and_then(|origin| origin.to_str().ok());
    let is_ours = first
        .and_then(|origin| origin.strip_prefix(scheme))
        .is_some_and(|authority| authority.eq_ignore_ascii_case(host));
    is_ours && origins.next().is_none()
}

fn turn_away(request: &HttpRequest, session_ended: bool) -> actix_web::HttpResponse {
    if wants_problem(request) {
        return problem(StatusCode::UNAUTHORIZED, "Log in, or send a token: Authorization: Bearer TOKEN.");
    }
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str());
    let mut query = vec![("next", asked)];
    if session_ended {
        query.push(("ended", "1"));
    }
    let text = serde_urlencoded(&query);
    redirect(&format!("/login?{text}"))
}

/// `application/x-www-form-urlencoded` (<https://url.spec.whatwg.org/#urlencoded-serializing>).
fn serde_urlencoded(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._/".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
    };
    let parts: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    parts.join("&")
}

/// Turns an error without a page into one, for people.
fn dress(response: ServiceResponse<BoxBody>, for_program: bool, logged_in: bool) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || has_page(&response) {
        return response;
    }
    let detail =
        response.response().extensions().get::<Detail>().map(|detail| detail.0.clone()).unwrap_or_default();
    if for_program {
        let has_problem = response.response().extensions().contains::<Detail>();
        if has_problem {
            return response;
        }
        let path: String = response.request().path().chars().take(100).collect();
        let detail = match status {
            StatusCode::NOT_FOUND => format!("There is nothing at {path}; docs/api.md lists what there is."),
            StatusCode::METHOD_NOT_ALLOWED => format!("{path} does not take this method."),
            _ => String::new(),
        };
        return response.into_response(problem(status, &detail));
    }
    if matches!(response.request().path(), "/healthz" | "/readyz") {
        return response;
    }
    if status == StatusCode::UNAUTHORIZED {
        return response.into_response(redirect("/login"));
    }
    response.into_response(error_page(status, &detail, logged_in))
}

fn has_page(response: &ServiceResponse<BoxBody>) -> bool {
    let kind = response.headers().get(actix_web::http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

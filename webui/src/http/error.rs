//! One mapping from errors to answers: a page for people, a problem document (RFC 9457) for programs.
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;
use weir_shared::client::ClientError;

use crate::auth::password::HashError;
use crate::auth::token::NoRandomness;
use crate::pages;
use crate::pages::view::ErrorView;
use crate::store::StoreError;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("log in first")]
    NotLoggedIn,
    #[error("the form was too old, or not from this site")]
    FormExpired,
    #[error("{name}={value} is not allowed: {allowed}")]
    Parameter { name: &'static str, value: String, allowed: &'static str },
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the collector is away: {0}")]
    CollectorAway(String),
    #[error(transparent)]
    Collector(#[from] ClientError),
    #[error(transparent)]
    Password(#[from] HashError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("the answer could not be written")]
    Csv(#[from] csv::Error),
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::FormExpired => StatusCode::FORBIDDEN,
            Self::Parameter { .. } | Self::Refused(_) => StatusCode::BAD_REQUEST,
            Self::Collector(error) if error.is_usage() => StatusCode::BAD_REQUEST,
            Self::Store(StoreError::Locked | StoreError::DiskFull | StoreError::Corrupt)
            | Self::CollectorAway(_)
            | Self::Collector(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Password(_) | Self::Randomness(_) | Self::Csv(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Plain; the guard dresses it as a page where a person asked.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        if self.status_code() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!("a request failed: {}", weir_shared::error::ErrorChain(self));
        }
        problem(self.status_code(), &self.detail())
    }
}

impl HttpError {
    /// Internals stay in the log.
    fn detail(&self) -> String {
        if self.status_code() == StatusCode::INTERNAL_SERVER_ERROR { String::new() } else { self.to_string() }
    }
}

/// RFC 9457.
pub fn problem(status: StatusCode, detail: &str) -> HttpResponse {
    let mut response =
        HttpResponse::build(status).insert_header((CONTENT_TYPE, "application/problem+json")).body(
            json!({
                "type": "about:blank",
                "title": status.canonical_reason().unwrap_or("Error"),
                "status": status.as_u16(),
                "detail": detail,
            })
            .to_string(),
        );
    response.extensions_mut().insert(Detail(detail.to_owned()));
    response
}

/// What a refusal says, for the page made of it.
#[derive(Clone, Debug)]
pub struct Detail(pub String);

/// Whether a request is a program's: then errors are problem documents.
pub fn wants_problem(request: &HttpRequest) -> bool {
    let path = request.path();
    path.starts_with("/api/") || path.starts_with("/ws/") || path == "/metrics"
}

/// A refusal in the form that the asker can use.
pub fn refusal(request: &HttpRequest, status: StatusCode, detail: &str, logged_in: bool) -> HttpResponse {
    if wants_problem(request) { problem(status, detail) } else { error_page(status, detail, logged_in) }
}

pub fn error_page(status: StatusCode, detail: &str, logged_in: bool) -> HttpResponse {
    let view = ErrorView { status: status.as_u16(), detail: detail.to_owned(), logged_in };
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(pages::error::page(&view).into_string())
}

/// See other (RFC 9110 section 15.4.4).
pub fn redirect(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, to.to_owned())).finish()
}

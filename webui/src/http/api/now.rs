//! What only the collector knows.
use actix_web::{HttpResponse, web};
use weir_shared::client::Collector;
use weir_shared::json::interfaces_document;

use super::super::error::HttpError;
use super::super::state::State;
use super::query::{Parameters, csv_file};
use crate::live::hub::LinkState;

/// # Errors
/// The link to the collector is down, with the reason.
pub(in super::super) fn collector(state: &State) -> Result<Collector, HttpError> {
    state.hub.collector().ok_or_else(|| {
        HttpError::CollectorAway(match state.hub.link() {
            LinkState::Down { reason, .. } => reason,
            LinkState::Up { .. } => "the link is being made".to_owned(),
        })
    })
}

pub(super) async fn status(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    parameters.must_be_json()?;
    Ok(HttpResponse::Ok().json(collector(&state)?.status().await?))
}

pub(super) async fn interfaces(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let interfaces = collector(&state)?.interfaces().await?;
    if parameters.is_csv()? {
        return csv_file("interfaces", &interfaces, None);
    }
    Ok(HttpResponse::Ok().json(interfaces_document(&interfaces)))
}

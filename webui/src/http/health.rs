//! `/healthz`: the process answers. `/readyz`: history is written up to now and the collector is there.
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::state::State;
use crate::live::hub::LinkState;

pub(super) async fn healthz() -> HttpResponse {
    std::future::ready(HttpResponse::Ok().json(json!({ "status": "ok" }))).await
}

pub(super) async fn readyz(state: web::Data<State>) -> HttpResponse {
    let read = state.store.answers().await.err().map(|error| error.to_string());
    let database = state.store.trouble().or(read);
    let collector = match state.hub.link() {
        LinkState::Up { .. } => None,
        LinkState::Down { reason, .. } => Some(reason),
    };
    let behind = state.hub.behind();
    let ready = database.is_none() && collector.is_none() && behind.is_none();
    let part = |trouble: Option<String>| match trouble {
        None => json!({ "status": "ok" }),
        Some(reason) => json!({ "status": "failed", "reason": reason }),
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).json(json!({
        "status": if ready { "ok" } else { "failed" },
        "database": part(database),
        "collector": part(collector),
        "ingest": part(behind),
        "entries_passed_over": state.hub.count_passed_over(),
    }))
}

//! `/api/v1`: what `weir X --json` prints, from the history where a range is asked for, else from the collector.
mod joined;
mod lists;
mod now;
mod order;
mod owners;
mod past;
mod query;
mod sessions;

use actix_web::web;

pub(super) use now::collector;

pub(super) fn routes(service: &mut web::ServiceConfig) {
    service
        .route("/status", web::get().to(now::status))
        .route("/interfaces", web::get().to(now::interfaces))
        .route("/hosts", web::get().to(lists::hosts))
        .route("/flows", web::get().to(lists::flows))
        .route("/processes", web::get().to(owners::processes))
        .route("/processes/series", web::get().to(owners::series))
        .route("/sessions", web::get().to(sessions::sessions))
        .route("/events", web::get().to(sessions::events))
        .route("/windows", web::get().to(past::windows))
        .route("/protocols", web::get().to(past::protocols))
        .route("/alerts", web::get().to(past::alerts))
        .route("/days", web::get().to(past::days));
}

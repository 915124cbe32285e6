//! `/api/v1`: what `weir X --json` prints, from the history where a range is asked for, else from the collector.
mod joined;
mod lists;
mod now;
mod order;
mod past;
mod query;

use actix_web::web;

pub(super) fn routes(service: &mut web::ServiceConfig) {
    service
        .route("/status", web::get().to(now::status))
        .route("/interfaces", web::get().to(now::interfaces))
        .route("/hosts", web::get().to(lists::hosts))
        .route("/flows", web::get().to(lists::flows))
        .route("/windows", web::get().to(past::windows))
        .route("/protocols", web::get().to(past::protocols))
        .route("/alerts", web::get().to(past::alerts))
        .route("/days", web::get().to(past::days));
}

//! The route table.
mod account;
mod api;
mod assets;
pub mod error;
mod guard;
mod health;
mod hosts;
mod login;
mod pages;
mod processes;
mod sessions;
pub mod state;

use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpResponse, web};

use error::HttpError;
pub use hosts::AllowedHosts;
use state::State;

/// A form or a query is small; what is larger is refused.
const LARGEST_BODY_BYTES: usize = 64 << 10;

/// The whole service, for one worker.
pub fn app(
    state: State,
) -> App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(web::Data::new(state))
        .app_data(web::FormConfig::default().limit(LARGEST_BODY_BYTES))
        .app_data(
            web::QueryConfig::default()
                .error_handler(|error, _| HttpError::Refused(error.to_string()).into()),
        )
        .app_data(web::PayloadConfig::new(LARGEST_BODY_BYTES))
        .configure(routes)
        .default_service(web::to(|| async { HttpResponse::NotFound().finish() }))
        .wrap(Compress::default())
        .wrap(from_fn(guard::guard))
        .wrap(from_fn(guard::headers))
}

fn routes(service: &mut web::ServiceConfig) {
    service
        .route("/", web::get().to(pages::overview))
        .service(web::resource("/processes").get(processes::page).post(processes::set_threshold))
        .service(web::resource("/sessions").get(sessions::page).post(sessions::change))
        .route("/hosts", web::get().to(pages::hosts))
        .route("/flows", web::get().to(pages::flows))
        .route("/packets", web::get().to(pages::packets))
        .route("/history", web::get().to(pages::history))
        .route("/alerts", web::get().to(pages::alerts))
        .service(web::resource("/settings").get(account::settings).post(account::change_in_settings))
        .route("/settings/tokens", web::post().to(account::revoke_token))
        .service(web::resource("/welcome").get(account::welcome).post(account::change_in_welcome))
        .service(web::resource("/login").get(login::form).post(login::submit))
        .route("/logout", web::post().to(login::logout))
        .route("/assets/{hash}/{name:.*}", web::get().to(assets::asset))
        .route("/healthz", web::get().to(health::healthz))
        .route("/readyz", web::get().to(health::readyz))
        .route("/ws/live", web::get().to(crate::live::session::open))
        .route("/ws/packets", web::get().to(crate::live::packets::open))
        .service(web::scope("/api/v1").configure(api::routes));
}

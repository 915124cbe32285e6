//! The embedded static files. Their address carries the hash of their contents, so browsers keep them for ever.
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use crate::pages::assets;

pub(super) async fn asset(path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    let found = if hash == assets::hash() { assets::find(&name) } else { None };
    std::future::ready(match found {
        Some(file) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, file.content_type))
            .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(file.bytes),
        None => HttpResponse::NotFound().finish(),
    })
    .await
}

//! The live view over a real WebSocket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use support::browser::{Browser, Socket};
use support::peer::Peer;
use support::traffic::{snapshot, update, window_entry};
use support::{Service, eventually};
use tokio_tungstenite::tungstenite::Message;
use weir_shared::live::Live;

async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next())
            .await
            .expect("no frame in thirty seconds");
        match message {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

async fn next_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let frame = next(socket).await.expect("the socket closed");
        if frame["type"] == kind {
            return frame;
        }
    }
}

async fn linked(service: &Service) -> Browser {
    let browser = Browser::logged_in(service.port).await;
    let port = service.port;
    eventually("the link", || async {
        (Browser::new(port).get("/readyz").await.status() == 200).then_some(())
    })
    .await;
    browser
}

#[actix_web::test]
async fn a_browser_gets_a_snapshot_then_updates_then_the_loss_of_the_link() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", Vec::new());
    let browser = linked(&service).await;
    let mut socket = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    let first = next_of(&mut socket, "snapshot").await;
    assert_eq!(first["link"]["state"], "up");
    assert_eq!(first["interfaces"][0]["second"]["rx_bytes"], 1_000);
    assert_eq!(first["last_window"]["interfaces"][0]["tcp_flags"]["syn"], 2);
    assert_eq!(first["last_window"]["seconds"], 10.0);
    assert_eq!(first["seconds"][0]["seconds"][1], serde_json::json!([3, 4, 0, 0]));
    assert_eq!(first["losses"]["capture_dropped_packets"], 3);

    peer.say(Live::Update { sequence: 2, now: update(5_000) });
    let then = next_of(&mut socket, "update").await;
    assert_eq!(then["sequence"], 2);
    assert_eq!(then["interfaces"][0]["second"]["rx_bytes"], 5_000);
    assert_eq!(then["seconds"][0]["seconds"].as_array().unwrap().len(), 3);
    let mut late = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    let whole = next_of(&mut late, "snapshot").await;
    assert_eq!(whole["seconds"][0]["seconds"][2], serde_json::json!([5_000, 2_500, 50, 25]));

    peer.stop().await;
    assert_eq!(next_of(&mut socket, "link").await["state"], "down");
    let peer = Peer::start(&service.socket(), "first", Vec::new());
    assert_eq!(next_of(&mut socket, "link").await["state"], "up");
    next_of(&mut socket, "snapshot").await;
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn a_log_out_closes_open_sockets_within_five_seconds() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", Vec::new());
    let mut browser = linked(&service).await;
    let mut socket = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    next_of(&mut socket, "snapshot").await;
    let token = browser.form_token("/settings").await;
    browser.post("/logout", &[("csrf", &token)]).await;
    let closed = async { while next(&mut socket).await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), closed).await.expect("still open after five seconds");
    assert_eq!(browser.socket("/ws/live", Some(&browser.site)).await.err(), Some(401));
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn a_browser_that_does_not_read_gets_a_snapshot_later_and_delays_nobody() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", Vec::new());
    let browser = linked(&service).await;
    let mut slow = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    let mut fast = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    next_of(&mut slow, "snapshot").await;
    next_of(&mut fast, "snapshot").await;
    let mut now = update(1);
    // large enough that the kernel's buffers cannot hold them all
    now.degraded =
        vec![weir_shared::health::Degraded { part: "test".to_owned(), reason: "x".repeat(200_000) }];
    let mut told = 0;
    for sequence in 2..=120 {
        peer.say(Live::Update { sequence, now: now.clone() });
        told = next_of(&mut fast, "update").await["sequence"].as_u64().unwrap();
    }
    assert_eq!(told, 120);
    let mut updates = 1;
    let caught_up = loop {
        let frame = next(&mut slow).await.unwrap();
        match frame["type"].as_str().unwrap() {
            "snapshot" => break frame,
            _ => updates += 1,
        }
    };
    assert_eq!(caught_up["sequence"], 120);
    assert!(updates < 119, "nothing was skipped");
    peer.stop().await;
    service.stop().await;
}

/// Another program's connection to the service's database.
async fn other_program(service: &Service) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new().filename(service.folder.path().join("weir.db")).connect().await.unwrap()
}

#[actix_web::test]
async fn a_locked_database_is_said_on_open_pages_and_taken_back_when_it_is_free() {
    let service = Service::start().await;
    let entries = vec![window_entry(1, &[1])];
    let peer = Peer::start(&service.socket(), "first", entries);
    let browser = linked(&service).await;
    let mut socket = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    next_of(&mut socket, "snapshot").await;
    eventually("the first window", || async { service.store.position().await.unwrap().map(drop) }).await;
    let mut other = other_program(&service).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    peer.append(window_entry(2, &[1]));
    let told = next_of(&mut socket, "link").await;
    assert_eq!(told["degraded"][0]["part"], "history");
    assert_eq!(told["degraded"][0]["reason"], "the database is locked by another program");
    let ready = Browser::new(service.port).get("/readyz").await;
    assert_eq!(ready.status(), 503);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(next_of(&mut socket, "link").await["degraded"], serde_json::json!([]));
    eventually("being ready again", || async {
        (Browser::new(service.port).get("/readyz").await.status() == 200).then_some(())
    })
    .await;
    assert_eq!(service.store.position().await.unwrap().unwrap().sequence, 2);
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn a_page_that_is_looked_at_keeps_its_session_until_its_time_is_over() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", Vec::new());
    let browser = linked(&service).await;
    let mut socket = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    next_of(&mut socket, "snapshot").await;
    let mut other = other_program(&service).await;
    sqlx::query("UPDATE session SET last_seen = last_seen - 1500000").execute(&mut other).await.unwrap();
    socket.send(Message::text("visible")).await.unwrap();
    eventually("the session being used", || async {
        let mut other = other_program(&service).await;
        let used: i64 = sqlx::query_scalar("SELECT max(last_seen) - max(created) FROM session")
            .fetch_one(&mut other)
            .await
            .unwrap();
        (used >= 0).then_some(())
    })
    .await;
    sqlx::query("UPDATE session SET created = created - 43300000").execute(&mut other).await.unwrap();
    let closed = async { while next(&mut socket).await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), closed).await.expect("still open after its twelve hours");
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn packets_are_listed_and_a_wrong_filter_says_why() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", Vec::new());
    peer.say(snapshot(1, 1));
    let browser = linked(&service).await;
    let origin = Some(browser.site.as_str());
    let mut socket = browser.socket("/ws/packets?filter=tcp", origin).await.unwrap();
    let list = next_of(&mut socket, "packets").await;
    assert_eq!(list["packets"][0]["detail"], "SYN");
    assert_eq!(list["totals"]["not_sent"], 4);
    let mut wrong = browser.socket("/ws/packets?filter=prot", origin).await.unwrap();
    let error = next_of(&mut wrong, "error").await;
    assert!(error["message"].as_str().unwrap().contains("syntax error"));
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(browser.socket("/ws/packets", origin).await.unwrap());
    }
    eventually("the fifth being refused", || async {
        (browser.socket("/ws/packets", origin).await.err() == Some(429)).then_some(())
    })
    .await;
    drop(open);
    peer.stop().await;
    service.stop().await;
}

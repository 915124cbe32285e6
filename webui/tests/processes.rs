//! Processes, sessions and events: the API, the pages' forms and the live frame, over a real port.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use serde_json::Value;
use support::browser::Browser;
use support::peer::Peer;
use support::traffic::{at, both, entry, owner, process, session, start, window_entry};
use support::{Service, eventually};
use weir_shared::alert::Event;
use weir_shared::journal::{JournalEntry, JournalRecord};
use weir_shared::process::{MatchQuality, Owner};
use weir_shared::report::Others;
use weir_shared::session::Session;

const HOSTILE: &str = "<img onerror=…>";

async fn linked(entries: Vec<JournalEntry>) -> (Service, Peer, Browser) {
    let service = Service::start().await;
    let last = entries.last().map(|entry| entry.sequence);
    let peer = Peer::start(&service.socket(), "first", entries);
    let (port, store) = (service.port, &service.store);
    eventually("the link", || async {
        (Browser::new(port).get("/readyz").await.status() == 200).then_some(())
    })
    .await;
    eventually("storing", || async {
        let stored = store.position().await.unwrap().map(|position| position.sequence);
        (stored == last).then_some(())
    })
    .await;
    let browser = Browser::logged_in(port).await;
    (service, peer, browser)
}

fn names(document: &Value) -> Vec<&str> {
    document["processes"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn processes_come_from_the_collector_and_with_a_range_from_the_history() {
    let (service, peer, mut browser) = linked((1..=3).map(|n| window_entry(n, &[1, 2, 3])).collect()).await;
    peer.told(|told| {
        let row = |number, rx| owner(process(number), both(rx, 0), (at(0), at(1)));
        told.owners.rows = vec![row(2, 900), row(1, 500), row(3, 600)];
    });
    let now = browser.json("/api/v1/processes").await;
    assert_eq!(names(&now), ["curl", "nginx", "nginx"]);
    let first = &now["processes"][0];
    assert_eq!((first["pid"].as_u64(), first["user"].as_str()), (Some(10_002), Some("alice")));
    assert_eq!((first["quality"].as_str(), first["rx_bytes"].as_u64()), (Some("exact"), Some(900)));
    assert_eq!(now["others"]["rx_bytes"], 300);
    let one = browser.json("/api/v1/processes?limit=1").await;
    assert_eq!(names(&one), ["curl"]);
    let least = browser.json("/api/v1/processes?sort=rx_bytes&limit=1").await;
    assert_eq!((least["processes"][0]["rx_bytes"].as_u64(), names(&least).len()), (Some(500), 1));
    assert_eq!(
        (least["others"]["rx_bytes"].as_u64(), least["others"]["rows"].as_u64()),
        (Some(300 + 900 + 600), Some(4))
    );
    let programs = browser.json("/api/v1/processes?group=program").await;
    assert_eq!(names(&programs), ["nginx", "curl"]);
    assert_eq!(
        (programs["processes"][0]["rx_bytes"].as_u64(), programs["processes"][0]["members"].as_u64()),
        (Some(1_100), Some(2))
    );
    assert!(programs["processes"][0]["pid"].is_null());
    let www = browser.json("/api/v1/processes?user=www-data&sort=-pid").await;
    assert_eq!(www["processes"][0]["pid"], 10_003);
    assert_eq!(names(&browser.json("/api/v1/processes?unit=-").await), ["curl"]);

    let range = format!("from={}&to=2026-03-02", start());
    let past = browser.json(&format!("/api/v1/processes?{range}&limit=2")).await;
    assert_eq!(
        (past["processes"].as_array().unwrap().len(), past["processes"][0]["rx_bytes"].as_u64()),
        (2, Some(3_000))
    );
    assert_eq!(past["others"]["rx_bytes"], 3 * 300 + 3_000);
    let cursor = past["next_cursor"].as_str().unwrap();
    let rest = browser.json(&format!("/api/v1/processes?{range}&limit=2&cursor={cursor}")).await;
    assert_eq!((rest["processes"].as_array().unwrap().len(), rest["next_cursor"].is_null()), (1, true));
    let units = browser.json(&format!("/api/v1/processes?{range}&group=unit")).await;
    assert_eq!(
        (units["processes"][0]["unit"].as_str(), units["processes"][0]["members"].as_u64()),
        (Some("nginx.service"), Some(2))
    );
    let found = browser.json(&format!("/api/v1/processes?{range}&q=10002")).await;
    assert_eq!(names(&found), ["curl"]);
    let csv = browser.get(&format!("/api/v1/processes?{range}&format=csv")).await.text().await.unwrap();
    assert_eq!(csv.lines().count(), 1 + 3 + 1, "{csv}");
    assert!(csv.starts_with("name,pid,started,"), "{csv}");
    assert_eq!(browser.get("/api/v1/processes?group=colour").await.status(), 400);
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn one_process_is_shown_with_its_flows_and_its_history() {
    let (service, peer, mut browser) = linked((1..=3).map(|n| window_entry(n, &[1, 2])).collect()).await;
    let range = format!("from={}&to=2026-03-02", start());
    let one = format!("name=nginx&pid=10001&started={}", start());
    let flows = browser.json(&format!("/api/v1/flows?{range}&{one}")).await;
    assert_eq!(flows["flows"].as_array().unwrap().len(), 1);
    assert_eq!(flows["flows"][0]["initiator_owner"]["name"], "nginx");
    let series = browser.json(&format!("/api/v1/processes/series?{range}&{one}")).await;
    let steps = series["series"].as_array().unwrap();
    assert_eq!(
        (steps.len(), steps[0]["rx_bytes"].as_u64(), series["step_seconds"].as_u64()),
        (3, Some(1_000), Some(10))
    );
    assert_eq!(steps[0]["rx_bits_per_second"], 800);
    // of now, by what its processes have in common
    peer.told(|told| told.owners.rows = vec![owner(process(7), both(9, 9), (at(0), at(1)))]);
    let flows = browser.json("/api/v1/flows?user=www-data").await;
    assert_eq!(flows["flows"][0]["initiator_owner"]["pid"], 10_007);
    assert!(browser.json("/api/v1/flows?user=alice").await["flows"].as_array().unwrap().is_empty());
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn the_threshold_is_set_by_the_pages_own_form_alone() {
    let (service, peer, mut browser) = linked(Vec::new()).await;
    let page = browser.get("/processes").await.text().await.unwrap();
    assert!(page.contains("<b data-threshold-now>1 MiB/s</b>"), "{page}");
    let csrf = browser.form_token("/processes").await;
    let fields = |step: &'static str, amount: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("step", step.to_owned()),
            ("amount", amount.to_owned()),
            ("unit", "KiB/s".to_owned()),
        ]
    };
    async fn post(browser: &mut Browser, fields: &[(&'static str, String)]) -> u16 {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/processes?interface=eth0", &fields).await.status().as_u16()
    }
    assert_eq!(browser.post("/processes", &[("csrf", "guessed"), ("step", "0")]).await.status(), 403);
    assert_eq!(peer.told(|told| told.threshold), 1 << 20);
    assert_eq!(post(&mut browser, &fields("5242880", "")).await, 303);
    assert_eq!(peer.told(|told| told.threshold), 5 << 20);
    assert_eq!(post(&mut browser, &fields("other", "1.5")).await, 303);
    assert_eq!(peer.told(|told| told.threshold), 1_536);
    assert_eq!(post(&mut browser, &fields("other", "many")).await, 422);
    assert_eq!(peer.told(|told| told.threshold), 1_536);
    assert!(peer.told(|told| told.on_behalf_of.iter().all(|user| user == "admin")));
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn sessions_are_started_reset_and_stopped_and_a_second_start_names_the_first() {
    let (service, peer, mut browser) = linked(Vec::new()).await;
    let csrf = browser.form_token("/sessions").await;
    async fn post(browser: &mut Browser, csrf: &str, change: &str) -> (u16, String) {
        let fields = [("csrf", csrf), ("change", change), ("name", HOSTILE)];
        let answer = browser.post("/sessions", &fields).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
    assert_eq!(post(&mut browser, "guessed", "start").await.0, 403);
    assert!(peer.told(|told| told.session.is_none()));
    assert_eq!(post(&mut browser, &csrf, "start").await.0, 303);
    let (status, page) = post(&mut browser, &csrf, "start").await;
    assert_eq!(status, 422);
    assert!(page.contains("&lt;img onerror=…&gt; is running"), "{page}");
    let document = browser.json("/api/v1/sessions").await;
    assert_eq!(
        (document["sessions"][0]["name"].as_str(), document["sessions"][0]["end"].is_null()),
        (Some(HOSTILE), true)
    );
    assert_eq!(post(&mut browser, &csrf, "reset").await.0, 303);
    assert_eq!(peer.told(|told| told.session.as_ref().map(|session| session.id)), Some(2));
    assert_eq!(post(&mut browser, &csrf, "stop").await.0, 303);
    let (status, page) = post(&mut browser, &csrf, "stop").await;
    assert_eq!((status, page.contains("no session is running")), (422, true));
    assert_eq!(post(&mut browser, &csrf, "erase").await.0, 400);
    assert_eq!(peer.told(|told| told.on_behalf_of.clone()), ["admin"; 5], "who asked, refused ones too");
    peer.stop().await;
    service.stop().await;
}

/// Two sessions that ended and an event, in which a process and a session have a hostile name.
#[actix_web::test]
async fn groups_of_now_count_more_owners_than_a_page_shows_and_the_rest_is_with_the_others() {
    let (service, peer, mut browser) = linked(Vec::new()).await;
    peer.told(|told| {
        let rows = (1..=6_000).map(|number| owner(process(number), both(1, 0), (at(0), at(1))));
        told.owners.rows = rows.collect();
        told.owners.others = Others::default();
    });
    let programs = browser.json("/api/v1/processes?group=program&limit=1").await;
    assert_eq!(programs["processes"][0]["members"], 2_500);
    assert_eq!(
        programs["others"]["rx_bytes"],
        2_500 + 1_000,
        "the other program, and owners beyond the list"
    );
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn a_list_since_the_session_began_says_which_one_that_is_or_that_none_runs() {
    let (service, peer, mut browser) = linked(Vec::new()).await;
    let none = browser.json("/api/v1/processes?session=true").await;
    assert!(none.as_object().unwrap().contains_key("session") && none["session"].is_null(), "{none}");
    assert!(!browser.json("/api/v1/processes").await.as_object().unwrap().contains_key("session"));
    peer.told(|told| told.session = Some(session(7, "backup")));
    let of_it = browser.json("/api/v1/processes?session=true").await;
    assert_eq!(of_it["session"], serde_json::json!({"id": 7, "name": "backup", "begin": at(10)}));
    peer.stop().await;
    service.stop().await;
}

fn ended() -> Vec<JournalEntry> {
    let hostile = Owner { name: HOSTILE.to_owned(), ..process(1) };
    let mut one = Session { end: Some(at(60)), ..session(1, HOSTILE) };
    one.owners.rows = vec![owner(hostile, both(700, 200), (at(10), at(60)))];
    let two = Session { end: Some(at(90)), ..session(2, "backup") };
    let event = Event {
        time: at(90),
        kind: "session_stopped".to_owned(),
        subject: "backup".to_owned(),
        message: "The session backup was stopped by root.".to_owned(),
    };
    vec![
        entry(1, JournalRecord::Session(Box::new(one))),
        entry(2, JournalRecord::Session(Box::new(two))),
        entry(3, JournalRecord::Event(event)),
    ]
}

#[actix_web::test]
async fn ended_sessions_and_events_are_listed_and_hostile_names_stay_text() {
    let (service, peer, mut browser) = linked(ended()).await;
    let page = browser.get("/sessions").await.text().await.unwrap();
    assert!(!page.contains("<img") && page.matches("&lt;img onerror=…&gt;").count() == 2, "{page}");
    let document = browser.json("/api/v1/sessions?limit=1").await;
    assert_eq!(document["sessions"][0]["name"], "backup");
    let cursor = document["next_cursor"].as_str().unwrap();
    let rest = browser.json(&format!("/api/v1/sessions?cursor={cursor}")).await;
    assert_eq!(rest["sessions"][0]["processes"][0]["rx_bytes"], 700);
    assert_eq!(rest["sessions"][0]["interfaces"][0]["kernel"]["rx_bytes"], 1_001);
    let csv = browser.get("/api/v1/sessions?format=csv").await.text().await.unwrap();
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let events = browser.json("/api/v1/events?q=BACKUP").await;
    assert_eq!(events["events"][0]["kind"], "session_stopped");
    assert!(browser.json("/api/v1/events?q=other").await["events"].as_array().unwrap().is_empty());
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn a_live_frame_carries_owners_the_session_and_the_threshold() {
    use futures_util::StreamExt as _;
    use weir_shared::live::Live;
    let (service, peer, browser) = linked(Vec::new()).await;
    let mut now = support::traffic::update(1_000);
    let unknown = Owner {
        name: "unknown".to_owned(),
        quality: MatchQuality::Unknown,
        reason: "no socket was found".to_owned(),
        ..Owner::default()
    };
    let mut row = owner(process(2), both(10, 20), (at(0), at(1)));
    row.over_threshold = true;
    now.owners.rows = vec![row, owner(unknown, both(1, 1), (at(0), at(1)))];
    now.interfaces[0].owners = now.owners.clone();
    now.active_owners = 2;
    now.session = Some(session(4, "backup"));
    peer.say(Live::Snapshot { sequence: 9, now, seconds: Vec::new() });
    let mut socket = browser.socket("/ws/live", Some(&browser.site)).await.unwrap();
    let frame = loop {
        let message = socket.next().await.unwrap().unwrap();
        let Ok(text) = message.to_text() else { continue };
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        if frame["sequence"] == 9 {
            break frame;
        }
    };
    let first = &frame["owners"]["rows"][0];
    assert_eq!((first["name"].as_str(), first["over_threshold"].as_bool()), (Some("curl"), Some(true)));
    assert!(first.get("command_line").is_none());
    assert_eq!(frame["owners"]["rows"][1]["reason"], "no socket was found");
    assert_eq!(frame["interfaces"][0]["owners"]["rows"][0]["pid"], 10_002);
    assert_eq!(
        (frame["active_owners"].as_u64(), frame["session"]["name"].as_str()),
        (Some(2), Some("backup"))
    );
    assert_eq!(frame["process_threshold_bytes_per_second"], 1 << 20);
    peer.stop().await;
    service.stop().await;
}

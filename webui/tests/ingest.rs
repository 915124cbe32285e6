//! From the collector's socket into a real database file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use support::browser::Browser;
use support::peer::Peer;
use support::traffic::{alert, at, entry, start, window, window_entry};
use support::{Service, eventually};
use weir_shared::alert::AlertState;
use weir_shared::journal::JournalRecord;
use weir_shared::report::{Gap, KernelCounters};
use weir_webui::store::list::ListQuery;
use weir_webui::store::owners::OwnerFilter;
use weir_webui::store::range::Range;
use weir_webui::store::series::SeriesQuery;
use weir_webui::store::{Position, Store};

fn everything() -> Range {
    Range { from: start(), to: at(86_400) }
}

fn query() -> SeriesQuery {
    SeriesQuery {
        range: everything(),
        interface: None,
        summed: false,
        search: String::new(),
        step_millis: Some(0),
        limit: 10_000,
        before: None,
    }
}

async fn stored(store: &Store) -> usize {
    store.series(&query()).await.unwrap().windows.len()
}

async fn has_stored(store: &Store, sequence: u64) -> Option<Position> {
    store.position().await.unwrap().filter(|position| position.sequence == sequence)
}

#[actix_web::test]
async fn each_window_is_stored_once_across_a_restart_of_either_side() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", (1..=30).map(|n| window_entry(n, &[1, 2])).collect());
    eventually("storing 30 windows", || has_stored(&service.store, 30)).await;
    peer.append(window_entry(31, &[3]));
    eventually("storing the next", || has_stored(&service.store, 31)).await;
    let folder = service.stop().await;

    peer.append(window_entry(32, &[3]));
    peer.append(window_entry(33, &[3]));
    let service = Service::start_in(folder).await;
    eventually("storing what came meanwhile", || has_stored(&service.store, 33)).await;
    peer.stop().await;

    let all = (1..=35).map(|n| window_entry(n, &[1, 2])).collect();
    let peer = Peer::start(&service.socket(), "first", all);
    eventually("storing after the collector's restart", || has_stored(&service.store, 35)).await;
    assert_eq!(stored(&service.store).await, 35);
    assert!(service.store.gaps(everything(), 10).await.unwrap().is_empty());
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn another_journal_begins_at_its_oldest_and_leaves_one_gap() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", (1..=5).map(|n| window_entry(n, &[1])).collect());
    eventually("storing the first journal", || has_stored(&service.store, 5)).await;
    peer.stop().await;
    let later = |n: i64| JournalRecord::Window(Box::new(window(at(1_000 + n * 10), &[1])));
    let entries = (3..=9_u64).map(|n| entry(n, later(i64::try_from(n).unwrap()))).collect();
    let peer = Peer::start(&service.socket(), "second", entries);
    eventually("storing the second journal", || has_stored(&service.store, 9)).await;
    assert_eq!(stored(&service.store).await, 5 + 7);
    let gaps = service.store.gaps(Range { from: start(), to: at(1 << 30) }, 10).await.unwrap();
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].reason.contains("another"), "{}", gaps[0].reason);
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn entries_overwritten_before_they_were_read_are_a_gap() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", (1..=5).map(|n| window_entry(n, &[1])).collect());
    eventually("storing", || has_stored(&service.store, 5)).await;
    peer.stop().await;
    let peer = Peer::start(&service.socket(), "first", (21..=22).map(|n| window_entry(n, &[1])).collect());
    eventually("storing on", || has_stored(&service.store, 22)).await;
    let gaps = service.store.gaps(Range { from: start(), to: at(1 << 30) }, 10).await.unwrap();
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].reason.contains("15 journal entries"), "{}", gaps[0].reason);
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn alerts_and_gaps_of_the_journal_are_kept_as_they_came() {
    let gap = Gap {
        start: at(10),
        end: at(20),
        interface: "eth0".to_owned(),
        reason: "the capture worker died".to_owned(),
        kernel: KernelCounters { rx_packets: 1, rx_bytes: 100, tx_packets: 2, tx_bytes: 200 },
    };
    let entries = vec![
        window_entry(1, &[1]),
        entry(2, JournalRecord::Alert(Box::new(alert(u64::MAX, AlertState::Start)))),
        entry(3, JournalRecord::Gap(gap.clone())),
        entry(4, JournalRecord::Alert(Box::new(alert(u64::MAX, AlertState::End)))),
    ];
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", entries);
    eventually("storing", || has_stored(&service.store, 4)).await;
    assert_eq!(service.store.gaps(everything(), 10).await.unwrap(), [gap]);
    let query = weir_webui::store::alerts::AlertQuery {
        range: everything(),
        search: "LOST".to_owned(),
        limit: 10,
        before: None,
    };
    let alerts = service.store.alerts(&query).await.unwrap().alerts;
    assert_eq!(alerts, [alert(u64::MAX, AlertState::End), alert(u64::MAX, AlertState::Start)]);
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn an_entry_that_cannot_be_stored_is_a_gap_and_those_behind_it_are_stored() {
    let service = Service::start().await;
    let path = service.store.path().to_owned();
    let mut file = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON traffic_window WHEN new.sequence = 3 \
                   BEGIN SELECT raise(ABORT, 'not this one'); END";
    sqlx::query(trigger).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    let peer = Peer::start(&service.socket(), "first", (1..=8).map(|n| window_entry(n, &[1])).collect());
    eventually("storing those behind it", || has_stored(&service.store, 8)).await;
    peer.append(window_entry(9, &[1]));
    eventually("storing what comes later", || has_stored(&service.store, 9)).await;
    assert_eq!(stored(&service.store).await, 8);

    let mut browser = Browser::logged_in(service.port).await;
    let (from, to) = (start(), at(86_400));
    let document = browser.json(&format!("/api/v1/windows?from={from}&to={to}")).await;
    let gaps = document["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 1, "{document}");
    assert_eq!((&gaps[0]["start"], &gaps[0]["end"]), (&json!(at(30)), &json!(at(40))));
    let reason = gaps[0]["reason"].as_str().unwrap();
    assert!(reason.contains("not this one") && reason.contains("journal entry 3"), "{reason}");
    let ready = browser.json("/readyz").await;
    assert_eq!(ready["entries_passed_over"], 1, "{ready}");
    assert_eq!(ready["database"]["status"], "ok", "{ready}");
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn an_entry_that_is_not_understood_is_a_gap_and_those_behind_it_are_stored() {
    let service = Service::start().await;
    let peer = Peer::start(&service.socket(), "first", (1..=2).map(|n| window_entry(n, &[1])).collect());
    peer.told(|told| told.unreadable = Some(4));
    for sequence in 3..=6 {
        peer.append(window_entry(sequence, &[1]));
    }
    eventually("storing those behind it", || has_stored(&service.store, 6)).await;
    assert_eq!(stored(&service.store).await, 5);
    let gaps = service.store.gaps(Range { from: start(), to: at(1 << 30) }, 10).await.unwrap();
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].reason.contains("journal entry 4"), "{}", gaps[0].reason);
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn an_interface_that_came_back_within_a_window_is_stored_as_the_sum_of_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("weir.db")).await.unwrap();
    let mut twice = window(start(), &[1, 2, 3]);
    twice.interfaces.extend(window(start(), &[2, 3, 4]).interfaces);
    let entries = [entry(1, JournalRecord::Window(Box::new(twice))), window_entry(12, &[1])];
    store.store_entries("journal", &entries).await.unwrap();
    while store.roll_up().await.unwrap() > 0 {}
    let (rx, tx) = (2 * 3_300, 2 * 1_700);
    for step_millis in [0, 60_000] {
        let range = Range { from: start(), to: at(10) };
        let series = SeriesQuery { range, step_millis: Some(step_millis), ..query() };
        let windows = store.series(&series).await.unwrap().windows;
        assert_eq!((windows.len(), windows[0].interfaces.len()), (1, 1), "{step_millis}");
        let captured = windows[0].interfaces[0].captured;
        assert_eq!((captured.rx.bytes, captured.tx.bytes), (rx, tx), "{step_millis}");
    }
    let list = ListQuery {
        range: Range { from: start(), to: at(10) },
        interface: None,
        search: String::new(),
        owners: OwnerFilter::default(),
        limit: 10,
        after: None,
    };
    let hosts = store.hosts(&list).await.unwrap().list;
    assert_eq!((hosts.rows.len(), hosts.rows[0].traffic.rx.bytes), (4, 2_000));
    let rows: u64 = hosts.rows.iter().map(|row| row.traffic.rx.bytes).sum();
    assert_eq!(rows + hosts.others.traffic.rx.bytes, rx);
}

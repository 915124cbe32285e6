//! Owners, sessions and events in the history.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use support::traffic::{at, both, entry, owner, process, session as running, window, window_entry};
use weir_shared::alert::Event;
use weir_shared::journal::{JournalEntry, JournalRecord};
use weir_shared::process::{MatchQuality, Owner, OwnerRow};
use weir_shared::report::{Others, Ranked};
use weir_shared::session::Session;
use weir_webui::store::alerts::AlertQuery;
use weir_webui::store::list::ListQuery;
use weir_webui::store::owners::{Group, OwnerFilter, OwnerSpan};
use weir_webui::store::range::Range;
use weir_webui::store::retention::Limits;
use weir_webui::store::{Store, Stored};

const FAR: i64 = 400 * 86_400;

fn everything() -> Range {
    Range { from: at(-86_400), to: at(86_400) }
}

fn list(search: &str) -> ListQuery {
    ListQuery {
        range: everything(),
        interface: None,
        search: search.to_owned(),
        owners: OwnerFilter::default(),
        limit: 1_000,
        after: None,
    }
}

fn newest() -> AlertQuery {
    AlertQuery { range: everything(), search: String::new(), limit: 10, before: None }
}

async fn open(folder: &Path) -> Store {
    Store::open(&folder.join("weir.db")).await.unwrap()
}

async fn owners(store: &Store, group: Group, query: &ListQuery) -> Vec<OwnerSpan> {
    store.owners(group, query).await.unwrap().list.rows
}

async fn only_days(store: &Store) {
    while store.roll_up().await.unwrap() > 0 {}
    while store.trim(at(FAR).as_millisecond()).await.unwrap() > 0 {}
    let limits = Limits { days: [Some(1), Some(1), Some(1), None], max_bytes: u64::MAX };
    store.prune_by_age(&limits, at(FAR)).await.unwrap();
}

#[actix_web::test]
async fn a_process_comes_back_as_it_was_told_and_sums_over_its_windows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let entries: Vec<JournalEntry> = (1..=3).map(|n| window_entry(n, &[3, 4])).collect();
    assert_eq!(store.store_entries("journal", &entries).await.unwrap(), [Stored::New; 3]);
    assert_eq!(store.store_entries("journal", &entries).await.unwrap(), [Stored::Known; 3]);
    let nginx = async || owners(&store, Group::Process, &list("nginx")).await[0].clone();
    let row = nginx().await.row;
    assert_eq!(row.owner, process(3));
    assert_eq!((row.traffic.rx.bytes, row.rx_payload_bytes, row.tx_payload_bytes), (3_000, 1_500, 750));
    assert_eq!((row.interface.as_str(), row.protocols), ("eth0", vec!["tcp".to_owned(), "https".to_owned()]));
    only_days(&store).await;
    let row = nginx().await.row;
    assert_eq!((&row.owner, row.traffic.rx.bytes, row.rx_payload_bytes), (&process(3), 3_000, 1_500));
    store.prune_terms().await.unwrap();
    assert_eq!(nginx().await.row.owner, process(3));
}

#[actix_web::test]
async fn a_pid_that_is_used_again_is_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut entries = [window_entry(1, &[4]), window_entry(2, &[4])];
    let JournalRecord::Window(second) = &mut entries[1].record else { unreachable!() };
    let later = Owner { started: Some(at(15)), ..process(4) };
    second.interfaces[0].owners.rows[0].owner = later.clone();
    second.interfaces[0].flows.rows[0].initiator_owner = Some(later.reference());
    store.store_entries("journal", &entries).await.unwrap();
    let rows = owners(&store, Group::Process, &list("10004")).await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|span| span.row.traffic.rx.bytes == 1_000));
    // one 5-tuple, two owners one after the other: neither is credited with both
    for coarse in [false, true] {
        if coarse {
            only_days(&store).await;
        }
        let flow = store.flows(&list("")).await.unwrap().list.rows[0].clone();
        assert_eq!((flow.traffic.rx.bytes, flow.initiator_owner), (2_000, None), "coarse: {coarse}");
    }
}

#[actix_web::test]
async fn groups_have_what_their_processes_have_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut whole = window(at(10), &[1, 2, 3, 5]);
    let nobody = |name: &str, quality, reason: &str| {
        let none = Owner { name: name.to_owned(), quality, reason: reason.to_owned(), ..Owner::default() };
        owner(none, both(70, 0), (at(10), at(20)))
    };
    whole.interfaces[0].owners.rows.extend([
        nobody("unknown", MatchQuality::Unknown, "no socket was found"),
        nobody("unknown", MatchQuality::Unknown, "it was closed too soon"),
        nobody("kernel", MatchQuality::Kernel, ""),
    ]);
    store.store_entries("journal", &[entry(1, JournalRecord::Window(Box::new(whole)))]).await.unwrap();
    let group = async |group| owners(&store, group, &list("")).await;
    let programs = group(Group::Program).await;
    let shown: Vec<_> = programs
        .iter()
        .map(|span| (span.row.owner.name.as_str(), span.members, span.row.traffic.rx.bytes))
        .collect();
    assert_eq!(shown[..2], [("nginx", 3, 3_000), ("curl", 1, 1_000)]);
    assert_eq!(shown[2..], [("unknown", 2, 140), ("kernel", 1, 70)]);
    let mut reasons: Vec<_> = (group(Group::Process).await.into_iter())
        .filter(|span| span.row.owner.name == "unknown")
        .map(|span| (span.row.owner.reason, span.row.traffic.rx.bytes))
        .collect();
    reasons.sort();
    assert_eq!(reasons, [("it was closed too soon".to_owned(), 70), ("no socket was found".to_owned(), 70)]);
    let nginx = &programs[0].row.owner;
    assert_eq!(
        (nginx.pid, nginx.executable.as_str(), nginx.unit.as_str()),
        (None, "/usr/sbin/nginx", "nginx.service")
    );
    assert_eq!((nginx.command_line.as_str(), nginx.container.as_str()), ("", ""));
    assert_eq!(
        (programs[1].row.owner.pid, programs[1].row.owner.quality),
        (Some(10_002), MatchQuality::Exact)
    );
    let units = group(Group::Unit).await;
    let named: Vec<_> = units.iter().map(|span| (span.row.owner.unit.as_str(), span.members)).collect();
    assert_eq!(named[..2], [("nginx.service", 3), ("", 1)]);
    let unknown = units.iter().find(|span| span.row.owner.name == "unknown").unwrap();
    assert_eq!((unknown.row.owner.quality, unknown.row.owner.reason.as_str()), (MatchQuality::Unknown, ""));
    let containers = group(Group::Container).await;
    assert_eq!(
        containers.iter().find(|span| span.row.owner.container.starts_with("docker")).unwrap().members,
        1
    );
    let users = group(Group::User).await;
    assert_eq!(users.len(), 4);
}

#[actix_web::test]
async fn one_process_has_its_own_flows_and_its_own_history() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let entries: Vec<JournalEntry> =
        (1..=6).map(|n| window_entry(n, if n % 2 == 0 { &[1, 2] } else { &[2] })).collect();
    store.store_entries("journal", &entries).await.unwrap();
    let one = OwnerFilter { pid: Some(10_001), started: process(1).started, ..OwnerFilter::default() };
    let flows = store.flows(&ListQuery { owners: one.clone(), ..list("") }).await.unwrap().list.rows;
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].initiator_owner, Some(process(1).reference()));
    let series = store.owner_series(everything(), None, &one, None).await.unwrap();
    let steps: Vec<_> = series.steps.iter().map(|(start, traffic)| (*start, traffic.rx.bytes)).collect();
    assert_eq!(steps, [(at(20), 1_000), (at(40), 1_000), (at(60), 1_000)]);
    let none = OwnerFilter { unit: Some(String::new()), ..OwnerFilter::default() };
    let flows = store.flows(&ListQuery { owners: none, ..list("") }).await.unwrap().list.rows;
    assert_eq!(flows[0].initiator_owner, Some(process(2).reference()));
    assert_eq!(flows.len(), 1);
}

#[actix_web::test]
async fn what_a_router_forwards_counts_once_and_what_its_processes_do_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut whole = window(at(10), &[1]);
    let part = &mut whole.interfaces[0];
    let forwarded = Owner { name: "forwarded".to_owned(), quality: MatchQuality::Kernel, ..Owner::default() };
    part.owners.rows.push(owner(forwarded, both(5_000, 5_000), (at(10), at(20))));
    part.directions.forwarded_in = part.captured.rx;
    part.directions.forwarded_out = part.captured.tx;
    let mut other = part.clone();
    other.interface = "wlan0".to_owned();
    whole.interfaces.push(other);
    store.store_entries("journal", &[entry(1, JournalRecord::Window(Box::new(whole)))]).await.unwrap();
    let rows = owners(&store, Group::Process, &list("")).await;
    let shown: Vec<_> =
        rows.iter().map(|span| (span.row.owner.name.as_str(), span.row.traffic.rx.bytes)).collect();
    assert_eq!(shown, [("forwarded", 5_000), ("nginx", 2_000)]);
}

fn session(id: u64) -> Session {
    let row = |number| {
        let row = owner(process(number), both(400, 100), (at(10), at(20)));
        OwnerRow { session_traffic: row.traffic, ..row }
    };
    Session {
        end: Some(at(20)),
        gap_millis: 250,
        owners: Ranked {
            rows: vec![row(1), row(2)],
            others: Others { rows: 4, traffic: both(200, 100), ..Others::default() },
        },
        ..running(id, "upgrade <b>")
    }
}

#[actix_web::test]
async fn sessions_and_events_are_stored_once_and_end_with_the_coarsest_history() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let event = Event {
        time: at(20),
        kind: "session_stopped".to_owned(),
        subject: "upgrade <b>".to_owned(),
        message: "The session was stopped by root.".to_owned(),
    };
    let entries = [
        entry(1, JournalRecord::Session(Box::new(session(u64::MAX)))),
        entry(2, JournalRecord::Event(event.clone())),
    ];
    for stored in [Stored::New, Stored::Known] {
        assert_eq!(store.store_entries("journal", &entries).await.unwrap(), [stored; 2]);
    }
    assert_eq!(store.ended_sessions(&newest()).await.unwrap().sessions, [session(u64::MAX)]);
    assert_eq!(store.events(&newest()).await.unwrap().events, [event]);
    let none = AlertQuery { search: "backup".to_owned(), ..newest() };
    assert!(store.ended_sessions(&none).await.unwrap().sessions.is_empty());
    // no window names these processes; the session does
    store.prune_terms().await.unwrap();
    assert_eq!(store.ended_sessions(&newest()).await.unwrap().sessions[0].owners.rows.len(), 2);
    let limits = Limits { days: [None, None, None, Some(1)], max_bytes: u64::MAX };
    store.prune_by_age(&limits, at(3 * 86_400)).await.unwrap();
    assert!(store.ended_sessions(&newest()).await.unwrap().sessions.is_empty());
    assert!(store.events(&newest()).await.unwrap().events.is_empty());
    assert!(store.prune_terms().await.unwrap() > 0);
}

#[actix_web::test]
async fn a_database_from_before_owners_opens_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let mut file =
        SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(include_str!("data/before_owners.sql")).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let hosts = store.hosts(&list("")).await.unwrap().list;
    assert_eq!(hosts.rows.len(), 2);
    assert!(owners(&store, Group::Process, &list("")).await.is_empty());
    let position = store.position().await.unwrap().unwrap();
    store.store_entries(&position.journal_id, &[window_entry(position.sequence + 1, &[1])]).await.unwrap();
    assert_eq!(owners(&store, Group::Process, &list("")).await.len(), 1);
    while store.roll_up().await.unwrap() > 0 {}
}

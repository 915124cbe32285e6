//! What the history promises: sums stay exact through roll-up and trimming, age and size are kept, trouble is said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use std::path::Path;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use support::traffic::{at, window, window_entry};
use weir_shared::health::{DayRow, Days};
use weir_shared::journal::{JournalEntry, JournalRecord};
use weir_shared::report::{KernelCounters, RxTx};
use weir_webui::store::list::ListQuery;
use weir_webui::store::owners::{Group, OwnerFilter};
use weir_webui::store::range::{Level, Range};
use weir_webui::store::retention::Limits;
use weir_webui::store::series::SeriesQuery;
use weir_webui::store::{Store, StoreError, Stored};

const MANY_DAYS: i64 = 400 * 86_400;

fn list(range: Range, search: &str, limit: usize) -> ListQuery {
    ListQuery {
        range,
        interface: None,
        search: search.to_owned(),
        owners: OwnerFilter::default(),
        limit,
        after: None,
    }
}

fn range(from: i64, to: i64) -> Range {
    Range { from: at(from), to: at(to) }
}

async fn open(folder: &Path) -> Store {
    Store::open(&folder.join("weir.db")).await.unwrap()
}

async fn settle(store: &Store) {
    while store.roll_up().await.unwrap() > 0 {}
    while store.trim(at(MANY_DAYS).as_millisecond()).await.unwrap() > 0 {}
    while store.index_search().await.unwrap() > 0 {}
}

/// Windows by number of ten seconds, each with 40 hosts of its own and two that are in all of them.
async fn fill(store: &Store, numbers: std::ops::RangeInclusive<u64>) {
    let entries: Vec<JournalEntry> = numbers
        .map(|number| {
            let first = u32::try_from(number % 1_000).unwrap() * 40;
            let hosts: Vec<u32> = [65_000, 65_001].into_iter().chain(first..first + 40).collect();
            window_entry(number, &hosts)
        })
        .collect();
    for batch in entries.chunks(200) {
        store.store_entries("journal", batch).await.unwrap();
    }
}

const WINDOW_RX: u64 = 42 * 1_000 + 300;
const WINDOW_TX: u64 = 42 * 500 + 200;

fn sum(rows: impl Iterator<Item = RxTx>, others: RxTx) -> (u64, u64) {
    let mut total = others;
    for row in rows {
        total += row;
    }
    (total.rx.bytes, total.tx.bytes)
}

#[actix_web::test]
async fn rows_and_others_sum_to_the_total_at_every_level() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 1..=400).await;
    settle(&store).await;
    let drop_level = |days: [Option<u32>; 4]| Limits { days, max_bytes: u64::MAX };
    let everything = range(0, 4_100);
    let expected = (400 * WINDOW_RX, 400 * WINDOW_TX);
    let far = at(MANY_DAYS);
    for (level, keep) in [
        (Level::Window, [None; 4]),
        (Level::Minute, [Some(1), None, None, None]),
        (Level::Hour, [Some(1), Some(1), None, None]),
        (Level::Day, [Some(1), Some(1), Some(1), None]),
    ] {
        store.prune_by_age(&drop_level(keep), far).await.unwrap();
        let hosts = store.hosts(&list(everything, "", 10)).await.unwrap();
        assert_eq!(hosts.level, level);
        assert_eq!(hosts.list.rows[0].traffic.rx.bytes, 400_000, "{level:?}");
        let total = sum(hosts.list.rows.iter().map(|row| row.traffic), hosts.list.others.traffic);
        assert_eq!(total, expected, "hosts at {level:?}");
        let flows = store.flows(&list(everything, "", 10)).await.unwrap();
        let total = sum(flows.list.rows.iter().map(|row| row.traffic), flows.list.others.traffic);
        assert_eq!(total, expected, "flows at {level:?}");
        for group in [Group::Process, Group::Program] {
            let owners = store.owners(group, &list(everything, "", 10)).await.unwrap();
            assert_eq!(owners.level, level);
            let rows = owners.list.rows.iter().map(|span| span.row.traffic);
            assert_eq!(sum(rows, owners.list.others.traffic), expected, "owners at {level:?} by {group:?}");
        }
        let (_, totals) = store.totals(everything, None).await.unwrap();
        assert_eq!((totals.captured.rx.bytes, totals.captured.tx.bytes), expected, "totals at {level:?}");
        assert_eq!(totals.ledger.outside_bytes, -5 * 400);
        assert_eq!(totals.highest_packets_per_second, 42);
        assert_eq!(totals.application["https"].bytes, expected.0 + expected.1, "{level:?}");
    }
}

#[actix_web::test]
async fn a_roll_up_that_runs_again_or_late_changes_no_sum() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 1..=100).await;
    settle(&store).await;
    settle(&store).await;
    fill(&store, 50..=100).await;
    settle(&store).await;
    // a window that comes late, into a minute that was closed and trimmed
    let late = JournalEntry {
        sequence: 101,
        previous_sequence: 100,
        record: JournalRecord::Window(Box::new(window(at(15), &[7]))),
    };
    assert_eq!(store.store_entries("journal", std::slice::from_ref(&late)).await.unwrap(), [Stored::New]);
    assert_eq!(store.store_entries("journal", &[late]).await.unwrap(), [Stored::Known]);
    settle(&store).await;
    let limits = Limits { days: [Some(1), None, None, None], max_bytes: u64::MAX };
    store.prune_by_age(&limits, at(MANY_DAYS)).await.unwrap();
    let hosts = store.hosts(&list(range(0, 2_000), "", 1_000)).await.unwrap();
    assert_eq!(hosts.level, Level::Minute);
    let total = sum(hosts.list.rows.iter().map(|row| row.traffic), hosts.list.others.traffic);
    assert_eq!(total.0, 100 * WINDOW_RX + 1_300);
}

/// A window in which two interfaces in totals saw the same three hosts, and one that is not in totals likewise.
fn three_interfaces(sequence: u64) -> JournalEntry {
    let mut whole = window(at(10), &[1, 2, 3]);
    let first = whole.interfaces[0].clone();
    for (name, in_totals) in [("wlan0", true), ("lo", false)] {
        let mut other = first.clone();
        other.interface = name.to_owned();
        other.in_totals = in_totals;
        whole.interfaces.push(other);
    }
    JournalEntry { sequence, previous_sequence: sequence - 1, record: JournalRecord::Window(Box::new(whole)) }
}

#[actix_web::test]
async fn all_interfaces_are_those_in_totals_and_a_host_on_two_of_them_is_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.store_entries("journal", &[three_interfaces(1)]).await.unwrap();
    let hosts = store.hosts(&list(range(0, 100), "", 10)).await.unwrap().list;
    assert_eq!(hosts.rows.len(), 3);
    assert!(hosts.rows.iter().all(|row| row.interface == "eth0+wlan0" && row.traffic.rx.bytes == 2_000));
    assert_eq!(hosts.others.traffic.rx.bytes, 600);
    let series = |summed: bool, interface: Option<&str>| SeriesQuery {
        range: range(0, 100),
        interface: interface.map(str::to_owned),
        summed,
        search: String::new(),
        step_millis: Some(0),
        limit: 10,
        before: None,
    };
    let parts = store.series(&series(false, None)).await.unwrap().windows;
    let names: Vec<&str> = parts[0].interfaces.iter().map(|part| part.interface.as_str()).collect();
    assert_eq!(names, ["eth0", "wlan0"]);
    let sum = store.series(&series(true, None)).await.unwrap().windows;
    assert_eq!(sum[0].interfaces.len(), 1);
    assert_eq!(sum[0].interfaces[0].captured.rx.bytes, 2 * 3_300);
    assert_eq!(sum[0].interfaces[0].application["https"].bytes, 2 * (3_300 + 1_700));
    let lo = store.series(&series(true, Some("lo"))).await.unwrap().windows;
    assert_eq!(
        (lo[0].interfaces[0].interface.as_str(), lo[0].interfaces[0].captured.rx.bytes),
        ("lo", 3_300)
    );
    let (_, totals) = store.totals(range(0, 100), None).await.unwrap();
    assert_eq!(totals.captured.rx.bytes, 2 * 3_300);
    assert_eq!(store.applications(range(0, 100), Some("lo")).await.unwrap()["https"].bytes, 5_000);
}

#[actix_web::test]
async fn what_a_router_forwards_between_two_interfaces_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut entry = three_interfaces(1);
    if let JournalRecord::Window(window) = &mut entry.record {
        for part in &mut window.interfaces {
            part.directions.forwarded_in = part.captured.rx;
            part.directions.forwarded_out = part.captured.tx;
        }
    }
    store.store_entries("journal", &[entry]).await.unwrap();
    let hosts = store.hosts(&list(range(0, 100), "", 10)).await.unwrap().list;
    assert_eq!(hosts.rows.len(), 3);
    assert!(hosts.rows.iter().all(|row| row.traffic.rx.bytes == 1_000 && row.traffic.tx.bytes == 500));
    let (_, totals) = store.totals(range(0, 100), None).await.unwrap();
    assert_eq!((totals.captured.rx.bytes, totals.captured.tx.bytes), (2 * 3_300, 0));
}

#[actix_web::test]
async fn pages_of_a_list_have_each_row_once_and_the_last_remainder_is_what_no_page_had() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 1..=20).await;
    let mut query = list(range(0, 300), "", 100);
    let (mut seen, mut total) = (std::collections::BTreeSet::new(), 0);
    let others = loop {
        let page = store.hosts(&query).await.unwrap();
        for row in &page.list.rows {
            assert!(seen.insert(row.address), "{} twice", row.address);
            total += row.traffic.rx.bytes;
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => break page.list.others,
        }
    };
    assert_eq!(seen.len(), 2 + 20 * 40);
    assert_eq!(total + others.traffic.rx.bytes, 20 * WINDOW_RX);
    assert_eq!(others.traffic.rx.bytes, 20 * 300);
}

#[actix_web::test]
async fn search_finds_parts_of_addresses_names_protocols_and_ports() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 1..=3).await;
    let all = range(0, 100);
    let hosts = async |text: &str| store.hosts(&list(all, text, 1_000)).await.unwrap().list.rows.len();
    assert_eq!(hosts("192.168").await, 122);
    assert_eq!(hosts("192.168.253.232").await, 1);
    assert_eq!(hosts("HOST65000.exam").await, 1);
    assert_eq!(hosts("https").await, 122);
    assert_eq!(hosts("%").await, 0);
    let flows = async |text: &str| store.flows(&list(all, text, 1_000)).await.unwrap().list.rows.len();
    assert_eq!(flows("10.0.0.1").await, 122);
    assert_eq!(flows(":443").await, 122);
    assert_eq!(flows("udp").await + flows("tcp").await, 122);
    let windows = |search: &str| SeriesQuery {
        range: all,
        interface: None,
        summed: false,
        search: search.to_owned(),
        step_millis: Some(0),
        limit: 100,
        before: None,
    };
    // host 47 spoke in the first window alone
    assert_eq!(store.series(&windows("192.168.0.47")).await.unwrap().windows.len(), 1);
    assert_eq!(store.series(&windows("host65000")).await.unwrap().windows.len(), 3);
    assert_eq!(store.series(&windows("nothing")).await.unwrap().windows.len(), 0);
}

#[actix_web::test]
async fn age_ends_each_level_in_its_time_and_never_what_was_not_rolled_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 1..=10).await;
    let limits = Limits { days: [Some(7), Some(30), Some(400), None], max_bytes: u64::MAX };
    assert_eq!(store.prune_by_age(&limits, at(100 * 86_400)).await.unwrap(), 0);
    settle(&store).await;
    assert!(store.prune_by_age(&limits, at(8 * 86_400)).await.unwrap() > 0);
    assert_eq!(store.hosts(&list(range(0, 200), "", 5)).await.unwrap().level, Level::Minute);
    store.prune_by_age(&limits, at(31 * 86_400)).await.unwrap();
    assert_eq!(store.hosts(&list(range(0, 200), "", 5)).await.unwrap().level, Level::Hour);
    store.prune_by_age(&limits, at(500 * 86_400)).await.unwrap();
    let hosts = store.hosts(&list(range(-86_400, 200), "", 5)).await.unwrap();
    assert_eq!(hosts.level, Level::Day);
    assert_eq!(hosts.list.rows[0].traffic.rx.bytes, 10_000);
    // of 402 hosts a day keeps 200: the texts of the others go, theirs stay
    assert!(store.prune_terms().await.unwrap() > 0);
    let hosts = store.hosts(&list(range(-86_400, 200), "192.168", 1_000)).await.unwrap();
    assert_eq!(hosts.list.rows.len(), 200);
    let flows = store.flows(&list(range(-86_400, 200), "10.0.0.1", 1_000)).await.unwrap();
    assert_eq!(flows.list.rows.len(), 200);
}

#[actix_web::test]
async fn the_file_stays_within_its_size_and_keeps_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 1..=700).await;
    settle(&store).await;
    // room is made by the hour, and one hour less is enough
    let max_bytes = store.used_bytes().await.unwrap() / 10 * 9;
    let limits = Limits { days: [None; 4], max_bytes };
    assert!(store.prune_by_size(&limits).await.unwrap() > 0);
    store.vacuum().await.unwrap();
    assert!(store.used_bytes().await.unwrap() <= max_bytes);
    assert_eq!(store.prune_by_size(&limits).await.unwrap(), 0);
    let newest = store.hosts(&list(range(6_900, 7_010), "", 5)).await.unwrap();
    assert_eq!(newest.level, Level::Window);
    store.close().await;
    let file = std::fs::metadata(folder.path().join("weir.db")).unwrap().len();
    assert!(file <= max_bytes + (1 << 20), "the file has {file} bytes, allowed are {max_bytes}");
}

#[actix_web::test]
async fn a_locked_database_is_said_and_stores_again_once_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut other =
        SqliteConnectOptions::new().filename(folder.path().join("weir.db")).connect().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let outcome = store.store_entries("journal", &[window_entry(1, &[1])]).await;
    store.note(&outcome);
    assert!(matches!(outcome, Err(StoreError::Locked)), "{outcome:?}");
    assert_eq!(store.trouble().as_deref(), Some("the database is locked by another program"));
    assert_eq!(store.position().await.unwrap(), None);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let outcome = store.store_entries("journal", &[window_entry(1, &[1])]).await;
    store.note(&outcome);
    assert_eq!(outcome.unwrap(), [Stored::New]);
    assert_eq!(store.trouble(), None);
}

#[actix_web::test]
async fn a_damaged_file_is_kept_aside_and_the_history_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    std::fs::write(&path, b"this is no database, whatever its name says".repeat(100)).unwrap();
    let store = Store::open(&path).await.unwrap();
    assert_eq!(store.store_entries("journal", &[window_entry(1, &[1])]).await.unwrap(), [Stored::New]);
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|name| name.starts_with("weir.db.corrupt-")), "{names:?}");
}

#[actix_web::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).await.close().await;
    let path = folder.path().join("weir.db");
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (99, 'later', '', 1, x'00', 0)")
        .execute(&mut other)
        .await
        .unwrap();
    other.close().await.unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert!(path.exists());
}

/// A week of windows on one interface.
#[actix_web::test]
#[ignore = "fills a large database; run by hand or by make bench"]
async fn a_page_over_seven_days_is_fast() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 1..=60_480).await;
    settle(&store).await;
    println!("{} MiB", store.used_bytes().await.unwrap() >> 20);
    let week = range(0, 7 * 86_400);
    let timed = async |what: &str, search: &str, step: Option<i64>| {
        let begun = std::time::Instant::now();
        store.hosts(&list(week, search, 100)).await.unwrap();
        let hosts = begun.elapsed();
        store.flows(&list(week, search, 100)).await.unwrap();
        let flows = begun.elapsed() - hosts;
        let query = SeriesQuery {
            range: week,
            interface: None,
            summed: false,
            search: search.to_owned(),
            step_millis: step,
            limit: 1_000,
            before: None,
        };
        let series = store.series(&query).await.unwrap();
        let rest = begun.elapsed() - hosts - flows;
        println!("{what}: hosts {hosts:?}, flows {flows:?}, series {rest:?} of {}", series.windows.len());
    };
    for _ in 0..2 {
        timed("all", "", None).await;
        timed("by part of an address", "192.168.1", None).await;
        timed("by name", "host65000", Some(0)).await;
        timed("a rare one", "host47.exam", Some(0)).await;
    }
    let begun = Timestamp::now();
    fill(&store, 60_481..=60_680).await;
    println!("commit of a window: {:?}", Timestamp::now().duration_since(begun).checked_div(200));
}

#[actix_web::test]
async fn days_are_the_collectors_own_sums_and_those_of_a_file_that_was_replaced_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let days = |begun: i64, sums: &[(i8, u64)]| Days {
        time_zone: "UTC".to_owned(),
        begun: at(begun),
        rows: sums
            .iter()
            .map(|&(day, rx_bytes)| DayRow {
                date: jiff::civil::date(2026, 1, day),
                interface: "eth0".to_owned(),
                kernel: KernelCounters { rx_bytes, ..KernelCounters::default() },
                in_totals: true,
            })
            .collect(),
    };
    store.store_days(&days(0, &[(1, 100), (2, 40)])).await.unwrap();
    store.store_days(&days(0, &[(2, 70)])).await.unwrap();
    store.store_days(&days(9, &[(2, 5)])).await.unwrap();
    let whole = Range { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX };
    let sums = async |range, interface| -> Vec<(i8, u64)> {
        let rows = store.days(range, interface, 10).await.unwrap();
        rows.iter().map(|row| (row.date.day(), row.kernel.rx_bytes)).collect()
    };
    assert_eq!(sums(whole, None).await, [(2, 75), (1, 100)]);
    assert_eq!(sums(whole, Some("eth1")).await, []);
    let midnight = jiff::civil::date(2026, 1, 2).to_zoned(jiff::tz::TimeZone::system()).unwrap().timestamp();
    assert_eq!(sums(Range { to: midnight, ..whole }, None).await, [(1, 100)]);
    assert_eq!(sums(Range { from: midnight, ..whole }, None).await, [(2, 75)]);
    let limits = Limits { days: [None, None, None, Some(1)], max_bytes: u64::MAX };
    store
        .prune_by_age(&limits, midnight.checked_add(jiff::SignedDuration::from_hours(24)).unwrap())
        .await
        .unwrap();
    assert_eq!(sums(whole, None).await, [(2, 75)]);
}

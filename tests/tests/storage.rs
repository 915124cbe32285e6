//! Disks that are full, files that are damaged, and history that must end: said plainly, nothing lost that was promised.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use weir_tests::disk::SmallDisk;
use weir_tests::history::History;
use weir_tests::lab::Lab;
use weir_tests::process::Running;
use weir_tests::wait::{until, until_async};
use weir_tests::web::Client;

/// How long a service may take to notice that its disk is full, or that it is not any more.
const NOTICE: Duration = Duration::from_secs(30);

fn traffic(lab: &Lab, flows: &str) -> Running {
    let arguments =
        ["--count", "10000000", "--pps", "3000", "--flows", flows, "--transport", "mix", "--size", "200"];
    Running::start("sender", &mut lab.network.sending(&arguments), &lab.path("sender.log"))
}

async fn until_ready_is(lab: &Lab, wanted: StatusCode) -> String {
    let mut client = Client::new(&lab.url(""));
    until_async(&format!("/readyz is {wanted}"), NOTICE, async || {
        let page = client.get("/readyz").await;
        (page.status == wanted).then_some(page.body)
    })
    .await
}

fn degraded(lab: &Lab) -> String {
    lab.status()["degraded"].to_string()
}

/// Files in the folder of `path` whose names begin with its name and `.corrupt-`.
fn kept_aside(path: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}.corrupt-", path.file_name().and_then(|name| name.to_str()).expect("a name"));
    let entries = fs::read_dir(path.parent().expect("a folder")).expect("a folder").flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix.as_str()))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_disk_full_webui_stores_nothing_says_so_and_goes_on_once_there_is_room() {
    let disk = SmallDisk::new(24);
    let mut lab = Lab::new();
    lab.database = disk.path().join("weir.db");
    lab.start_collector();
    lab.start_webui();
    let traffic = traffic(&lab, "500");
    lab.until_stored("a window", |history| !history.windows.is_empty()).await;
    disk.fill();
    let said = until_ready_is(&lab, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(said.contains("full"), "{said}");
    let position = async || {
        let history = History::read(&lab.database, &lab.network.interface).await;
        history.expect("a database that can be read").position
    };
    let before = position().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(position().await, before, "a position that nothing stands behind");
    disk.free();
    until_ready_is(&lab, StatusCode::OK).await;
    drop(traffic);
    let history = lab.until_caught_up().await;
    assert!(history.position > before + 3, "{} after {before}", history.position);
    assert_eq!((history.missing(), history.doubled), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_disk_full_the_collector_keeps_windows_in_memory_and_writes_them_later() {
    let disk = SmallDisk::new(8);
    let mut lab = Lab::new();
    lab.collector_state = disk.path().join("state");
    lab.configure_collector("[capture]\nwindow_seconds = 1\n[state]\njournal_max_mib = 4\n");
    lab.start_collector();
    lab.start_webui();
    let before = lab.network.counters();
    let traffic = traffic(&lab, "500");
    lab.until_stored("a window", |history| !history.windows.is_empty()).await;
    disk.fill();
    let said = until("the collector says that it cannot write", NOTICE, || {
        Some(degraded(&lab)).filter(|said| said.contains("journal"))
    });
    assert!(said.contains("No space left") && said.contains("wait in memory"), "{said}");
    // capture and live view go on
    let captured = lab.capture()["bytes"].as_u64().expect("captured bytes");
    assert_eq!(lab.watch(3).len(), 3);
    assert!(lab.capture()["bytes"].as_u64() > Some(captured));
    disk.free();
    until("the collector writes again", NOTICE, || (degraded(&lab) == "[]").then_some(()));
    drop(traffic);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let history = lab.until_caught_up().await;
    assert_eq!((history.missing(), history.doubled.clone()), (vec![], vec![]));
    let holes = history.windows.windows(2).filter(|pair| pair[1] - pair[0] != 1000).count();
    assert_eq!(holes, 0, "{:?}", history.windows);
    let grown = lab.network.counters().bytes_since(&before);
    assert!(history.bytes >= grown, "{} bytes are in the windows, {grown} passed", history.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_kept_aside_and_history_begins_anew_from_the_journal() {
    let mut lab = Lab::started();
    let first = lab.until_stored("three windows", |history| history.windows.len() >= 3).await;
    lab.webui.as_mut().expect("webui").stop();
    let mut bytes = fs::read(&lab.database).expect("the database");
    bytes[..4096].fill(0xa5);
    fs::write(&lab.database, bytes).expect("a damaged database");
    lab.start_webui();
    until_ready_is(&lab, StatusCode::OK).await;
    let kept = kept_aside(&lab.database);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let log = lab.webui.as_ref().expect("webui").log();
    assert!(log.contains("damaged") && log.contains(kept[0].to_str().expect("a path")), "{log}");
    let history = lab.until_caught_up().await;
    assert!(history.windows.len() >= first.windows.len(), "the journal still has what the database lost");
    assert_eq!((history.missing(), history.doubled), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_of_the_collector_are_kept_aside_and_said() {
    let mut lab = Lab::new();
    lab.start_collector();
    lab.start_webui();
    lab.until_stored("a window", |history| !history.windows.is_empty()).await;
    lab.collector.as_mut().expect("the collector").stop();
    let entries = fs::read_dir(&lab.collector_state).expect("the state").flatten();
    let files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for path in &files {
        let mut bytes = fs::read(path).expect("a file of the state");
        let end = bytes.len().min(65_536);
        bytes[..end].fill(0xa5);
        fs::write(path, bytes).expect("a damaged file");
    }
    lab.start_collector();
    let said = degraded(&lab);
    for path in &files {
        let kept = kept_aside(path);
        assert_eq!(kept.len(), 1, "{}: {kept:?}", path.display());
        assert!(said.contains(kept[0].to_str().expect("a path")), "{said}");
    }
    let before = lab.until_stored("the new journal", |history| !history.gaps.is_empty()).await;
    lab.until_stored("windows go on", |history| history.windows.len() > before.windows.len()).await;
}

async fn connect(database: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(database).connect().await.expect("the database")
}

async fn number(connection: &mut SqliteConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.expect(query)
}

/// A past made of copies of what is stored: `copies` of them, each `millis` further back.
async fn copy_into_the_past(connection: &mut SqliteConnection, copies: i64, millis: i64) {
    let mut transaction = connection.begin().await.expect("a transaction");
    for (table, condition) in [("traffic_window", "true"), ("span", "level = 0"), ("ranked", "level = 0")] {
        let create = format!("CREATE TEMP TABLE copy_{table} AS SELECT * FROM {table} WHERE {condition}");
        sqlx::query(AssertSqlSafe(create)).execute(&mut *transaction).await.expect("what is copied");
    }
    let steps = [
        "UPDATE copy_traffic_window SET id = id + 1000, sequence = sequence + 1000, journal_id = 'copies', \
         start = start - ?1, day_start = day_start - ?1",
        "INSERT INTO traffic_window SELECT * FROM copy_traffic_window WHERE ?1 > 0",
        "UPDATE copy_span SET window_id = window_id + 1000, start = start - ?1",
        "INSERT INTO span SELECT * FROM copy_span WHERE ?1 > 0",
        "UPDATE copy_ranked SET window_id = window_id + 1000, start = start - ?1",
        "INSERT INTO ranked SELECT * FROM copy_ranked WHERE ?1 > 0",
    ];
    for _ in 0..copies {
        for step in steps {
            sqlx::query(step).bind(millis).execute(&mut *transaction).await.expect(step);
        }
    }
    let rolled_up = "UPDATE rollup_position SET window_id = (SELECT max(id) FROM traffic_window)";
    sqlx::query(rolled_up).execute(&mut *transaction).await.expect(rolled_up);
    transaction.commit().await.expect("the copies");
}

const ROWS: &str =
    "SELECT (SELECT count(*) FROM span WHERE level = 0) + (SELECT count(*) FROM ranked WHERE level = 0)";
const OLDEST: &str = "SELECT min(start) FROM span WHERE level = 0";
const HOUR: i64 = 3_600_000;

/// Some real windows with many rows, stored by a webui that has stopped.
async fn stored_windows() -> (Lab, History) {
    let mut lab = Lab::new();
    lab.configure_collector("[capture]\nwindow_seconds = 1\nwindow_rows = 300\n");
    lab.start_collector();
    lab.start_webui();
    let traffic = traffic(&lab, "3000");
    lab.until_stored("windows with traffic", |history| history.packets > 6_000).await;
    drop(traffic);
    lab.collector.as_mut().expect("the collector").stop();
    lab.webui.as_mut().expect("webui").stop();
    let history = History::read(&lab.database, &lab.network.interface).await.expect("a history");
    (lab, history)
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_older_than_they_are_kept_go_and_younger_ones_stay() {
    let (mut lab, stored) = stored_windows().await;
    let mut connection = connect(&lab.database).await;
    let rows = number(&mut connection, ROWS).await;
    let newest = number(&mut connection, OLDEST).await;
    copy_into_the_past(&mut connection, 10, 25 * HOUR).await;
    assert!(number(&mut connection, ROWS).await > rows * 10);
    lab.configure_webui("[retention]\nwindows_days = 1\n");
    lab.start_webui();
    let mut left = 0;
    for _ in 0..150 {
        left = number(&mut connection, ROWS).await;
        if left <= rows {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(left, rows, "rows of windows after retention, and before the old ones were added");
    assert_eq!(number(&mut connection, OLDEST).await, newest);
    let history = History::read(&lab.database, &lab.network.interface).await.expect("a history");
    assert_eq!(history.bytes, stored.bytes, "what is young enough is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_stays_within_its_size_and_the_oldest_goes_first() {
    const MOST_BYTES: u64 = 16 << 20;
    let (mut lab, stored) = stored_windows().await;
    let mut connection = connect(&lab.database).await;
    let newest = number(&mut connection, OLDEST).await;
    let database = lab.database.clone();
    let size = || fs::metadata(&database).expect("the database").len();
    // a row takes some 80 bytes
    let copies = (32 << 20) / (80 * number(&mut connection, ROWS).await) + 1;
    copy_into_the_past(&mut connection, copies, HOUR).await;
    let oldest = number(&mut connection, OLDEST).await;
    connection.close().await.expect("closing");
    assert!(size() > MOST_BYTES, "{} bytes to begin with", size());
    lab.configure_webui("[retention]\nmax_mib = 16\n");
    lab.start_webui();
    until("the file is within its size", NOTICE, || (size() <= MOST_BYTES).then_some(()));
    let mut connection = connect(&lab.database).await;
    let now = number(&mut connection, OLDEST).await;
    assert!(
        oldest < now && now <= newest,
        "windows from {oldest} on before, from {now} on after, new from {newest}"
    );
    let history = History::read(&lab.database, &lab.network.interface).await.expect("a history");
    assert!(history.bytes >= stored.bytes, "the newest windows are whole");
}

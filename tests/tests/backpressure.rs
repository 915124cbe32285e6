//! Readers that do not read cost only themselves, and databases that fail lose nothing.
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use weir_tests::lab::Lab;
use weir_tests::process::Running;
use weir_tests::web::Client;

fn traffic(lab: &Lab) -> Running {
    let arguments =
        ["--count", "10000000", "--pps", "3000", "--flows", "3000", "--transport", "mix", "--size", "200"];
    Running::start("sender", &mut lab.network.sending(&arguments), &lab.path("sender.log"))
}

fn resident_kib(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_delays_nobody() {
    let mut lab = Lab::new();
    lab.start_collector();
    let mut command = std::process::Command::new(weir_tests::program::program("weir"));
    command.arg("--socket").arg(lab.socket()).args(["packets", "--json"]);
    let slow = Running::start("slow client", &mut command, &lab.path("slow.log"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    slow.signal(nix::sys::signal::Signal::SIGSTOP);
    let traffic = traffic(&lab);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = resident_kib(lab.collector.as_ref().expect("the collector"));
    assert_eq!(lab.watch(3).len(), 3);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = resident_kib(lab.collector.as_ref().expect("the collector"));
    assert!(after < before + 32 * 1024, "the collector grew from {before} to {after} KiB");
    slow.signal(nix::sys::signal::Signal::SIGCONT);
    drop(traffic);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_does_not_read_never_slows_ingest_and_gets_a_snapshot_later() {
    let lab = Lab::started();
    let traffic = traffic(&lab);
    let mut client = Client::new(&lab.url(""));
    client.log_in("admin", &lab.password()).await;
    let mut request =
        lab.url("/ws/live").replace("http://", "ws://").into_client_request().expect("a request");
    request.headers_mut().insert("cookie", client.cookie_header().parse().expect("a header"));
    request.headers_mut().insert("origin", lab.url("").parse().expect("a header"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("the live view");
    let first = socket.next().await.expect("a frame").expect("a frame");
    assert!(first.to_text().expect("text").contains("\"snapshot\""), "{first}");
    let before = resident_kib(lab.webui.as_ref().expect("webui"));
    let stored = lab.until_stored("windows", |history| !history.windows.is_empty()).await.windows.len();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let later = lab.until_stored("windows go on", |history| history.windows.len() >= stored + 6).await;
    assert!(later.missing().is_empty());
    let after = resident_kib(lab.webui.as_ref().expect("webui"));
    assert!(after < before + 32 * 1024, "webui grew from {before} to {after} KiB");
    let next = tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("in time");
    assert!(next.expect("a frame").is_ok());
    drop(traffic);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_is_said_and_loses_nothing() {
    use sqlx::ConnectOptions as _;
    let lab = Lab::started();
    lab.until_stored("a window", |history| !history.windows.is_empty()).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&lab.database);
    let mut connection = options.connect().await.expect("the database");
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.expect("a lock");
    let mut client = Client::new(&lab.url(""));
    weir_tests::wait::until_async("/readyz says so", Duration::from_secs(20), async || {
        (client.get("/readyz").await.status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    sqlx::query("ROLLBACK").execute(&mut connection).await.expect("the lock's end");
    weir_tests::wait::until_async("/readyz recovers", Duration::from_secs(20), async || {
        (client.get("/readyz").await.status == StatusCode::OK).then_some(())
    })
    .await;
    let history = lab.until_caught_up().await;
    assert_eq!((history.missing(), history.doubled), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_collector_away_history_is_served_and_readiness_says_why_not() {
    let mut lab = Lab::started();
    lab.until_stored("a window", |history| !history.windows.is_empty()).await;
    lab.collector.as_mut().expect("the collector").stop();
    let mut client = Client::new(&lab.url(""));
    let reason = weir_tests::wait::until_async("/readyz says so", Duration::from_secs(20), async || {
        let page = client.get("/readyz").await;
        (page.status == StatusCode::SERVICE_UNAVAILABLE).then_some(page.body)
    })
    .await;
    assert!(reason.contains("collector"), "{reason}");
    client.log_in("admin", &lab.password()).await;
    let windows = client.get("/api/v1/windows?from=2020-01-01").await;
    assert_eq!(windows.status, StatusCode::OK, "{}", windows.body);
}

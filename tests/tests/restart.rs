//! Services that are killed, and services that are away: nothing doubled, nothing lost but what a gap says.
use std::time::Duration;

use nix::sys::signal::Signal;
use weir_tests::history::History;
use weir_tests::lab::Lab;
use weir_tests::process::{Running, children};
use weir_tests::wait::until;
use weir_tests::web::Client;

/// Kill cycles of either service; `make crash` asks for more.
fn cycles() -> u32 {
    std::env::var("WEIR_CRASH_CYCLES").ok().and_then(|cycles| cycles.parse().ok()).unwrap_or(10)
}

/// Traffic that goes on until it is dropped.
fn steady_traffic(lab: &Lab) -> Running {
    let arguments =
        ["--count", "100000000", "--pps", "2000", "--flows", "200", "--transport", "mix", "--size", "200"];
    Running::start("sender", &mut lab.network.sending(&arguments), &lab.path("sender.log"))
}

fn nothing_is_doubled_or_missing(history: &History) {
    assert_eq!(history.doubled, Vec::<i64>::new(), "stored twice");
    assert_eq!(history.missing(), Vec::<i64>::new(), "journalled and not stored");
    assert_eq!(history.doubled_windows(), Vec::<i64>::new(), "windows of one time");
}

/// Windows of one second follow each other; where one is missing, a gap says so.
fn every_hole_is_a_gap(history: &History) {
    let mut starts = history.windows.clone();
    starts.sort_unstable();
    for pair in starts.windows(2) {
        let (end, next) = (pair[0] + 1000, pair[1]);
        let explained = history.gaps.iter().any(|(from, to, _)| *from < next + 2000 && *to > end - 2000);
        assert!(
            next <= end || explained,
            "nothing from {end} to {next}, and no gap says so: {:?}",
            history.gaps
        );
    }
}

/// A span of run time that differs from cycle to cycle, so that the kill meets every state.
fn uneven(cycle: u32) -> Duration {
    Duration::from_millis(u64::from(cycle * 7919 % 1700) + 300)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_collector_loses_no_closed_window_and_doubles_none() {
    let mut lab = Lab::new();
    let before = lab.network.counters();
    lab.start_collector();
    let traffic = steady_traffic(&lab);
    // before its first window: what it saw first must stand all the same
    lab.collector.as_mut().expect("the collector").kill();
    lab.start_collector();
    lab.start_webui();
    lab.until_stored("a first window", |history| !history.windows.is_empty()).await;
    for cycle in 0..cycles() {
        tokio::time::sleep(uneven(cycle)).await;
        lab.collector.as_mut().expect("the collector").kill();
        lab.start_collector();
    }
    drop(traffic);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let history = lab.until_caught_up().await;
    nothing_is_doubled_or_missing(&history);
    every_hole_is_a_gap(&history);
    assert!(history.gaps.len() >= cycles() as usize, "{} gaps", history.gaps.len());
    totals_are_the_kernels(&lab, lab.network.counters().bytes_since(&before)).await;
    println!("{} kills: {} windows, {} gaps", cycles(), history.windows.len(), history.gaps.len());
}

/// Kernel totals by day, kept by the collector across its deaths, against the kernel's own growth.
async fn totals_are_the_kernels(lab: &Lab, grown: u64) {
    let mut client = Client::new(&lab.url(""));
    client.log_in("admin", &lab.password()).await;
    let bytes = |row: &serde_json::Value| {
        row["rx_bytes"].as_u64().unwrap_or(0) + row["tx_bytes"].as_u64().unwrap_or(0)
    };
    let mut days = 0;
    // webui asks every ten seconds
    for _ in 0..60 {
        let page = client.get(&format!("/api/v1/days?interface={}", lab.network.interface)).await.json();
        let rows = page["days"].as_array().unwrap_or_else(|| panic!("no days in {page}"));
        days = rows.iter().map(bytes).sum();
        if days == grown {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(days, grown, "bytes by day, and of the kernel since the start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_webui_stores_every_window_once() {
    let mut lab = Lab::started();
    let traffic = steady_traffic(&lab);
    for cycle in 0..cycles() {
        tokio::time::sleep(uneven(cycle)).await;
        lab.webui.as_mut().expect("webui").kill();
        lab.start_webui();
    }
    drop(traffic);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let history = lab.until_caught_up().await;
    nothing_is_doubled_or_missing(&history);
    let captured = lab.capture();
    assert_eq!(
        captured["packets"].as_u64(),
        Some(history.packets),
        "packets captured, and in the stored windows"
    );
    assert_eq!(captured["bytes"].as_u64(), Some(history.bytes), "bytes captured, and in the stored windows");
    println!("{} kills: {} windows", cycles(), history.windows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_an_absence_arrive_afterwards_in_order_and_once() {
    // an hour of ten-second windows is 360; this is the same path with one-second windows, for forty of them
    let mut lab = Lab::new();
    lab.start_collector();
    let traffic = steady_traffic(&lab);
    tokio::time::sleep(Duration::from_secs(40)).await;
    drop(traffic);
    tokio::time::sleep(Duration::from_secs(2)).await;
    lab.start_webui();
    let history = lab.until_caught_up().await;
    nothing_is_doubled_or_missing(&history);
    assert!(history.windows.len() >= 38, "{} windows", history.windows.len());
    assert!(history.windows.is_sorted(), "{:?}", history.windows);
    assert_eq!(lab.capture()["packets"].as_u64(), Some(history.packets));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_capture_worker_is_back_and_its_gap_is_journalled() {
    let lab = Lab::started();
    let collector = lab.collector.as_ref().expect("the collector").pid();
    let worker = *children(collector).first().expect("the capture worker");
    nix::sys::signal::kill(worker, Signal::SIGKILL).expect("killing the worker");
    let successor = until("another worker", Duration::from_secs(2), || {
        children(collector).into_iter().find(|pid| *pid != worker)
    });
    until("capture goes on", Duration::from_secs(3), || (lab.capture()["state"] == "up").then_some(()));
    let before = lab.capture()["packets"].as_u64().expect("packets");
    lab.network.send(&["--count", "200", "--pps", "1000"]);
    until("packets are counted by the new worker", Duration::from_secs(5), || {
        (lab.capture()["packets"].as_u64()? >= before + 200).then_some(())
    });
    let history = lab.until_stored("the gap is stored", |history| !history.gaps.is_empty()).await;
    let (start, end, reason) = &history.gaps[0];
    assert!(end > start && end - start < 2000, "{start} to {end}: {reason}");
    let said = lab.weir(&["alerts", "--json"]);
    assert!(said.out.contains("capture_lost"), "{said:?}");
    assert!(successor.as_raw() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_journal_is_a_gap_and_starts_over() {
    let mut lab = Lab::started();
    lab.network.send(&["--count", "500", "--pps", "500"]);
    let first = lab.until_stored("two windows", |history| history.windows.len() >= 2).await;
    lab.collector.as_mut().expect("the collector").stop();
    for entry in std::fs::read_dir(lab.path("collector-state")).expect("the state").flatten() {
        if entry.file_name().to_string_lossy().starts_with("journal") {
            std::fs::remove_file(entry.path()).expect("removing the journal");
        }
    }
    lab.start_collector();
    let second = lab.until_stored("the new journal", |history| history.journal_id != first.journal_id).await;
    assert!(!second.gaps.is_empty(), "a lost journal must be a gap");
    assert!(second.windows.len() >= first.windows.len(), "what was stored stays");
}

#[test]
fn a_sessions_owners_keep_what_they_moved_before_a_restart() {
    let mut lab = Lab::new();
    lab.start_collector();
    let said = |lab: &Lab, arguments: &[&str]| {
        let said = lab.weir(arguments);
        assert_eq!(said.code, 0, "weir {arguments:?}: {}", said.err);
        said.json()
    };
    let moved_by = |lab: &Lab, arguments: &[&str]| {
        let document = said(lab, arguments);
        let rows = document["processes"].as_array().expect("processes").iter().chain([&document["others"]]);
        rows.map(|row| row["rx_bytes"].as_u64().unwrap_or(0) + row["tx_bytes"].as_u64().unwrap_or(0))
            .sum::<u64>()
    };
    let in_session = |lab: &Lab| moved_by(lab, &["processes", "--session", "--json"]);
    let since_start = |lab: &Lab| moved_by(lab, &["processes", "--json"]);
    // answers of the monitored machine count too: no sum is known beforehand, but all must agree
    let at_least = |lab: &Lab, bytes: u64, moved: &dyn Fn(&Lab) -> u64| {
        until("what was sent is told", Duration::from_secs(5), || (moved(lab) >= bytes).then_some(()));
        std::thread::sleep(Duration::from_secs(1));
        moved(lab)
    };
    let frames = ["--count", "1000", "--pps", "2000", "--size", "300"];
    let before = at_least(&lab, lab.network.send(&frames), &since_start);
    said(&lab, &["session", "start", "over a restart", "--json"]);
    let first = at_least(&lab, lab.network.send(&frames), &in_session);
    assert_eq!(since_start(&lab), before + first, "a session begins with nothing");
    let begin = said(&lab, &["processes", "--session", "--json"])["since"].clone();
    lab.collector.as_mut().expect("the collector").stop();
    lab.start_collector();
    assert_eq!((in_session(&lab), since_start(&lab)), (first, 0), "it holds what was moved before");
    let sum = at_least(&lab, first + lab.network.send(&frames), &in_session);
    assert_eq!(sum, first + since_start(&lab));
    assert_eq!(said(&lab, &["processes", "--session", "--json"])["since"], begin);
    said(&lab, &["session", "stop", "--json"]);
    let refused = lab.weir(&["processes", "--session"]);
    assert!(refused.code == 1 && refused.err.contains("no session is running"), "{}", refused.err);
}

//! Both services under what their systemd units confine them by: each does its work there.
use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use weir_tests::lab::Lab;
use weir_tests::process::children;
use weir_tests::wait::until;
use weir_tests::web::Client;

const SOON: Duration = Duration::from_secs(20);

/// Ten frames are sent and counted.
fn captures(lab: &Lab) {
    let before = lab.capture()["bytes"].as_u64().expect("bytes");
    let sent = lab.network.send(&["--count", "10", "--transport", "udp"]);
    lab.until_captured(before + sent);
}

#[test]
fn the_collector_does_its_work_under_its_units_filters() {
    let mut lab = Lab::new();
    lab.confine_as_units();
    lab.start_collector();
    captures(&lab);

    let running = lab.collector.as_ref().expect("the collector");
    let ready = "the capture worker is confined and ready";
    let [worker] = children(running.pid())[..] else { panic!("one worker: {:?}", children(running.pid())) };
    kill(worker, Signal::SIGKILL).expect("its end");
    until("another worker", SOON, || (running.log().matches(ready).count() == 2).then_some(()));
    until("it captures", SOON, || (lab.capture()["state"] == "up").then_some(()));
    captures(&lab);

    fs::write(lab.path("collector.toml"), "[capture]\nwindow_seconds = 1\nfilter = \"udp\"\n")
        .expect("a filter");
    running.signal(Signal::SIGHUP);
    until("the configuration is read again", SOON, || {
        running.log().contains("the configuration was read again").then_some(())
    });
    until("it captures again", SOON, || (lab.capture()["state"] == "up").then_some(()));
    captures(&lab);
    let said = lab.weir(&["session", "start", "a test"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let log = running.log();
    assert_eq!(log.matches("ERROR").count(), 1, "that the worker ended, and nothing else: {log}");
}

#[tokio::test]
async fn the_dashboard_does_its_work_under_its_units_filters() {
    let mut lab = Lab::new();
    lab.confine_as_units();
    lab.start_collector();
    lab.start_webui();
    let mut client = Client::new(&lab.url(""));
    client.log_in("admin", &lab.password()).await;
    let bytes = lab.network.send(&["--count", "10", "--transport", "udp"]);
    lab.until_captured(bytes);
    lab.until_caught_up().await;
    let status = client.get("/api/v1/status").await;
    assert_eq!(status.status.as_u16(), 200, "{}", status.body);
    let log = lab.webui.as_ref().expect("webui").log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

//! SIGHUP to the collector: what of a changed configuration is taken up, what is named, and what is refused.
use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use weir_tests::lab::Lab;
use weir_tests::wait::until;

const READ_AGAIN: &str = "the configuration was read again";
const REFUSED: &str = "the old one stays";
const SOON: Duration = Duration::from_secs(10);

/// Writes the file, sends SIGHUP, and gives what was logged then, up to the verdict.
fn reload(lab: &Lab, text: &str, verdict: &str) -> String {
    let running = lab.collector.as_ref().expect("the collector");
    let before = running.log().len();
    fs::write(lab.path("collector.toml"), text).expect("a configuration");
    running.signal(Signal::SIGHUP);
    until(verdict, SOON, || {
        let log = running.log().split_off(before);
        log.contains(verdict).then_some(log)
    })
}

fn captured(lab: &Lab) -> Vec<String> {
    let status = lab.status();
    let up =
        status["capture"].as_array().expect("captures").iter().filter(|capture| capture["state"] == "up");
    up.map(|capture| capture["interface"].as_str().expect("a name").to_owned()).collect()
}

fn threshold(lab: &Lab) -> Value {
    lab.weir(&["threshold", "--json"]).json()["process_threshold_bytes_per_second"].clone()
}

/// How many packets are captured when a hundred frames of a transport are sent; of TCP answers are captured, too.
fn captured_of_a_hundred(lab: &Lab, transport: &str, passes: bool) -> u64 {
    let count = || lab.capture()["packets"].as_u64().expect("packets");
    let before = count();
    lab.network.send(&["--count", "100", "--pps", "1000", "--transport", transport]);
    std::thread::sleep(Duration::from_millis(1_500));
    if passes {
        until("a hundred are counted", SOON, || (count() >= before + 100).then_some(()));
    }
    count() - before
}

fn only_udp_is_captured(lab: &Lab) -> bool {
    captured_of_a_hundred(lab, "tcp", false) == 0 && captured_of_a_hundred(lab, "udp", true) == 100
}

#[test]
fn a_reload_takes_up_what_it_can_names_the_rest_and_refuses_what_is_wrong() {
    let mut lab = Lab::new();
    lab.configure_collector("[capture]\nwindow_seconds = 1\n");
    lab.start_collector();
    until("both interfaces are captured", SOON, || (captured(&lab) == ["lo", "watched0"]).then_some(()));
    assert_eq!(threshold(&lab), 1 << 20);

    let changed = "[capture]\nwindow_seconds = 5\ninterfaces = [\"watched0\"]\nfilter = \"udp\"\n\
        [detect.process_bandwidth]\nlimit = \"2 MiB/s\"\n";
    let log = reload(&lab, changed, READ_AGAIN);
    assert!(log.contains("capture.window_seconds"), "what takes a restart is not named: {log}");
    assert_eq!(log.matches("at the next start").count(), 1, "more is named than takes a restart: {log}");
    until("one interface is left", SOON, || (captured(&lab) == ["watched0"]).then_some(()));
    assert_eq!(threshold(&lab), 2 << 20);
    assert!(only_udp_is_captured(&lab));

    for (wrong, named) in [
        (changed.replace("\"udp\"", "\"udp port port\""), ["line 4", "capture.filter", "syntax error"]),
        (changed.replace("window_seconds", "windows"), ["line 2", "capture.windows", "window_seconds"]),
        (changed.replace("2 MiB/s", "fast"), ["line 6", "detect.process_bandwidth.limit", "fast"]),
    ] {
        let log = reload(&lab, &wrong, REFUSED);
        let file = lab.path("collector.toml").display().to_string();
        assert!(log.contains(&file) && named.iter().all(|word| log.contains(word)), "{named:?}: {log}");
    }
    assert_eq!((captured(&lab), threshold(&lab)), (vec!["watched0".to_owned()], Value::from(2 << 20)));
    assert!(only_udp_is_captured(&lab), "the old filter stays");

    reload(&lab, "[capture]\nwindow_seconds = 1\n", READ_AGAIN);
    until("both interfaces are back", SOON, || (captured(&lab) == ["lo", "watched0"]).then_some(()));
    for transport in ["tcp", "udp"] {
        assert!(captured_of_a_hundred(&lab, transport, true) >= 100, "without a filter");
    }
    let told = lab.weir(&["alerts", "--json"]).out;
    assert!(!told.contains("capture_lost") && !told.contains("interface_gone"), "nothing went away: {told}");

    assert_eq!(lab.weir(&["threshold", "3 MiB/s"]).code, 0);
    reload(&lab, changed, "limit is not taken up");
    assert_eq!(threshold(&lab), 3 << 20, "what was set while running wins");
}

//! What `weir` prints, against a running collector.
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use weir_tests::lab::Lab;
use weir_tests::program::{ours, program};
use weir_tests::wait::until;

fn with_traffic() -> Lab {
    let mut lab = Lab::new();
    lab.start_collector();
    lab.network.send(&[
        "--count",
        "2000",
        "--pps",
        "4000",
        "--flows",
        "40",
        "--transport",
        "mix",
        "--size",
        "400",
    ]);
    lab.until_captured(2000 * 400);
    let bytes = |lab: &Lab| lab.capture()["bytes"].as_u64();
    until("nothing is counted any more", Duration::from_secs(10), || {
        let before = bytes(&lab);
        std::thread::sleep(Duration::from_millis(1200));
        (bytes(&lab) == before).then_some(())
    });
    lab
}

#[test]
fn every_list_is_one_json_document_with_the_documented_keys() {
    let lab = with_traffic();
    for (command, key, row_keys) in [
        ("interfaces", "interfaces", ["name", "captured", "in_totals", "reason"]),
        ("hosts", "hosts", ["address", "name", "rx_bytes", "tx_bytes"]),
        ("flows", "flows", ["protocol", "initiator", "responder", "rx_bytes"]),
    ] {
        let said = lab.weir(&[command, "--json"]);
        assert_eq!(said.code, 0, "{command}: {}", said.err);
        let document = said.json();
        let rows = document[key].as_array().unwrap_or_else(|| panic!("{command}: no {key} in {document}"));
        let row = rows.first().unwrap_or_else(|| panic!("{command}: no row in {document}"));
        for row_key in row_keys {
            assert!(row.get(row_key).is_some(), "{command}: no {row_key} in {row}");
        }
    }
    let status = lab.status();
    for key in [
        "version",
        "started",
        "uptime_seconds",
        "capture",
        "ledger",
        "attribution",
        "degraded",
        "losses",
        "last_sequence",
    ] {
        assert!(status.get(key).is_some(), "status: no {key}");
    }
}

#[test]
fn hosts_and_their_others_sum_to_what_was_captured() {
    let lab = with_traffic();
    let document = lab.weir(&["--interface", "watched0", "hosts", "--json", "--limit", "1"]).json();
    let bytes = |row: &Value| row["rx_bytes"].as_u64().unwrap_or(0) + row["tx_bytes"].as_u64().unwrap_or(0);
    let rows: u64 = document["hosts"].as_array().expect("hosts").iter().map(bytes).sum();
    let captured = lab.capture()["bytes"].as_u64().expect("captured bytes");
    assert_eq!(rows + bytes(&document["others"]), captured, "{document}");
}

#[test]
fn tables_and_csv_are_for_people_and_for_programs() {
    let lab = with_traffic();
    for command in ["status", "interfaces", "hosts", "flows", "alerts"] {
        let said = lab.weir(&[command]);
        assert_eq!(said.code, 0, "{command}: {}", said.err);
        assert!(!said.out.contains('\u{1b}'), "{command}: colours without a terminal");
    }
    let csv = lab.weir(&["hosts", "--format", "csv"]);
    assert_eq!(csv.code, 0, "{}", csv.err);
    let columns = csv.out.lines().next().expect("a head").split(',').count();
    assert!(columns > 3 && csv.out.lines().any(|line| line.contains("10.88.0.1")), "{}", csv.out);
}

/// Runs `weir packets` while traffic flows, ends it with Ctrl+C; what it printed.
fn packets(lab: &Lab, arguments: &[&str]) -> String {
    let mut command = Command::new(program("weir"));
    command.arg("--socket").arg(lab.socket()).args(["--interface", "watched0", "packets"]).args(arguments);
    // a file: a pipe that nobody reads yet would stop the list
    let file = lab.path("packets");
    let output = std::fs::File::create(&file).expect("a file for its output");
    let child = command.stdout(output).stderr(Stdio::piped()).spawn().expect("weir packets");
    std::thread::sleep(Duration::from_millis(700));
    lab.network.send(&[
        "--count",
        "300",
        "--pps",
        "600",
        "--flows",
        "20",
        "--transport",
        "mix",
        "--size",
        "150",
    ]);
    std::thread::sleep(Duration::from_secs(1));
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("Ctrl+C");
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(&file).expect("its output")
}

#[test]
fn packets_end_with_exact_statistics() {
    let mut lab = Lab::new();
    lab.start_collector();
    let out = packets(&lab, &["--json", "--filter", "host 10.88.0.1"]);
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect();
    let summary = &lines.last().expect("a summary")["summary"];
    assert_eq!(
        summary["packets"].as_u64(),
        Some(lines.len() as u64 - 1 + summary["not_sent"].as_u64().unwrap_or(0)),
        "{summary}"
    );
    assert!(summary["packets"].as_u64() >= Some(300), "{summary}");
    assert!(summary["bytes"].as_u64() >= Some(300 * 150), "{summary}");
}

#[test]
fn a_filter_narrows_the_packets_and_a_bad_one_is_answered_in_libpcaps_words() {
    let mut lab = Lab::new();
    lab.start_collector();
    let out = packets(&lab, &["--json", "--filter", "icmp"]);
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect();
    assert!(lines.len() > 1, "no packet matched");
    for line in &lines[..lines.len() - 1] {
        assert_eq!(line["protocol"], "icmp", "{line}");
    }
    let said = lab.weir(&["packets", "--filter", "tcp port port"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("syntax error") || said.err.contains("can't parse"), "{}", said.err);
}

#[test]
fn packets_written_to_a_file_are_read_by_tcpdump() {
    let mut lab = Lab::new();
    lab.start_collector();
    let file = lab.path("written.pcap");
    packets(&lab, &["--write", file.to_str().expect("a path")]);
    let read = weir_tests::program::must(&format!("tcpdump -nr {} --count", file.display()));
    assert!(read.contains("packet"), "{read}");
}

#[test]
fn watch_prints_a_line_an_update_until_its_reader_goes() {
    let mut lab = Lab::new();
    lab.start_collector();
    let mut command = Command::new(program("weir"));
    command
        .arg("--socket")
        .arg(lab.socket())
        .args(["watch", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("weir watch");
    {
        use std::io::BufRead as _;
        let mut lines = std::io::BufReader::new(child.stdout.take().expect("its output")).lines();
        for _ in 0..3 {
            let line = lines.next().expect("a line").expect("text");
            serde_json::from_str::<Value>(&line).expect("JSON");
        }
    }
    // its reader is gone: the next line ends it, quietly
    let status = until("watch ends", Duration::from_secs(5), || child.try_wait().expect("its state"));
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("its errors"), &mut errors).expect("text");
    assert!(!errors.contains("panicked"), "{status}: {errors}");
}

#[test]
fn a_wrong_interface_name_is_refused_with_those_that_exist() {
    let mut lab = Lab::new();
    lab.start_collector();
    for command in ["status", "processes", "hosts", "flows", "watch", "packets", "interfaces"] {
        let said = lab.weir(&[command, "--interface", "wathced0"]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{command}: {}", said.err);
        assert!(said.err.contains("`wathced0`") && said.err.contains("watched0"), "{command}: {}", said.err);
    }
    for command in [["session", "list"], ["threshold", "off"]] {
        let said = lab.weir(&[command[0], command[1], "--interface", "watched0"]);
        assert_eq!(said.code, 2, "{command:?}: {}", said.out);
    }
    let status = lab.weir(&["status", "--interface", "watched0", "--json"]).json();
    let captures: Vec<_> = status["capture"].as_array().expect("captures").iter().collect();
    assert_eq!(captures.len(), 1, "{status}");
    assert_eq!(captures[0]["interface"], "watched0");
    assert_eq!(captures[0]["ledger"], status["ledger"]);
}

#[test]
fn without_a_collector_the_message_says_where_it_looked() {
    let said = ours("weir", &["--socket", "/nowhere/collector.sock", "status"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("/nowhere/collector.sock") && said.err.contains("running"), "{}", said.err);
}

#[test]
fn interfaces_say_what_is_chosen_and_why_without_a_collector() {
    let lab = Lab::new();
    let said = weir_tests::program::run(
        lab.network.inside(&program("weir-collector")).args(["interfaces", "--json"]),
    );
    assert_eq!(said.code, 0, "{said:?}");
    let document = said.json();
    let rows = document["interfaces"].as_array().expect("interfaces");
    let row = rows.iter().find(|row| row["name"] == "watched0").expect("the watched interface");
    assert_eq!((&row["captured"], &row["primary"]), (&Value::Bool(true), &Value::Bool(true)), "{row}");
    assert!(!row["reason"].as_str().unwrap_or_default().is_empty(), "{row}");
}

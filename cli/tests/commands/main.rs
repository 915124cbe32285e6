//! The built `weir` against the collector's own gRPC service on a real socket; a thread answers for the engine.
#![cfg(test)]
mod engine;
mod owners;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::engine::Lab;

fn weir(socket: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir")).arg("--socket").arg(socket).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&text(output)).unwrap()
}

fn socket(lab: &Lab) -> PathBuf {
    lab.folder.path().join("c.sock")
}

#[test]
fn lists_are_printed_as_tables_json_and_csv() {
    let lab = Lab::start();
    let hosts = json(&weir(&socket(&lab), &["hosts", "--json", "--limit", "3", "--search", "exa"]));
    assert_eq!(hosts["hosts"][0]["rx_bytes"], 1_500_000);
    assert_eq!(hosts["hosts"][0]["rx_bits_per_second"], 80_000);
    assert_eq!(hosts["others"]["tx_bytes"], 7);
    let table = text(&weir(&socket(&lab), &["hosts"]));
    assert!(
        table.contains("1.50 MB") && table.contains("80.0 kbit/s") && table.contains("4 others"),
        "{table}"
    );
    assert!(table.contains("evil\\x1b[2J.example"), "hostile names are escaped: {table}");
    assert!(!table.contains('\x1b'), "no colour into a pipe");
    let in_bytes = text(&weir(&socket(&lab), &["hosts", "--units", "bytes"]));
    assert!(in_bytes.contains("10.0 kB/s"), "{in_bytes}");
    let csv = text(&weir(&socket(&lab), &["flows", "--format", "csv"]));
    assert!(
        csv.lines().nth(1).unwrap().starts_with("eth0,tcp,192.0.2.1:50000,198.51.100.7:443,https,"),
        "{csv}"
    );
    let interfaces = json(&weir(&socket(&lab), &["interfaces", "--json"]));
    assert_eq!(interfaces["interfaces"][0]["name"], "eth0");
}

#[test]
fn processes_are_rows_beside_what_has_no_process() {
    let lab = Lab::start();
    let document = json(&weir(&socket(&lab), &["processes", "--json"]));
    let first = &document["processes"][0];
    for (key, expected) in [
        ("name", Value::from("curl")),
        ("pid", 4_242.into()),
        ("user", "alice".into()),
        ("quality", "exact".into()),
        ("alive", true.into()),
        ("rx_bytes", 3_000_000.into()),
        ("tx_bits_per_second", 80_000.into()),
        ("over_threshold", true.into()),
    ] {
        assert_eq!(first[key], expected, "{key}");
    }
    assert_eq!(document["processes"][1]["pid"], Value::Null);
    assert_eq!(document["others"]["rx_bytes"], 70);
    let table = text(&weir(&socket(&lab), &["processes", "--units", "bytes"]));
    for part in ["4242", "2.00 MB/s", "over threshold", "unknown: its socket was gone", "3 others"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let session = json(&weir(&socket(&lab), &["processes", "--session", "--json"]));
    assert_eq!(session["processes"][0]["rx_bytes"], 1_000);
    let csv = text(&weir(&socket(&lab), &["processes", "--format", "csv"]));
    assert!(csv.lines().nth(1).unwrap().starts_with("curl,4242,"), "{csv}");
    assert!(csv.lines().last().unwrap().starts_with("others,"), "{csv}");
}

#[test]
fn flows_and_packets_name_their_owner() {
    let lab = Lab::start();
    let flows = text(&weir(&socket(&lab), &["flows"]));
    assert!(flows.contains("OWNER") && flows.contains("curl 4242"), "{flows}");
    let packets = text(&weir(&socket(&lab), &["packets", "--count", "1"]));
    assert!(packets.lines().next().unwrap().contains("curl 4242"), "{packets}");
}

#[test]
fn a_session_is_started_stopped_reset_and_listed() {
    let lab = Lab::start();
    let session = |arguments: &[&str]| {
        let words = [&["session"], arguments, &["--json"]].concat();
        json(&weir(&socket(&lab), &words))["sessions"].clone()
    };
    assert_eq!(session(&["start", "evening"])[0]["end"], Value::Null);
    assert_eq!(session(&["stop"])[0]["end"], "1970-01-01T00:01:00Z");
    let reset = session(&["reset"]);
    assert_eq!((&reset[0]["end"], &reset[1]["name"]), (&Value::Null, &Value::from("evening")));
    assert_eq!(session(&["list"]).as_array().unwrap().len(), 2);
    let table = text(&weir(&socket(&lab), &["session", "list"]));
    assert!(table.contains("night") && table.contains("running") && table.contains("2 s"), "{table}");
    let second = weir(&socket(&lab), &["session", "start", "taken"]);
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(complaint.starts_with("weir: session `evening` is running since"), "{complaint}");
}

#[test]
fn the_threshold_is_printed_and_set() {
    let lab = Lab::start();
    assert_eq!(text(&weir(&socket(&lab), &["threshold"])), "Threshold per process: 2.00 MiB/s\n");
    let set = text(&weir(&socket(&lab), &["threshold", "512 KiB/s"]));
    assert_eq!(set, "Threshold per process: 512 KiB/s, was 1.00 MiB/s\n");
    let off = json(&weir(&socket(&lab), &["threshold", "off", "--json"]));
    assert_eq!(off["process_threshold_bytes_per_second"], 0);
    assert_eq!(off["previous_bytes_per_second"], 1 << 20);
}

#[test]
fn status_has_the_agreed_keys() {
    let lab = Lab::start();
    let status = json(&weir(&socket(&lab), &["status", "--json"]));
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
        assert!(status.get(key).is_some(), "{key}: {status}");
    }
    assert_eq!(status["capture"][0]["kernel"]["rx_bytes"], 10);
    let table = text(&weir(&socket(&lab), &["status"]));
    assert!(table.contains("Ledger: kernel counted 10 B") && table.contains("Degraded: capture"), "{table}");
}

#[test]
fn packets_end_with_the_collectors_exact_statistics() {
    let lab = Lab::start();
    let file = lab.folder.path().join("out.pcap");
    let written = file.to_str().unwrap();
    let output = weir(&socket(&lab), &["packets", "--json", "--count", "2", "--write", written]);
    let lines: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["source"], "192.0.2.1:50000");
    let summary = &lines[2]["summary"];
    assert_eq!((&summary["packets"], &summary["not_sent"]), (&Value::from(1000), &Value::from(998)));
    assert_eq!(summary["protocols"]["tcp"]["percent_of_bytes"], 75.0);
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(bytes.len(), 24 + 2 * (16 + 4));
}

#[test]
fn an_interrupt_ends_a_packet_list_with_its_statistics() {
    let lab = Lab::start();
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("--socket")
        .arg(socket(&lab))
        .arg("packets")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 1];
    stdout.read_exact(&mut first).unwrap();
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(rest.contains("1000 packets, 4.00 kB in 2.0 s: 16.0 kbit/s, 500 packets/s"), "{rest}");
    assert!(rest.contains("998 matched and were not shown"), "{rest}");
    assert!(rest.contains("tcp        75.0 %"), "{rest}");
}

#[test]
fn watch_prints_a_line_an_update_and_a_closed_pipe_is_no_failure() {
    let lab = Lab::start();
    for arguments in [&["watch", "--json"][..], &["watch"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("--socket")
            .arg(socket(&lab))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 64];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        // the pipe is closed now: the next lines cannot be written
        let end = std::time::Instant::now() + Duration::from_secs(20);
        let status = loop {
            lab.publish();
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(std::time::Instant::now() < end, "still running");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        assert!(status.success() && complaint.is_empty(), "{status}: {complaint}");
    }
}

#[test]
fn errors_say_what_to_do_and_by_their_code_whose_fault_it_is() {
    let lab = Lab::start();
    let missing = weir(Path::new("/nonexistent/c.sock"), &["status"]);
    assert_eq!(missing.status.code(), Some(1));
    let complaint = String::from_utf8(missing.stderr).unwrap();
    assert!(complaint.contains("is weir-collector running? Looked at /nonexistent/c.sock"), "{complaint}");
    for (arguments, expected) in [
        (&["packets", "--interface", "eht0"][..], "captured: eth0"),
        (&["status", "--url", "http://x"], "not in this version"),
        (&["hosts", "--json", "--format", "csv"], "contradict"),
        (&["hosts", "--units", "octets"], "allowed: bits, bytes"),
        (&["threshold", "fast"], "such as 512 KiB/s"),
        (&["nonsense"], "unrecognized subcommand"),
    ] {
        let output = weir(&socket(&lab), arguments);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
        assert!(output.stdout.is_empty());
    }
}

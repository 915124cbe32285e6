//! The capture worker as a process: what holds it, what it counts, and that it comes back. Real interfaces in network
//! namespaces made here; needs root.
#![cfg(test)]
mod lab;

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lab::{Network, program, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn status(pid: Pid) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim_start_matches(':').trim()
}

fn ended(pid: Pid) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        match std::fs::read_to_string(format!("/proc/{pid}/status")) {
            Ok(status) if !field(&status, "State").starts_with('Z') => {
                std::thread::sleep(Duration::from_millis(5))
            }
            _ => return true,
        }
    }
    false
}

#[test]
fn the_worker_keeps_net_raw_and_nothing_else() {
    let network = Network::new();
    // a descriptor that the parent itself inherited
    let mut lab = network.lab_as(&["sh", "-c", "exec 7</etc/passwd; exec \"$0\""]);
    let worker = lab.worker();
    lab.say("open 1 weir0");
    lab.wait_for_id("opened", 1);
    let status = status(worker);
    assert_eq!(field(&status, "Name"), "weir-capture");
    const NET_RAW: &str = "0000000000002000";
    const NOTHING: &str = "0000000000000000";
    for (name, wanted) in [
        ("CapEff", NET_RAW),
        ("CapPrm", NET_RAW),
        ("CapInh", NOTHING),
        ("CapBnd", NOTHING),
        ("CapAmb", NOTHING),
    ] {
        assert_eq!(field(&status, name), wanted, "{name}");
    }
    assert_eq!((field(&status, "NoNewPrivs"), field(&status, "Seccomp")), ("1", "2"));
    assert_eq!(field(&status, "Uid"), "65534\t65534\t65534\t65534");
    assert_eq!(field(&status, "Groups"), "");
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{worker}/fd"))
        .unwrap()
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(!open.iter().any(|path| path.contains("passwd")), "{open:?}");
    assert_eq!(std::fs::read(format!("/proc/{worker}/environ")).unwrap_or_default(), b"");
    lab.finish();
}

#[test]
fn in_wrong_hands_it_gets_nowhere() {
    let escape = |way: &str| std::process::Command::new(program()).args(["escape", way]).output().unwrap();
    for way in ["file", "folder", "connect", "listen", "limits"] {
        let output = escape(way);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "refused\n", "{way}: {output:?}");
    }
    for way in ["program", "thread", "signal", "user", "output"] {
        let output = escape(way);
        assert_eq!(output.status.signal(), Some(Signal::SIGSYS as i32), "{way}: {output:?}");
        assert_eq!(output.stdout, b"");
    }
    // libraries that libpcap brings along complain of what is refused, and standard error may be a log file
    let log = tempfile::tempfile().unwrap();
    let status = std::process::Command::new(program()).args(["escape", "file"]).stderr(log).status().unwrap();
    assert!(status.success(), "{status:?}");
}

#[test]
fn killed_under_load_it_is_back_and_the_gap_is_told() {
    let network = Network::new();
    let mut lab = network.lab();
    let mut worker = lab.worker();
    lab.say("open 1 weir0 auto filter udp port 9");
    lab.wait_for_id("opened", 1);
    for _ in 0..10 {
        network.send(700, 1);
        let before = Timestamp::now();
        kill(worker, Signal::SIGKILL).unwrap();
        let died = lab.wait_for("died");
        assert!(died["status"].as_str().unwrap().contains("SIGKILL"));
        worker = lab.worker();
        lab.wait_for_id("opened", 1);
        let recovered = lab.wait_for("recovered");
        let [start, end] = ["gap_start", "gap_end"]
            .map(|name| recovered[name].as_str().unwrap().parse::<Timestamp>().unwrap());
        assert!(start <= before + Duration::from_millis(100) && end > before, "{before} in {start} to {end}");
        assert!(end.duration_since(before) < jiff::SignedDuration::from_secs(1), "{before} to {end}");
        lab.seen.clear();
    }
    network.send(200, 10);
    assert_eq!(lab.close(1)["packets"], 200);
    lab.finish();
}

#[test]
fn a_crash_loop_goes_on_and_says_so() {
    let network = Network::new();
    let mut lab = network.lab();
    for _ in 0..4 {
        let worker = lab.worker();
        kill(worker, Signal::SIGKILL).unwrap();
        lab.wait_for("died");
    }
    assert!(lab.seen.last().unwrap()["retry_millis"].as_u64().unwrap() > 0);
    lab.say("open 1 weir0");
    lab.wait_for_id("opened", 1);
    lab.finish();
}

#[test]
fn the_worker_dies_with_its_collector() {
    let network = Network::new();
    let mut lab = network.lab();
    let worker = lab.worker();
    lab.say("open 1 weir0");
    lab.wait_for_id("opened", 1);
    kill(lab.pid(), Signal::SIGKILL).unwrap();
    assert!(ended(worker));
}

#[test]
fn a_stopped_collector_loses_no_packet() {
    let network = Network::new();
    let mut lab = network.lab();
    lab.say("open 1 weir0 auto filter udp port 9");
    lab.wait_for_id("opened", 1);
    kill(lab.pid(), Signal::SIGSTOP).unwrap();
    network.send(40_000, 10);
    kill(lab.pid(), Signal::SIGCONT).unwrap();
    let totals = lab.close(1);
    assert_eq!((&totals["packets"], &totals["bytes"]), (&40_000.into(), &(40_000 * 60).into()));
    lab.finish();
}

#[test]
fn a_stopped_worker_goes_on() {
    let network = Network::new();
    let mut lab = network.lab();
    let worker = lab.worker();
    lab.say("open 1 weir0 auto filter udp port 9");
    lab.wait_for_id("opened", 1);
    for _ in 0..3 {
        kill(worker, Signal::SIGSTOP).unwrap();
        network.send(50, 10);
        kill(worker, Signal::SIGCONT).unwrap();
        network.send(50, 10);
    }
    assert_eq!(lab.close(1)["packets"], 300);
    lab.finish();
}

/// A virtual machine that was paused, or a control group that was frozen: the supervisor may be the first to go on.
#[test]
fn a_pause_of_the_whole_machine_ends_no_worker() {
    let network = Network::new();
    let mut lab = network.lab();
    let worker = lab.worker();
    lab.say("open 1 weir0 auto filter udp port 9");
    lab.wait_for_id("opened", 1);
    network.send(50, 10);
    for process in [lab.pid(), worker] {
        kill(process, Signal::SIGSTOP).unwrap();
    }
    std::thread::sleep(Duration::from_secs(12));
    kill(lab.pid(), Signal::SIGCONT).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    kill(worker, Signal::SIGCONT).unwrap();
    network.send(50, 10);
    assert_eq!(lab.close(1)["packets"], 100);
    assert!(lab.seen.iter().all(|event| event["event"] != "died"), "{:?}", lab.seen);
    lab.finish();
}

#[test]
fn seen_and_dropped_are_what_was_offered() {
    let network = Network::new();
    let mut lab = network.lab();
    let worker = lab.worker();
    lab.say("open 1 weir0 auto filter udp port 9");
    lab.wait_for_id("opened", 1);
    network.send(1_000, 100);
    kill(worker, Signal::SIGSTOP).unwrap();
    network.send(100_000, 10_000);
    kill(worker, Signal::SIGCONT).unwrap();
    network.send(1_000, 100);
    let totals = lab.close(1);
    let [seen, received, dropped] =
        ["packets", "kernel_received", "kernel_dropped"].map(|name| totals[name].as_u64().unwrap());
    assert!(dropped > 0, "the ring did not overrun: {totals}");
    assert_eq!(seen + dropped, 102_000, "{totals}");
    assert_eq!(received, 102_000, "{totals}");
    lab.finish();
}

#[test]
fn an_interface_is_followed_through_twenty_lives() {
    let network = Network::new();
    let mut lab = network.lab();
    for id in 1..=20 {
        lab.say(&format!("open {id} weir0 auto filter udp port 9"));
        lab.wait_for_id("opened", id);
        network.send(30, 10);
        network.disconnect();
        lab.wait_for_id("gone", id);
        assert_eq!(lab.totals(id)["packets"], 30, "life {id}");
        network.connect();
    }
    lab.finish();
}

/// Begins TCP connections from these ports on, one after the other, to a port that nobody answers.
fn connect(network: &Network, first: u16, count: u16) {
    let program = "
import socket, sys
for port in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
    s = socket.socket(); s.setblocking(False); s.bind(('10.99.0.1', port)); s.connect_ex(('10.99.0.2', 9))
";
    let words = ["python3", "-c", program, &first.to_string(), &count.to_string()];
    assert!(network.command_here(&words).status().unwrap().success());
}

fn told(event: &serde_json::Value) -> Vec<u64> {
    let begun = event["connections"].as_array().unwrap();
    begun.iter().map(|connection| connection["local"][1].as_u64().unwrap()).collect()
}

#[test]
fn connections_that_begin_are_told_at_once_also_when_the_link_was_away_and_a_scan_is_cut() {
    let network = Network::new();
    let mut lab = network.lab();
    lab.say("open 1 weir0 connections");
    lab.wait_for_id("opened", 1);
    connect(&network, 5000, 1);
    assert_eq!(told(&lab.wait_for("connections")), [5000]);
    run(&format!("ip -n {} link set weir0 down", network.here));
    run(&format!("ip -n {} link set weir0 up", network.here));
    connect(&network, 5001, 1);
    assert_eq!(told(&lab.wait_for("connections")), [5001]);
    connect(&network, 10_000, 2_000);
    lab.close(1);
    let scan = lab.seen.iter().filter(|event| event["event"] == "connections");
    let scanned = scan.flat_map(told).filter(|port| *port >= 10_000).count();
    assert!((1..2_000).contains(&scanned), "{scanned} of 2,000");
    lab.finish();
}

#[test]
fn a_missing_interface_is_named() {
    let network = Network::new();
    let mut lab = network.lab();
    lab.say("open 1 weir7");
    assert_eq!(lab.wait_for_id("failed", 1)["error"], "there is no interface weir7");
    lab.finish();
}

#[test]
fn loopback_is_seen_once() {
    let network = Network::new();
    let mut lab = network.lab();
    lab.say("open 1 lo auto filter udp port 9");
    lab.wait_for_id("opened", 1);
    lab::run(&format!("ip netns exec {} {} send 127.0.0.1:9 100 10", network.here, program().display()));
    assert_eq!(lab.close(1)["packets"], 100);
    lab.finish();
}

#[test]
fn the_snap_length_limits_what_is_copied() {
    let network = Network::new();
    let mut lab = network.lab();
    lab.say("open 1 weir0 40 filter udp port 9");
    lab.say("open 2 weir0 auto filter udp port 9");
    lab.wait_for_id("opened", 2);
    network.send(100, 10);
    assert_eq!(lab.close(1)["captured_bytes"], 100 * 40);
    assert_eq!(lab.close(2)["captured_bytes"], 100 * 60);
    lab.finish();
}

#[test]
fn a_filter_keeps_the_rest_outside() {
    let network = Network::new();
    let mut lab = network.lab();
    lab.say("open 1 weir0 auto filter udp port 10");
    lab.say("open 2 weir0 auto filter inbound and udp port 9");
    lab.say("open 3 weir0 auto filter udp porto 9");
    lab.say("open 4 weir0 auto filter host example.org");
    let wrong = lab.wait_for_id("failed", 3);
    assert!(wrong["error"].as_str().unwrap().contains("syntax error"), "{wrong}");
    let host = lab.wait_for_id("failed", 4);
    assert!(host["error"].as_str().unwrap().contains("unknown host 'example.org'"), "{host}");
    network.send(100, 10);
    assert_eq!(lab.close(1)["packets"], 0);
    assert_eq!(lab.close(2)["packets"], 100);
    lab.finish();
}

#[test]
fn a_live_list_is_capped_in_rate_and_exact_in_its_figures() {
    let network = Network::new();
    let mut lab = network.lab();
    lab.say("open 1 weir0");
    lab.wait_for_id("opened", 1);
    lab.say("watch 5 10 udp port 9");
    lab.wait_for("packets");
    network.send(500, 1);
    std::thread::sleep(Duration::from_millis(300));
    lab.say("stop_watch 5");
    let last = lab.wait("the last figures", |event| event["last"] == true);
    assert_eq!((&last["matched"]["packets"], &last["matched"]["bytes"]), (&500.into(), &(500 * 60).into()));
    let lines: u64 = lab.seen.iter().filter_map(|event| event["lines"].as_u64()).sum();
    assert!((10..=30).contains(&lines), "{lines} lines in half a second at 10 a second");
    assert_eq!(last["not_sent"].as_u64().unwrap(), 500 - lines);
    lab.finish();
}

#[test]
fn without_permission_it_says_which_and_how_to_get_it() {
    let network = Network::new();
    let mut lab = network.lab_as(&["setpriv", "--reuid", "1000", "--clear-groups"]);
    let started = lab.wait_for("started");
    assert_eq!(started["confinement"]["may_capture"], false);
    lab.say("open 1 weir0");
    let failed = lab.wait_for_id("failed", 1);
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("CAP_NET_RAW") && error.contains("setcap") && error.contains("sudo"), "{error}");
    lab.finish();
}

#[test]
fn net_raw_is_handed_down_without_root() {
    let network = Network::new();
    for extra in [&[][..], &["--no-new-privs"]] {
        let wrapper = [
            &[
                "setpriv",
                "--reuid",
                "1000",
                "--clear-groups",
                "--inh-caps=+net_raw",
                "--ambient-caps=+net_raw",
            ],
            extra,
        ]
        .concat();
        let mut lab = network.lab_as(&wrapper);
        let worker = lab.worker();
        lab.say("open 1 weir0 auto filter udp port 9");
        lab.wait_for_id("opened", 1);
        kill(worker, Signal::SIGKILL).unwrap();
        lab.wait_for("recovered");
        network.send(10, 10);
        assert_eq!(lab.close(1)["packets"], 10);
        lab.finish();
    }
}

#[test]
fn filters_are_compiled_in_a_process_without_files() {
    let compile = |expression: &str| {
        let output = std::process::Command::new(program()).args(["compile", expression]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(compile("tcp port http or https").contains("instructions"));
    assert!(compile("host example.org").contains("host names are not looked up"));
    assert!(compile("udp porto 9").contains("syntax error"));
    assert!(compile("tcp port gopher").contains("unknown port 'gopher'"));
    assert!(compile("ip6 protochain 6").contains("loops"));
    assert!(compile(&"port 1 or ".repeat(1_000)).contains("4096 are allowed"));
    let many: Vec<String> = (1..400).map(|port| format!("port {}", port * 7)).collect();
    assert!(compile(&many.join(" or ").chars().take(4_090).collect::<String>()).contains("more than 2 s"));
}

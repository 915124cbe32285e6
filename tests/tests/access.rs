//! Who gets what: strangers on the socket, a collector without permission, a dashboard without rights.
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::Duration;

use weir_tests::lab::{Lab, NOBODY};
use weir_tests::process::{Running, children};
use weir_tests::program::{program, run};
use weir_tests::wait::until;

/// The command, run by somebody who is in no group that matters.
fn as_stranger(command: &Command) -> Command {
    let mut other = Command::new("setpriv");
    other.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(command.get_program());
    other.args(command.get_args());
    other
}

#[test]
fn a_stranger_cannot_use_the_socket_and_is_told_why() {
    let mut lab = Lab::new();
    lab.start_collector();
    let mode = fs::metadata(lab.socket()).expect("the socket").permissions().mode() & 0o777;
    assert_eq!(mode, 0o660, "mode of the collector's socket");
    let control = fs::metadata(lab.path("control.sock")).expect("the control socket");
    assert_eq!((control.permissions().mode() & 0o777, control.uid()), (0o600, 0));
    let mut command = Command::new(lab.copy_for_all("weir"));
    command.arg("--socket").arg(lab.socket()).args(["status", "--json"]);
    let said = run(&mut as_stranger(&command));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.to_lowercase().contains("permission") || said.err.contains("group"), "{}", said.err);
}

#[test]
fn even_where_the_mode_lets_a_stranger_connect_the_collector_closes() {
    let mut lab = Lab::new();
    lab.start_collector();
    fs::set_permissions(lab.socket(), fs::Permissions::from_mode(0o666)).expect("a careless mode");
    let mut command = Command::new(lab.copy_for_all("weir"));
    command.arg("--socket").arg(lab.socket()).args(["status", "--json"]);
    let said = run(&mut as_stranger(&command));
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.out, "");
}

#[test]
fn the_capture_worker_has_one_capability_and_no_way_to_more() {
    let mut lab = Lab::new();
    lab.start_collector();
    let collector = lab.collector.as_ref().expect("the collector").pid();
    let worker = *children(collector).first().expect("the capture worker");
    let status = fs::read_to_string(format!("/proc/{worker}/status")).expect("the worker's status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches(':').split_whitespace().next().unwrap_or_default().to_owned()
    };
    let net_raw = "0000000000002000";
    let none = "0000000000000000";
    let capabilities = ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"].map(field);
    assert_eq!(capabilities, [net_raw, net_raw, none, none, none]);
    assert_eq!([field("NoNewPrivs"), field("Seccomp"), field("Uid")], ["1", "2", "65534"]);
}

#[test]
fn without_permission_to_capture_it_goes_on_with_kernel_counters_and_says_how_to_grant_it() {
    let lab = Lab::new();
    let collector = lab.copy_for_all("weir-collector");
    for folder in ["nobody", "nobody/state"] {
        fs::create_dir(lab.path(folder)).expect("a folder");
        std::os::unix::fs::chown(lab.path(folder), Some(NOBODY), Some(NOBODY)).expect("its owner");
    }
    let socket = lab.path("nobody/collector.sock");
    let mut plain = Command::new(collector);
    plain.arg("--state").arg(lab.path("nobody/state")).arg("--socket").arg(&socket);
    plain.arg("--control-socket").arg(lab.path("nobody/control.sock")).arg("run");
    let stranger = as_stranger(&plain);
    let mut command = lab.network.inside(stranger.get_program().as_ref());
    command.args(stranger.get_args());
    let mut running = Running::start("collector", &mut command, &lab.path("nobody.log"));

    let status = until("the collector answers", Duration::from_secs(10), || {
        assert!(running.has_ended().is_none(), "it ended:\n{}", running.log());
        let said = run(Command::new(program("weir")).arg("--socket").arg(&socket).args(["status", "--json"]));
        (said.code == 0)
            .then(|| said.json())
            .filter(|status| status["degraded"].to_string().to_uppercase().contains("CAP_NET_RAW"))
    });
    let degraded = status["degraded"].to_string();
    assert!(degraded.contains("setcap") || degraded.contains("sudo"), "no way out is named: {degraded}");

    let before = lab.network.counters();
    lab.network.send(&["--count", "1000", "--pps", "2000"]);
    let grown = lab.network.counters().bytes_since(&before);
    until("kernel counters go on", Duration::from_secs(5), || {
        let said = run(Command::new(program("weir")).arg("--socket").arg(&socket).args(["status", "--json"]));
        let rows = said.json()["capture"].as_array()?.clone();
        let row = rows.into_iter().find(|row| row["interface"] == *lab.network.interface)?;
        let kernel = row["kernel"]["rx_bytes"].as_u64()? + row["kernel"]["tx_bytes"].as_u64()?;
        (row["state"] == "error" && kernel >= grown).then_some(())
    });
    running.stop();
}

#[test]
fn webui_runs_without_any_right_of_its_own() {
    let mut lab = Lab::new();
    lab.start_collector();
    let webui = lab.copy_for_all("weir-webui");
    fs::create_dir(lab.path("own")).expect("a folder");
    std::os::unix::fs::chown(lab.path("own"), Some(NOBODY), Some(NOBODY)).expect("its owner");
    let mut plain = Command::new(webui);
    plain.arg("--database").arg(lab.path("own/weir.db")).arg("--socket").arg(lab.socket());
    plain.args(["--listen", &format!("127.0.0.1:{}", lab.port), "run"]);
    let mut running = Running::start("webui", &mut as_stranger(&plain), &lab.path("own.log"));
    until("webui listens", Duration::from_secs(20), || {
        assert!(running.has_ended().is_none(), "it ended:\n{}", running.log());
        std::net::TcpStream::connect(("127.0.0.1", lab.port)).ok().map(drop)
    });
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("its status");
    let effective = status.lines().find(|line| line.starts_with("CapEff")).expect("its capabilities");
    assert!(effective.ends_with("0000000000000000"), "{effective}");
    running.stop();
}

#[test]
fn a_socket_that_cannot_be_as_asked_ends_the_collector_with_78_and_what_to_do() {
    let mut lab = Lab::new();
    lab.start_collector();
    fs::write(lab.path("file"), "not a socket").expect("a file");
    let configured = |text: String| {
        fs::write(lab.path("other.toml"), text).expect("a configuration");
        let mut command = lab.network.inside(&program("weir-collector"));
        command.arg("--config").arg(lab.path("other.toml")).arg("--state").arg(lab.path("other-state"));
        run(command.arg("run"))
    };
    let control = lab.path("other-control.sock");
    let socket = |path: &str, group: &str| {
        let path = lab.path(path);
        format!("[socket]\npath = {path:?}\ncontrol_path = {control:?}\n{group}")
    };
    let cases = [
        (socket("other.sock", "group = \"weir-no-such-group\"\n"), "groupadd --system weir-no-such-group"),
        (socket("nowhere/other.sock", ""), "create it"),
        (socket("file", ""), "is no socket"),
        (socket("collector.sock", ""), "another process listens"),
    ];
    for (text, way_out) in cases {
        let said = configured(text.clone());
        assert_eq!(said.code, 78, "{text}: {said:?}");
        assert!(said.err.contains(way_out), "{text}: {}", said.err);
    }
    lab.status();
}

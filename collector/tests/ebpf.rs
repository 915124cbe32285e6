//! Who owns which flow, by kernel programs: real programs and real sockets in network namespaces made here. Needs root; a
//! kernel that cannot load the programs has these tests skipped, each by its name and with the reason.
#![cfg(test)]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod lab;

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use lab::{Lab, Network, program, run};
use serde_json::Value;

const TRAFFIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/traffic.py");
/// Nothing is ever pinned there.
const NO_PINS: &str = "/sys/fs/bpf/weir-test-none";

fn pins(name: &str) -> String {
    format!("/sys/fs/bpf/weir-test-{}-{name}", std::process::id())
}

fn collector(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_weir-collector")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Why these tests cannot run here.
fn obstacle() -> Option<&'static str> {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    let found = OBSTACLE.get_or_init(|| {
        let directory = pins("probe");
        let loaded = collector(&["ebpf", "load", "--pin", &directory]);
        if loaded.is_ok() {
            collector(&["ebpf", "unload", "--pin", &directory]).unwrap();
        }
        loaded.err()
    });
    found.as_deref()
}

macro_rules! needs_programs {
    ($name:literal) => {
        if let Some(reason) = obstacle() {
            eprintln!("skipped: {}: {reason}", $name);
            return;
        }
    };
}

/// A flow as the worker told it; what was nobody's at first is whose it turned out to be.
#[derive(Debug, Default)]
struct Flow {
    ports: [u64; 2],
    here: [bool; 2],
    bytes: u64,
    /// Bytes by owner number, of each side; 0: nobody.
    sides: [BTreeMap<u64, u64>; 2],
}

struct Owned {
    flows: Vec<Flow>,
    /// Name and pid by number.
    owners: HashMap<u64, (String, u64)>,
}

impl Owned {
    fn of(seen: &[Value]) -> Self {
        let mut flows: BTreeMap<[u64; 3], Flow> = BTreeMap::new();
        let mut owners = HashMap::new();
        for event in seen {
            let number = |name: &str| event[name].as_u64().unwrap();
            match event["event"].as_str().unwrap() {
                "owner" => {
                    let name = event["name"].as_str().unwrap().to_owned();
                    owners.insert(number("number"), (name, number("pid")));
                }
                "flow" => {
                    flows.entry(["id", "slot", "generation"].map(number)).or_default().grow(event);
                }
                _ => {}
            }
        }
        Self { flows: flows.into_values().collect(), owners }
    }

    /// Bytes of one side of the flows that a port belongs to, by the owner's name and pid.
    fn by_owner(&self, port: u64, side_of_port: bool) -> BTreeMap<(String, u64), u64> {
        let mut found = BTreeMap::new();
        for flow in &self.flows {
            let Some(at) = flow.ports.iter().position(|of| *of == port) else { continue };
            let side = &flow.sides[if side_of_port { at } else { 1 - at }];
            for (number, bytes) in side {
                let nobody = ("nobody".to_owned(), 0);
                let owner = self.owners.get(number).cloned().unwrap_or(nobody);
                *found.entry(owner).or_default() += bytes;
            }
        }
        found
    }

    fn by_name(&self, port: u64) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        for ((name, _), bytes) in self.by_owner(port, true) {
            *found.entry(name).or_default() += bytes;
        }
        found
    }
}

impl Flow {
    fn grow(&mut self, row: &Value) {
        if let Some(identity) = row["identity"].as_object() {
            self.ports = [0, 1].map(|side| identity["ends"][side][1].as_u64().unwrap());
            self.here = [0, 1].map(|side| identity["here"][side].as_bool().unwrap());
        }
        let bytes = row["bytes"].as_u64().unwrap();
        self.bytes += bytes;
        for (side, credited) in self.sides.iter_mut().enumerate() {
            let owner = row["owners"][side][0].as_u64().unwrap();
            *credited.entry(owner).or_default() += bytes;
            if owner != 0 {
                let before = credited.remove(&0).unwrap_or(0);
                *credited.entry(owner).or_default() += before;
            }
        }
    }
}

/// A worker with owners on loopback of a namespace, and what traffic there came to.
struct Watched {
    network: Network,
    lab: Lab,
}

impl Watched {
    fn start(interface: &str) -> Self {
        let network = Network::new();
        let mut lab = network.lab_with(&[], &["owners", NO_PINS]);
        lab.say(&format!("open 1 {interface}"));
        lab.wait_for_id("opened", 1);
        Self { network, lab }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.network.command_here(arguments)
    }

    /// What the traffic says of itself, a line each.
    fn traffic(&self, arguments: &[&str]) -> Vec<Value> {
        let output =
            self.command(&["python3", TRAFFIC]).args(arguments).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let said: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(said.iter().all(|line| line["failed"].is_null()), "{said:?}");
        said
    }

    fn finish(mut self) -> Owned {
        self.lab.close(1);
        let owned = Owned::of(&self.lab.seen);
        let lost: Vec<_> = self.lab.seen.iter().filter(|seen| seen["event"] == "owner_events_lost").collect();
        assert!(lost.is_empty(), "{lost:?}");
        self.lab.finish();
        owned
    }
}

fn said(lines: &[Value], name: &str) -> u64 {
    lines.iter().find_map(|line| line[name].as_u64()).unwrap()
}

#[test]
fn a_process_of_five_milliseconds_is_named() {
    needs_programs!("a_process_of_five_milliseconds_is_named");
    let mut watched = Watched::start("lo");
    let program = program();
    let path = program.to_str().unwrap();
    for _ in 0..50 {
        assert!(watched.command(&[path, "send", "127.0.0.1:9", "3", "1000"]).status().unwrap().success());
    }
    watched.lab.close(1);
    let owned = Owned::of(&watched.lab.seen);
    // frames of 60 bytes and the kernel's answers that nobody listens
    let by_pid = owned.by_owner(9, false);
    assert_eq!(by_pid.len(), 50, "{by_pid:?}");
    assert!(by_pid.iter().all(|((name, _), bytes)| name == "worker_lab" && *bytes == 180), "{by_pid:?}");
    let told =
        watched.lab.seen.iter().filter(|seen| seen["event"] == "owner" && seen["name"] == "worker_lab");
    for owner in told {
        assert!(path.ends_with(owner["executable"].as_str().unwrap().trim_start_matches('…')), "{owner}");
        assert!(owner["command_line"].as_str().unwrap().ends_with("send 127.0.0.1:9 3 1000"), "{owner}");
    }
}

#[test]
fn each_connection_of_a_preforked_server_is_the_workers_that_took_it() {
    needs_programs!("each_connection_of_a_preforked_server_is_the_workers_that_took_it");
    for pattern in ["both", "push", "sink", "nameless"] {
        let watched = Watched::start("lo");
        let taken = watched.traffic(&["prefork", pattern]);
        assert_eq!(taken.len(), 100);
        let owned = watched.finish();
        for line in &taken {
            let (port, pid) = (line["port"].as_u64().unwrap(), line["pid"].as_u64().unwrap());
            let servers = owned.by_owner(port, false);
            assert!(servers.keys().all(|(_, owner)| *owner == pid), "{pattern} {line}: {servers:?}");
            let clients = owned.by_owner(port, true);
            assert!(clients.keys().all(|(name, _)| name == "client"), "{pattern} {line}: {clients:?}");
        }
    }
}

#[test]
fn a_socket_with_a_thousand_peers_owns_all_its_datagrams() {
    needs_programs!("a_socket_with_a_thousand_peers_owns_all_its_datagrams");
    let watched = Watched::start("lo");
    watched.traffic(&["many_peers", "1000"]);
    let owned = watched.finish();
    assert_eq!(owned.by_name(7601), BTreeMap::from([("sender".to_owned(), 1_000 * 142)]));
    // more than are told in a second; the receiver's ends have 1,000 addresses
    let received = owned.by_name(7600);
    assert!(received.keys().all(|name| name == "python3" || name == "nobody"), "{received:?}");
    assert!(received["python3"] >= 256 * 142, "{received:?}");
}

#[test]
fn a_reused_port_does_not_inherit_the_old_owner() {
    needs_programs!("a_reused_port_does_not_inherit_the_old_owner");
    let watched = Watched::start("lo");
    watched.traffic(&["reuse", "20"]);
    let owned = watched.finish();
    let right = [("first", 20 * 10 * 542), ("second", 20 * 10 * 1_042)];
    assert_eq!(owned.by_name(7700), right.map(|(name, bytes)| (name.to_owned(), bytes)).into());
    assert_eq!(owned.by_name(7701).into_keys().collect::<Vec<_>>(), ["echo"]);
}

#[test]
fn an_inherited_socket_is_its_users_and_a_handed_one_its_makers() {
    needs_programs!("an_inherited_socket_is_its_users_and_a_handed_one_its_makers");
    let watched = Watched::start("lo");
    let lines = watched.traffic(&["handed_over"]);
    let owned = watched.finish();
    let inherited = owned.by_owner(said(&lines, "inherited"), true);
    let inheritor = ("inheritor".to_owned(), said(&lines, "inheritor"));
    assert!(inherited[&inheritor] > 20_000, "{inherited:?}");
    let maker = ("maker".to_owned(), said(&lines, "maker"));
    assert!(inherited.keys().all(|owner| *owner == inheritor || *owner == maker), "{inherited:?}");
    // a stranger is not believed: it could be sending on what others sent
    let handed = owned.by_owner(said(&lines, "handed"), true);
    assert_eq!(handed.into_keys().collect::<Vec<_>>(), [maker]);
}

#[test]
fn a_stranger_that_sends_packets_on_is_never_credited() {
    needs_programs!("a_stranger_that_sends_packets_on_is_never_credited");
    let watched = Watched::start("lo");
    let rules = "add table ip weir; add chain ip weir out { type filter hook output priority 0; }; \
                 add rule ip weir out udp dport { 7900, 7901 } queue num 3";
    let queued = watched.command(&["nft", rules]).output().unwrap();
    if !queued.status.success() {
        eprintln!(
            "skipped: a_stranger_that_sends_packets_on_is_never_credited: {}",
            String::from_utf8_lossy(&queued.stderr)
        );
        return;
    }
    let lines = watched.traffic(&["netfilter_queue"]);
    let owned = watched.finish();
    let queue = said(&lines, "queueing");
    assert_eq!(owned.by_name(7900), BTreeMap::from([("speaker".to_owned(), 10 * 542)]));
    assert_eq!(owned.by_name(7901), BTreeMap::from([("receiver".to_owned(), 10 * 542)]));
    assert!(owned.owners.values().all(|(_, pid)| *pid != queue), "{:?}", owned.owners);
}

#[test]
fn a_container_owns_what_this_machine_forwards_for_it() {
    needs_programs!("a_container_owns_what_this_machine_forwards_for_it");
    let mut watched = Watched::start("weir0");
    let Network { here, there } = &watched.network;
    let inside = Namespace::new("c");
    for command in [
        format!("ip link add weir2 netns {here} type veth peer name weir3 netns {}", inside.0),
        format!("ip -n {here} addr add 10.98.0.1/24 dev weir2"),
        format!("ip -n {here} link set weir2 up"),
        format!("ip -n {} addr add 10.98.0.2/24 dev weir3", inside.0),
        format!("ip -n {} link set weir3 up", inside.0),
        format!("ip -n {} route add default via 10.98.0.1", inside.0),
        format!("ip -n {there} route add 10.98.0.0/24 via 10.99.0.1"),
        format!("ip netns exec {here} sysctl -qw net.ipv4.ip_forward=1"),
    ] {
        run(&command);
    }
    let python = |namespace: &str, words: &[&str]| {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{namespace}")).args(["python3", TRAFFIC]).args(words);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut server = python(there, &["server", "10.99.0.2", "7100"]);
    let mut ready = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let client = python(&inside.0, &["conversation", "10.99.0.2", "7100"]).wait_with_output().unwrap();
    server.wait().unwrap();
    let line: Value = serde_json::from_slice(client.stdout.trim_ascii()).unwrap();
    watched.lab.close(1);
    let owned = Owned::of(&watched.lab.seen);
    let clients = owned.by_owner(line["port"].as_u64().unwrap(), true);
    let pid = line["pid"].as_u64().unwrap();
    assert_eq!(clients.keys().map(|(_, pid)| *pid).collect::<Vec<_>>(), [pid], "{clients:?}");
    assert!(clients.into_values().sum::<u64>() > 40_000);
    watched.lab.finish();
}

/// Gone when dropped.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Self {
        let name = format!("weire{}{name}", std::process::id());
        run(&format!("ip netns add {name}"));
        Self(name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = Command::new("ip").args(["netns", "del", &self.0]).status() {
            eprintln!("{} is left over: {error}", self.0);
        }
    }
}

#[test]
fn pinned_programs_serve_a_collector_without_capabilities_for_them() {
    needs_programs!("pinned_programs_serve_a_collector_without_capabilities_for_them");
    let directory = pins("shared");
    collector(&["ebpf", "load", "--pin", &directory, "--group", "nogroup"]).unwrap();
    let again = collector(&["ebpf", "load", "--pin", &directory]).unwrap_err();
    let outcome = std::panic::catch_unwind(|| {
        assert!(again.contains("already"), "{again}");
        let network = Network::new();
        let unprivileged = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps -all,+net_raw \
                            --ambient-caps -all,+net_raw --bounding-set -all,+net_raw";
        let wrapper: Vec<&str> = unprivileged.split_whitespace().collect();
        let mut lab = network.lab_with(&wrapper, &["owners", &directory]);
        lab.say("open 1 lo");
        lab.wait_for_id("opened", 1);
        // a second one at the same time would take half of the news
        let second = network.command_with(&wrapper, &["owners", &directory]).output().unwrap();
        let refusal = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(second.status.code() == Some(78) && refusal.contains("another collector"), "{refusal}");
        run(&format!("ip netns exec {} {} send 127.0.0.1:9 3 1000", network.here, program().display()));
        lab.close(1);
        let owned = Owned::of(&lab.seen);
        let names: Vec<String> = owned.by_owner(9, false).into_keys().map(|(name, _)| name).collect();
        assert_eq!(names, ["worker_lab"]);
        lab.finish();
    });
    collector(&["ebpf", "unload", "--pin", &directory]).unwrap();
    let gone = collector(&["ebpf", "unload", "--pin", &directory]).unwrap_err();
    assert!(gone.contains("nothing is pinned"), "{gone}");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_worker_that_starts_again_is_told_everything_again() {
    needs_programs!("a_worker_that_starts_again_is_told_everything_again");
    let network = Network::new();
    let mut lab = network.lab_with(&[], &["owners", NO_PINS]);
    let mut server =
        network.command_here(&["python3", TRAFFIC, "steady"]).stdout(Stdio::piped()).spawn().unwrap();
    let worker = lab.worker();
    lab.say("open 1 lo");
    lab.wait_for_id("opened", 1);
    let named = |event: &Value| event["event"] == "owner" && event["name"] == "steady";
    if !lab.seen.iter().any(named) {
        lab.wait("the owner", named);
    }
    nix::sys::signal::kill(worker, nix::sys::signal::Signal::SIGKILL).unwrap();
    let before = lab.seen.len();
    lab.wait_for("recovered");
    if !lab.seen[before..].iter().any(named) {
        lab.wait("the owner again", named);
    }
    lab.wait("its flow", |event| event["event"] == "flow" && event["owners"][0][0] != 0);
    server.kill().unwrap();
    server.wait().unwrap();
    lab.finish();
}

#[test]
fn a_worker_that_cannot_read_the_ring_says_so_and_captures() {
    needs_programs!("a_worker_that_cannot_read_the_ring_says_so_and_captures");
    let network = Network::new();
    let mut lab = network.lab_with(&[], &["owners-unreadable", NO_PINS]);
    lab.say("open 1 lo");
    lab.wait_for_id("opened", 1);
    let started = lab.seen.iter().find(|event| event["event"] == "started").unwrap();
    assert!(started["without_owners"].as_str().unwrap().contains("os error"), "{started}");
    lab.finish();
    let mut able = network.lab_with(&[], &["owners", NO_PINS]);
    able.worker();
    let started = able.seen.iter().find(|event| event["event"] == "started").unwrap();
    assert_eq!(started["without_owners"], "");
    able.finish();
}

#[test]
fn the_object_is_what_the_source_compiles_to() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bpf");
    let missing = ["clang-14", "llvm-strip-14"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_err());
    if let Some(name) = missing {
        eprintln!("skipped: the_object_is_what_the_source_compiles_to: {name} is not installed");
        return;
    }
    let object = std::env::temp_dir().join(format!("weir-{}.bpf.o", std::process::id()));
    let flags = "-target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-sign-compare -fdebug-compilation-dir=. -c weir.bpf.c -o";
    let compiled = Command::new("clang-14")
        .current_dir(folder)
        .args(flags.split_whitespace())
        .arg(&object)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    assert!(Command::new("llvm-strip-14").arg("-g").arg(&object).status().unwrap().success());
    let [fresh, checked_in] =
        [object.clone(), format!("{folder}/weir.bpf.o").into()].map(|path| std::fs::read(path).unwrap());
    std::fs::remove_file(&object).unwrap();
    assert!(fresh == checked_in, "weir.bpf.o is older than its source: see collector/bpf/README.md");
}

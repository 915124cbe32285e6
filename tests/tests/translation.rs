//! Addresses that the monitored machine translates (masquerading, port forwarding): whose bytes are those on the interface
//! outside. With kernel programs the right one's, without them nobody's, with the reason.
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::accounts::{Account, accounts, add_up, grade, named, payload};
use weir_tests::lab::Lab;
use weir_tests::network::MONITORED;
use weir_tests::process::Running;
use weir_tests::program::{must, run};
use weir_tests::scenario::{FAR_END, Ground, Moved, Place, moved};
use weir_tests::wait::until;

/// How long the collector may take to know.
const SETTLED: Duration = Duration::from_secs(8);
const READY: Duration = Duration::from_secs(20);
const OUTSIDE: &[&str] = &["watched0"];
const BOTH: &[&str] = &["watched0", "inner0"];

const MASQUERADE: &str = "add table ip weir; \
    add chain ip weir leave { type nat hook postrouting priority 100; }; \
    add rule ip weir leave oifname watched0 masquerade; \
    add chain ip weir come { type nat hook prerouting priority -100; }; \
    add rule ip weir come iifname watched0 tcp dport 8080 dnat to 10.89.0.2:7001; \
    add rule ip weir come iifname watched0 tcp dport 8081 redirect to :7002; \
    add chain ip weir ours { type nat hook output priority -100; }; \
    add rule ip weir ours ip daddr 192.0.2.1 dnat to 10.88.0.1";

struct Scene {
    ground: Ground,
    lab: Lab,
}

impl Scene {
    /// None, having said so, where the kernel cannot translate addresses or, for `ebpf`, takes no programs.
    fn new(test: &str, grade_wanted: &str, interfaces: &[&str]) -> Option<Self> {
        let mut lab = Lab::new();
        let choice = if grade_wanted == "ebpf" { "auto" } else { grade_wanted };
        lab.configure_collector(&format!(
            "[capture]\nwindow_seconds = 1\ninterfaces = {interfaces:?}\n[process]\nattribution = \"{choice}\"\n"
        ));
        let ground = Ground::new(&lab.network, lab.folder());
        let translated = run(lab.network.inside(Path::new("nft")).arg(MASQUERADE));
        if translated.code != 0 {
            eprintln!("skipped: {test}: this kernel translates no addresses: {}", translated.err);
            return None;
        }
        lab.start_collector();
        let (grade, reason) = grade(&lab);
        if grade != grade_wanted {
            eprintln!("skipped: {test}: {reason}");
            return None;
        }
        Some(Self { ground, lab })
    }

    /// All accounts, once every name has what it moved or the collector has had its time. Fails where a name has more than
    /// it moved, or one has something that moved nothing.
    fn settled(&self, moved: &BTreeMap<&str, u64>) -> Vec<Account> {
        let start = Instant::now();
        let accounts = loop {
            let accounts = accounts(&self.lab);
            let complete = moved.iter().all(|(name, bytes)| payload(&named(&accounts, name)) >= *bytes);
            if complete || start.elapsed() >= SETTLED {
                break accounts;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let processes =
            accounts.iter().filter(|account| account.names_a_process() && account.name != FAR_END);
        let mut given = BTreeMap::<&str, u64>::new();
        for account in processes {
            *given.entry(&account.name).or_default() += account.payload;
        }
        for (name, bytes) in given {
            let own = moved.get(name).copied().unwrap_or_default();
            // a segment that is sent again counts on the wire and not on the socket
            assert!(bytes <= own + own / 50, "{name} has {bytes} of the {own} that it moved: {accounts:#?}");
        }
        accounts
    }

    /// Every name has what it moved, and nobody else anything.
    fn all_named(&self, moved: &BTreeMap<&str, u64>) {
        let accounts = self.settled(moved);
        for (name, bytes) in moved {
            let has = payload(&named(&accounts, name));
            assert!(has >= *bytes, "{name} has {has} of the {bytes} that it moved: {accounts:#?}");
        }
        add_up(&self.lab);
    }

    fn udp(&self, name: &str, place: Place, arguments: &[&str]) -> Command {
        let mut command = self.ground.command_as(name, "udp", place);
        command.args(arguments);
        command
    }

    /// A far end for TCP and UDP under this name, in the monitored machine's namespace or its container's.
    fn server(&self, name: &str, place: Place, port: &str) -> Running {
        let mut command = match place {
            Place::Container => self.ground.enter_container(&self.ground.program(name)),
            _ => self.lab.network.inside(&self.ground.program(name)),
        };
        command.args(["serve", "--plain", "--port", port]);
        let server = Running::start(name, &mut command, &self.lab.path(&format!("{name}.log")));
        until("the server is ready", READY, || server.log().contains("ready").then_some(()));
        server
    }
}

fn ran(command: &mut Command) -> Moved {
    moved(command).expect("every kernel can do this")
}

/// Fifty processes of a container, each for a moment: half of them by TCP, half by UDP.
fn fifty(scene: &Scene) -> BTreeMap<&'static str, u64> {
    let mut command = scene.ground.command_as("s-inside-tcp", "short-lived", Place::Container);
    let tcp = ran(command.args(["--rounds", "25", "--pause", "10"])).payload();
    let brief = ["--rounds", "1", "--pause", "1"];
    let udp = (0..25).map(|_| ran(&mut scene.udp("s-inside-udp", Place::Container, &brief)).payload()).sum();
    BTreeMap::from([("s-inside-tcp", tcp), ("s-inside-udp", udp)])
}

#[test]
fn fifty_processes_of_a_masqueraded_container_own_what_leaves_under_the_machines_address() {
    const NAME: &str = "fifty_processes_of_a_masqueraded_container";
    let Some(scene) = Scene::new(NAME, "ebpf", OUTSIDE) else { return };
    scene.all_named(&fifty(&scene));
}

#[test]
fn what_is_captured_inside_and_outside_counts_once_over_interfaces() {
    const NAME: &str = "what_is_captured_inside_and_outside_counts_once";
    let Some(scene) = Scene::new(NAME, "ebpf", BOTH) else { return };
    let server = scene.server("s-inside-server", Place::Container, "7001");
    let mut moved = fifty(&scene);
    let mut command = scene.ground.command_as("s-outside", "tcp-duplex", Place::Outside);
    moved.insert("s-inside-server", ran(command.args(["--port", "8080"])).payload());
    // the clients are of another namespace, and no interface here leads to them alone
    moved.insert("s-outside", 0);
    let total: u64 = moved.values().sum();
    scene.all_named(&moved);
    let flows = scene.lab.weir(&["flows", "--json", "--limit", "5000", "--interface", "watched0"]).json();
    let owner = |flow: &Value, end: &str| flow[end]["name"].as_str().unwrap_or_default().to_owned();
    let flows = flows["flows"].as_array().expect("flows");
    let named = flows.iter().filter(|flow| {
        owner(flow, "initiator_owner") == "s-inside-tcp"
            || owner(flow, "responder_owner") == "s-inside-server"
    });
    assert!(named.count() > 0 && total > 0, "flows outside name who is behind them: {flows:#?}");
    drop(server);
}

#[test]
fn without_kernel_programs_nobody_is_credited_with_what_is_translated() {
    const NAME: &str = "without_kernel_programs_nobody_is_credited_with_what_is_translated";
    let Some(scene) = Scene::new(NAME, "proc", OUTSIDE) else { return };
    // both ports are a program's on the monitored machine, too
    let here = scene.server("s-here", Place::Monitored, "8080");
    let inside = scene.server("s-inside", Place::Container, "7001");
    let mut moved = fifty(&scene);
    let mut command = scene.udp("s-inside-port", Place::Container, &["--from-port", "8080"]);
    moved.insert("s-inside-port", ran(command.args(["--rounds", "20", "--pause", "50"])).payload());
    let mut command = scene.ground.command_as("s-outside", "tcp-duplex", Place::Outside);
    moved.insert("s-inside", ran(command.args(["--port", "8080"])).payload());
    let accounts = scene.settled(&moved);
    let unknown = accounts.iter().filter(|account| account.name == "unknown" && account.bytes > 0);
    assert!(unknown.clone().all(|account| !account.reason.is_empty()), "{accounts:#?}");
    add_up(&scene.lab);
    drop((here, inside));
}

#[test]
fn two_containers_and_a_program_here_send_from_one_port_at_once() {
    const NAME: &str = "two_containers_and_a_program_here_send_from_one_port_at_once";
    let Some(scene) = Scene::new(NAME, "ebpf", OUTSIDE) else { return };
    let other = Other::new(&scene.lab.network.monitored);
    let arguments = ["--from-port", "5353", "--rounds", "20", "--pause", "50"];
    for order in [["s-first", "s-second", "s-here"], ["s-here", "s-second", "s-first"]] {
        let mut running = Vec::new();
        for (place, name) in order.iter().enumerate() {
            let mut command = match *name {
                "s-here" => scene.udp(name, Place::Monitored, &arguments),
                "s-first" => scene.udp(name, Place::Container, &arguments),
                _ => other.instead_of_the_container(scene.udp(name, Place::Container, &arguments)),
            };
            std::thread::sleep(Duration::from_millis(150 * u64::try_from(place).expect("small")));
            running.push(std::thread::spawn(move || ran(&mut command).payload()));
        }
        running.into_iter().for_each(|running| assert!(running.join().expect("it ran") > 0));
    }
    let each = 2 * ran(&mut scene.udp("s-here", Place::Monitored, &arguments)).payload();
    scene.all_named(&BTreeMap::from([("s-first", each), ("s-second", each), ("s-here", each + each / 2)]));
}

#[test]
fn forwarded_and_redirected_ports_are_their_servers() {
    const NAME: &str = "forwarded_and_redirected_ports_are_their_servers";
    let Some(scene) = Scene::new(NAME, "ebpf", OUTSIDE) else { return };
    // it listens where the packets come to, and gets none of them
    let here = scene.server("s-here", Place::Monitored, "8080");
    let inside = scene.server("s-inside", Place::Container, "7001");
    let redirected = scene.server("s-redirected", Place::Monitored, "7002");
    let mut moved = BTreeMap::new();
    for (name, port) in [("s-inside", "8080"), ("s-redirected", "8081")] {
        let mut command = scene.ground.command_as("s-outside", "tcp-duplex", Place::Outside);
        moved.insert(name, ran(command.args(["--port", port, "--to", &MONITORED.to_string()])).payload());
    }
    scene.all_named(&moved);
    drop((here, inside, redirected));
}

#[test]
fn this_machines_own_translated_traffic_is_its_programs() {
    const NAME: &str = "this_machines_own_translated_traffic_is_its_programs";
    for grade in ["ebpf", "proc"] {
        let Some(scene) = Scene::new(NAME, grade, OUTSIDE) else { return };
        let mut moved = BTreeMap::new();
        for (name, scenario) in [("s-udp", "udp"), ("s-tcp", "tcp-duplex")] {
            let mut command = scene.ground.command_as(name, scenario, Place::Monitored);
            command.args(["--to", "192.0.2.1", "--rounds", "30", "--pause", "50", "--bytes", "10000"]);
            moved.insert(name, ran(&mut command).payload());
        }
        if grade == "ebpf" {
            scene.all_named(&moved);
        } else {
            scene.settled(&moved);
        }
    }
}

/// A second container. Deleted when dropped.
struct Other(String);

impl Other {
    fn new(monitored: &str) -> Self {
        let other = Self(monitored.replace("weir-m", "weir-d"));
        let name = &other.0;
        must(&format!("ip netns add {name}"));
        must(&format!("ip link add inner1 netns {monitored} type veth peer name eth0 netns {name}"));
        must(&format!("ip -n {monitored} addr add 10.90.0.1/24 dev inner1"));
        must(&format!("ip -n {monitored} link set inner1 up"));
        must(&format!("ip -n {name} addr add 10.90.0.2/24 dev eth0"));
        must(&format!("ip -n {name} link set eth0 up"));
        must(&format!("ip -n {name} route add default via 10.90.0.1"));
        other
    }

    /// The command runs here.
    fn instead_of_the_container(&self, command: Command) -> Command {
        let mut here = Command::new(command.get_program());
        let replaced = |argument: &std::ffi::OsStr| match argument.to_string_lossy() {
            text if text.starts_with("weir-c") => self.0.clone(),
            text => text.into_owned(),
        };
        here.args(command.get_args().map(replaced));
        here
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let deleted = run(Command::new("ip").args(["netns", "del", &self.0]));
        if deleted.code != 0 {
            eprintln!("{}: {}", self.0, deleted.err);
        }
    }
}

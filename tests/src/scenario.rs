//! The ground on which scenarios of known traffic run: far ends, a container, and programs under names of their own.
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::network::{MONITORED, Network, SENDER, enter};
use crate::process::Running;
use crate::program::{must, program, run};
use crate::wait::until;

const SENDER6: Ipv6Addr = Ipv6Addr::new(0xfd88, 0, 0, 0, 0, 0, 0, 1);
const MONITORED6: Ipv6Addr = Ipv6Addr::new(0xfd88, 0, 0, 0, 0, 0, 0, 2);
/// The monitored machine as its container sees it, and the container.
const BRIDGE: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);
const CONTAINER: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 2);
const PORT: &str = "7000";
const READY: Duration = Duration::from_secs(10);

/// The far end of the loopback scenario, on the monitored machine itself.
pub const NEAR_END: &str = "s-near-end";

/// Where all others lead. It is no process of the monitored machine, but of the same kernel: kernel events rightly name it
/// as the other end of what the monitored machine forwards to it.
pub const FAR_END: &str = "s-far-end";

/// How long a scenario moves bytes, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// A few milliseconds.
    Glimpse,
    /// Under a second.
    Short,
    /// About five seconds.
    Full,
}

impl Amount {
    fn arguments(self) -> [&'static str; 6] {
        let (rounds, pause, bytes) = match self {
            Self::Glimpse => ("4", "5", "65536"),
            Self::Short => ("20", "40", "65536"),
            Self::Full => ("100", "50", "262144"),
        };
        ["--rounds", rounds, "--pause", pause, "--bytes", bytes]
    }
}

/// Where a scenario's program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Monitored,
    Container,
    /// Where the traffic comes from, against a server on the monitored machine.
    Outside,
}

/// What a scenario counted on its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// As the program saw it: in a container not the machine's.
    pub pid: u64,
    pub sent: u64,
    pub received: u64,
    /// Datagrams or frames; 0 for streams.
    pub frames: u64,
}

impl Moved {
    pub fn payload(&self) -> u64 {
        self.sent + self.received
    }
}

/// What the kernel cannot do, as a scenario found out.
pub type Unavailable = String;

/// Dropped, it ends the far ends and deletes the container. Declare it after the lab whose network it uses.
#[derive(Debug)]
pub struct Ground {
    far_end: Running,
    near_end: Running,
    container: Container,
    monitored: String,
    sender: String,
    programs: PathBuf,
}

impl Ground {
    /// Gives the network IPv6, ping sockets and a container, and starts the far ends. `folder` takes the programs.
    pub fn new(network: &Network, folder: &Path) -> Self {
        add_ipv6(network);
        let pings = "net.ipv4.ping_group_range=0 2147483647";
        let allowed = run(network.inside(Path::new("sysctl")).args(["-qw", pings]));
        assert_eq!(allowed.code, 0, "{pings}: {}", allowed.err);
        let container = add_container(network);
        let programs = folder.join("programs");
        fs::create_dir(&programs).expect("a folder for programs");
        // by a process of its own: a program that this one still has open for writing cannot be executed (ETXTBSY)
        let made = Command::new("install")
            .args(["-m", "0755"])
            .arg(program("weir-scenario"))
            .arg(programs.join("original"))
            .status();
        assert!(made.expect("install").success(), "no copy of weir-scenario");
        let start = |name: &str, command: &mut Command, how: &[&str]| {
            command.args(["serve", "--port", PORT]).args(how);
            let running = Running::start(name, command, &folder.join(name));
            until(&format!("{name} serves"), READY, || running.log().contains("ready").then_some(()));
            running
        };
        let far_end = start("far-end", &mut network.outside(&named(&programs, FAR_END)), &[]);
        let near_end = start("near-end", &mut network.inside(&named(&programs, NEAR_END)), &["--plain"]);
        Self {
            far_end,
            near_end,
            container,
            monitored: network.monitored.clone(),
            sender: network.sender.clone(),
            programs,
        }
    }

    /// The program under another name, which becomes its process's.
    pub fn program(&self, name: &str) -> PathBuf {
        named(&self.programs, name)
    }

    /// What a scenario's process is called.
    pub fn process_name(scenario: &str) -> String {
        format!("s-{scenario}")
    }

    /// The command that runs a scenario where it belongs: on the monitored machine or in its container.
    pub fn command(&self, scenario: &str, amount: Amount) -> Command {
        let place = if scenario == "container" { Place::Container } else { Place::Monitored };
        let mut command = self.command_as(&Self::process_name(scenario), scenario, place);
        command.args(amount.arguments());
        command
    }

    /// The same under any name, anywhere; it is run as the program's defaults say.
    pub fn command_as(&self, name: &str, scenario: &str, place: Place) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec"]);
        match place {
            Place::Container => {
                command.arg(&self.container.0);
                command.args(["unshare", "--mount", "--pid", "--fork", "--mount-proc"]);
            }
            Place::Monitored => _ = command.arg(&self.monitored),
            Place::Outside => _ = command.arg(&self.sender),
        }
        command.arg(self.program(name)).args(["run", scenario, "--port", PORT, "--interface", "watched0"]);
        let to = match (scenario, place) {
            (_, Place::Outside) => MONITORED,
            ("loopback", _) => Ipv4Addr::LOCALHOST,
            _ => SENDER,
        };
        command.args(["--to", &to.to_string(), "--to6", &SENDER6.to_string()]);
        command
    }

    /// A command that will run in the container.
    pub fn enter_container(&self, program: &Path) -> Command {
        enter(&self.container.0, program)
    }

    /// Runs a scenario to its end.
    ///
    /// # Errors
    /// What the kernel cannot do.
    pub fn run(&self, scenario: &str, amount: Amount) -> Result<Moved, Unavailable> {
        moved(&mut self.command(scenario, amount))
    }

    /// Every scenario's name and description, in the program's order.
    pub fn scenarios(&self) -> Vec<(String, String)> {
        let said = run(Command::new(self.program("list")).arg("list"));
        let pairs = said.out.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(name, what)| (name.to_owned(), what.trim().to_owned())).collect()
    }

    /// Whether both far ends still serve.
    pub fn stands(&mut self) -> bool {
        self.far_end.has_ended().is_none() && self.near_end.has_ended().is_none()
    }
}

/// Runs a scenario's command to its end.
///
/// # Errors
/// What the kernel cannot do.
pub fn moved(command: &mut Command) -> Result<Moved, Unavailable> {
    let said = run(command);
    assert_eq!(said.code, 0, "{command:?}: {}{}", said.err, said.out);
    let told = said.json();
    if let Some(reason) = told["unavailable"].as_str() {
        return Err(reason.to_owned());
    }
    let number = |key: &str| told[key].as_u64().unwrap_or_else(|| panic!("no {key} in {told}"));
    Ok(Moved {
        pid: number("pid"),
        sent: number("sent_payload_bytes"),
        received: number("received_payload_bytes"),
        frames: number("frames"),
    })
}

/// A hard link, so that two dozen names cost one copy.
fn named(programs: &Path, name: &str) -> PathBuf {
    let path = programs.join(name);
    if !path.exists() {
        fs::hard_link(programs.join("original"), &path).expect("another name for the program");
    }
    path
}

fn add_ipv6(network: &Network) {
    let sides =
        [(&network.sender, "source0", SENDER6), (&network.monitored, network.interface.as_str(), MONITORED6)];
    for (namespace, interface, address) in sides {
        let scope = format!("net.ipv6.conf.{interface}");
        must(&format!(
            "ip netns exec {namespace} sysctl -qw {scope}.disable_ipv6=0 {scope}.accept_ra=0 {scope}.router_solicitations=0"
        ));
        must(&format!("ip -n {namespace} addr add {address}/64 dev {interface} nodad"));
    }
}

/// A namespace behind the monitored machine, which forwards its packets. Deleted when dropped.
#[derive(Debug)]
struct Container(String);

fn add_container(network: &Network) -> Container {
    let (sender, monitored) = (&network.sender, &network.monitored);
    let container = monitored.replace("weir-m", "weir-c");
    must(&format!("ip netns add {container}"));
    let made = Container(container.clone());
    must(&format!("ip netns exec {container} sysctl -qw net.ipv6.conf.default.disable_ipv6=1"));
    must(&format!("ip link add inner0 netns {monitored} type veth peer name eth0 netns {container}"));
    must(&format!("ip -n {monitored} addr add {BRIDGE}/24 dev inner0"));
    must(&format!("ip -n {monitored} link set inner0 up"));
    must(&format!("ip -n {container} addr add {CONTAINER}/24 dev eth0"));
    must(&format!("ip -n {container} link set eth0 up"));
    must(&format!("ip -n {container} route add default via {BRIDGE}"));
    must(&format!("ip netns exec {monitored} sysctl -qw net.ipv4.ip_forward=1"));
    must(&format!("ip -n {sender} route add 10.89.0.0/24 via {MONITORED}"));
    made
}

impl Drop for Container {
    fn drop(&mut self) {
        let deleted = run(Command::new("ip").args(["netns", "del", &self.0]));
        if deleted.code != 0 {
            eprintln!("{}: {}", self.0, deleted.err);
        }
    }
}

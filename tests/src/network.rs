//! Two network namespaces joined by a veth pair, deleted when dropped.
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::leftovers;
use crate::program::{must, program, run};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Where the monitored machine is, and where its traffic comes from.
pub const MONITORED: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 2);
pub const SENDER: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);
const MONITORED_MAC: &str = "02:00:00:88:00:02";
const SENDER_MAC: &str = "02:00:00:88:00:01";

#[derive(Debug)]
pub struct Network {
    pub sender: String,
    pub monitored: String,
    /// The name of the monitored machine's interface.
    pub interface: String,
    sender_interface: String,
}

/// An interface's counters as the kernel gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
}

impl Counters {
    pub fn bytes_since(&self, before: &Self) -> u64 {
        self.rx_bytes - before.rx_bytes + self.tx_bytes - before.tx_bytes
    }

    pub fn packets_since(&self, before: &Self) -> u64 {
        self.rx_packets - before.rx_packets + self.tx_packets - before.tx_packets
    }
}

impl Network {
    /// IPv6 is off, so that nothing is sent but what a test sends. Needs root.
    pub fn new() -> Self {
        leftovers::remove();
        let number = format!("{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network = Self {
            sender: format!("weir-s{number}"),
            monitored: format!("weir-m{number}"),
            interface: "watched0".to_owned(),
            sender_interface: "source0".to_owned(),
        };
        must(&format!("ip netns add {}", network.sender));
        must(&format!("ip netns add {}", network.monitored));
        network.quiet();
        network.add_link();
        network
    }

    /// Joins the two machines; the monitored one's default route leads to the sender.
    pub fn add_link(&self) {
        let (sender, monitored) = (&self.sender, &self.monitored);
        must(&format!("ip link add source0 netns {sender} type veth peer name watched0 netns {monitored}"));
        self.address(sender, "source0", SENDER_MAC, SENDER);
        self.address(monitored, "watched0", MONITORED_MAC, MONITORED);
        must(&format!(
            "ip -n {sender} neigh replace {MONITORED} lladdr {MONITORED_MAC} dev source0 nud permanent"
        ));
        must(&format!(
            "ip -n {monitored} neigh replace {SENDER} lladdr {SENDER_MAC} dev watched0 nud permanent"
        ));
        must(&format!("ip -n {monitored} route add default via {SENDER}"));
    }

    pub fn remove_link(&self) {
        must(&format!("ip -n {} link del {}", self.monitored, self.interface));
    }

    fn quiet(&self) {
        for namespace in [&self.sender, &self.monitored] {
            for scope in ["all", "default"] {
                must(&format!("ip netns exec {namespace} sysctl -qw net.ipv6.conf.{scope}.disable_ipv6=1"));
            }
            must(&format!("ip -n {namespace} link set lo up"));
        }
    }

    fn address(&self, namespace: &str, interface: &str, mac: &str, address: Ipv4Addr) {
        must(&format!("ip -n {namespace} link set {interface} address {mac}"));
        must(&format!("ip -n {namespace} addr add {address}/24 dev {interface}"));
        must(&format!("ip -n {namespace} link set {interface} up txqueuelen 10000"));
    }

    /// A command that will run in the monitored machine's namespace.
    pub fn inside(&self, program: &Path) -> Command {
        enter(&self.monitored, program)
    }

    /// A command that will run where the traffic comes from.
    pub fn outside(&self, program: &Path) -> Command {
        enter(&self.sender, program)
    }

    /// Sends frames to the monitored machine; how many bytes they were.
    pub fn send(&self, arguments: &[&str]) -> u64 {
        let mut command = self.sending(arguments);
        let said = run(&mut command);
        assert_eq!(said.code, 0, "sending: {}", said.err);
        said.json()["bytes"].as_u64().expect("the number of bytes sent")
    }

    /// The command that `send` runs, to be run beside something else.
    pub fn sending(&self, arguments: &[&str]) -> Command {
        let mut command = self.outside(&program("weir-send"));
        command.args(["--interface", &self.sender_interface, "--to", MONITORED_MAC]).args(arguments);
        command
    }

    pub fn counters(&self) -> Counters {
        let text = must(&format!("ip -n {} -j -s link show {}", self.monitored, self.interface));
        let list: Value = serde_json::from_str(&text).expect("what ip says");
        let number = |side: &str, what: &str| list[0]["stats64"][side][what].as_u64().expect("a counter");
        Counters {
            rx_packets: number("rx", "packets"),
            rx_bytes: number("rx", "bytes"),
            tx_packets: number("tx", "packets"),
            tx_bytes: number("tx", "bytes"),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn enter(namespace: &str, program: &Path) -> Command {
    // ip replaces itself by the program: the pid is the program's
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.sender, &self.monitored] {
            let left = run(Command::new("ip").args(["netns", "pids", namespace]));
            let deleted = run(Command::new("ip").args(["netns", "del", namespace]));
            let clean = left.out.trim().is_empty() && deleted.code == 0;
            if !clean && std::thread::panicking() {
                eprintln!("{namespace}: left {} {}", left.out, deleted.err);
            } else {
                assert!(clean, "{namespace}: processes left: {:?}; {}", left.out, deleted.err);
            }
        }
    }
}

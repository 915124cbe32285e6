//! What the collector says about who moved what, and the sums that must hold whatever it says.
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::Lab;

/// After this long without traffic all sums are exact.
const QUIET: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);
/// What stands in a list for traffic that no process has.
const NO_PROCESS: [&str; 4] = ["kernel", "forwarded", "no_flow", "unknown"];

/// One row of `weir processes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub pid: Option<u64>,
    /// RFC 3339; empty without a process.
    pub started: String,
    pub quality: String,
    pub reason: String,
    pub container: String,
    pub alive: bool,
    pub bytes: u64,
    pub payload: u64,
    pub packets: u64,
}

impl Account {
    /// Whether a process is named, by right or by mistake.
    pub fn names_a_process(&self) -> bool {
        self.pid.is_some() || !NO_PROCESS.contains(&self.name.as_str())
    }

    fn of(row: &Value) -> Self {
        let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("no {key} in {row}"));
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            pid: row["pid"].as_u64(),
            started: text("started"),
            quality: text("quality"),
            reason: text("reason"),
            container: text("container"),
            alive: row["alive"].as_bool().unwrap_or_default(),
            bytes: number("rx_bytes") + number("tx_bytes"),
            payload: number("rx_payload_bytes") + number("tx_payload_bytes"),
            packets: number("rx_packets") + number("tx_packets"),
        }
    }
}

fn list(lab: &Lab, interface: &str, what: &str) -> Value {
    let mut arguments = vec![what, "--json", "--limit", "5000"];
    if !interface.is_empty() {
        arguments.extend(["--interface", interface]);
    }
    let said = lab.weir(&arguments);
    assert_eq!(said.code, 0, "weir {what}: {}", said.err);
    said.json()
}

/// Who moved what over all interfaces since the collector started.
pub fn accounts(lab: &Lab) -> Vec<Account> {
    let list = list(lab, "", "processes");
    list["processes"].as_array().expect("processes").iter().map(Account::of).collect()
}

/// Accounts of one name, of which there may be many pids.
pub fn named<'a>(accounts: &'a [Account], name: &str) -> Vec<&'a Account> {
    accounts.iter().filter(|account| account.name == name).collect()
}

pub fn payload(accounts: &[&Account]) -> u64 {
    accounts.iter().map(|account| account.payload).sum()
}

/// The grade in force, and why it is no better.
pub fn grade(lab: &Lab) -> (String, String) {
    let status = lab.status();
    let text = |key: &str| status["attribution"][key].as_str().unwrap_or_default().to_owned();
    (text("grade"), text("reason"))
}

fn both(row: &Value) -> u64 {
    let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("no {key} in {row}"));
    number("rx_bytes") + number("tx_bytes")
}

fn total(list: &Value, what: &str) -> u64 {
    let rows = list[what].as_array().unwrap_or_else(|| panic!("no {what} in {list}"));
    rows.iter().map(both).sum::<u64>() + both(&list["others"])
}

/// Of one interface, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub captured: u64,
    pub flows: u64,
    pub local_flows: u64,
    pub owners: u64,
    /// Of these what the rows say that is known, and what the ledger says.
    pub known: u64,
    pub attributed: u64,
}

impl Sums {
    fn read(lab: &Lab, interface: &str, capture: &Value) -> Self {
        let captured = capture["bytes"].as_u64().expect("bytes");
        let processes = list(lab, interface, "processes");
        let rows = processes["processes"].as_array().expect("processes").iter();
        let known =
            rows.filter(|row| row["quality"] != "unknown" && row["name"] != "no_flow").map(both).sum();
        Self {
            captured,
            flows: total(&list(lab, interface, "flows"), "flows"),
            // in the laboratory no address of the monitored machine is reached but through loopback
            local_flows: if interface == "lo" { captured } else { 0 },
            owners: total(&processes, "processes"),
            known,
            attributed: capture["ledger"]["attributed_bytes"].as_u64().expect("attributed bytes"),
        }
    }

    fn hold(&self) -> bool {
        // a local flow has two owners
        let is_local = self.local_flows > 0;
        self.flows == self.captured
            && self.owners == self.captured + self.local_flows
            && (self.attributed == self.known || is_local && self.attributed <= self.known)
    }
}

/// Waits for quiet, then fails unless every captured interface's flows sum to what was captured, its owners to that and
/// once more the local flows, and its ledger to what the kernel counted.
pub fn add_up(lab: &Lab) {
    std::thread::sleep(QUIET);
    let start = Instant::now();
    loop {
        let status = lab.status();
        let wrong: Vec<String> = status["capture"]
            .as_array()
            .expect("captures")
            .iter()
            .filter_map(|capture| {
                let name = capture["interface"].as_str().expect("a name");
                let sums = Sums::read(lab, name, capture);
                let ledger = ledger_difference(&capture["ledger"]);
                (!sums.hold() || ledger != 0)
                    .then(|| format!("{name}: {sums:?}, ledger off by {ledger}: {capture}"))
            })
            .collect();
        if wrong.is_empty() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "sums do not hold:\n{}", wrong.join("\n"));
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn ledger_difference(ledger: &Value) -> i64 {
    let part = |key: &str| ledger[key].as_i64().unwrap_or_else(|| panic!("no {key} in {ledger}"));
    let captured = part("attributed_bytes") + part("unattributed_bytes");
    part("kernel_bytes") - captured - part("lost_bytes") - part("outside_bytes")
}

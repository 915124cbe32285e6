//! Public captures: what replay counts is what tshark counts, and nothing in them, however broken, ends the program.
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::program::{Said, ours, run, target};

/// Words in the names of files that were made to be broken.
const BROKEN: [&str; 18] = [
    "asan",
    "oobr",
    "overflow",
    "segv",
    "heap",
    "invalid",
    "bad",
    "crafted",
    "malformed",
    "loop",
    "corrupt",
    "oob",
    "fuzz",
    "crash",
    "uninit",
    "infinite",
    "undefined",
    "cve",
];
const LINK_TYPES: [&str; 9] =
    ["EN10MB", "LINUX_SLL", "LINUX_SLL2", "RAW", "NULL", "LOOP", "IPV4", "IPV6", "DLT_RAW"];

/// Starting tshark takes half a second of a processor, for each of hundreds of files.
const LONGEST: Duration = Duration::from_secs(150);

const FIELDS: [&str; 15] = [
    "frame.len",
    "frame.cap_len",
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "ip.proto",
    "ipv6.nxt",
    "ipv6.fraghdr.nxt",
    "_ws.malformed",
    "_ws.short",
    "_ws.expert.severity",
    "vlan.id",
    "ip.len",
];

fn captures() -> Vec<PathBuf> {
    let folder = target().join("captures");
    assert!(
        folder.join("complete").is_file(),
        "Debian's captures are not in {}: run tools/fetch-captures.sh (it needs apt-get and a Debian mirror)",
        folder.display()
    );
    let files = fs::read_dir(folder).expect("the captures").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end != "txt")).collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

fn replay(path: &Path) -> Said {
    ours("weir-collector", &["replay", path.to_str().expect("a path"), "--json"])
}

/// Runs `job` over all files on as many threads as there are processors; what it returns, by file name.
fn over<T: Send>(files: Vec<PathBuf>, job: impl Fn(&Path) -> Option<T> + Sync) -> BTreeMap<String, T> {
    let (files, done) = (Mutex::new(files), Mutex::new(BTreeMap::new()));
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(path) = files.lock().expect("the list").pop() else { return };
                    if let Some(result) = job(&path) {
                        done.lock().expect("the results").insert(name(&path).to_owned(), result);
                    }
                }
            });
        }
    });
    done.into_inner().expect("the results")
}

#[test]
fn no_public_capture_ends_the_program_by_a_signal_or_a_panic() {
    let failed = over(captures(), |path| {
        let said = replay(path);
        let fine = matches!(said.code, 0 | 1) && !said.err.contains("panicked");
        (!fine).then(|| format!("exit {}: {}", said.code, said.err))
    });
    assert!(failed.is_empty(), "{failed:#?}");
}

/// What became of one file.
#[derive(Debug)]
enum Outcome {
    /// So many packets, counted alike.
    Agrees(u64),
    Differs(Vec<String>),
    /// Nothing to compare, and why.
    Skipped(&'static str),
}

fn compare(path: &Path) -> Outcome {
    if BROKEN.iter().any(|word| name(path).contains(word)) {
        return Outcome::Skipped("its name says that it is broken");
    }
    let said = replay(path);
    let Ok(object) = serde_json::from_str::<Value>(&said.out) else {
        return Outcome::Skipped("a link layer that is not decoded");
    };
    if !LINK_TYPES.contains(&object["link_type"].as_str().unwrap_or_default()) {
        return Outcome::Skipped("a link layer that is not decoded");
    }
    if said.code != 0 {
        return Outcome::Skipped("it breaks off");
    }
    match tshark(path) {
        Err(reason) => Outcome::Skipped(reason),
        Ok(counts) => match counts.differences(&object) {
            lines if lines.is_empty() => Outcome::Agrees(counts.packets),
            lines => Outcome::Differs(lines),
        },
    }
}

#[test]
fn well_formed_captures_are_counted_as_tshark_counts_them() {
    let start = Instant::now();
    let mut files: Vec<_> = captures().into_iter().enumerate().collect();
    // the last goes first: every third of all protocols, then the others
    files.sort_by_key(|(place, _)| Reverse(place % 3));
    let outcomes = over(files.into_iter().map(|(_, path)| path).collect(), |path| {
        let late = start.elapsed() > LONGEST;
        Some(if late { Outcome::Skipped("the time for this test was over") } else { compare(path) })
    });
    let (mut agree, mut packets, mut different) = (0, 0, BTreeMap::new());
    for (name, outcome) in &outcomes {
        match outcome {
            Outcome::Agrees(counted) => (agree, packets) = (agree + 1, packets + counted),
            Outcome::Differs(lines) => drop(different.insert(name, lines)),
            Outcome::Skipped(reason) => println!("{name}: not compared, {reason}"),
        }
    }
    println!("{agree} of {} captures with {packets} packets agree", outcomes.len());
    assert!(different.is_empty(), "{} differ: {different:#?}", different.len());
    assert!(agree >= 25, "only {agree} captures were well-formed enough to compare");
}

/// What tshark counts in one file.
#[derive(Debug, Default)]
struct Counts {
    packets: u64,
    bytes: u64,
    network: BTreeMap<&'static str, u64>,
    transport: BTreeMap<&'static str, u64>,
    sources: BTreeMap<String, u64>,
    destinations: BTreeMap<String, u64>,
}

impl Counts {
    fn differences(&self, object: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        let mut equal = |what: &str, ours: &Value, theirs: u64| {
            if ours.as_u64() != Some(theirs) {
                lines.push(format!("{what}: {ours}, tshark {theirs}"));
            }
        };
        equal("packets", &object["packets"], self.packets);
        equal("bytes", &object["bytes"], self.bytes);
        equal("malformed", &object["malformed"], 0);
        for key in ["ipv4", "ipv6", "arp"] {
            let theirs = self.network.get(key).copied().unwrap_or(0);
            equal(key, &object["network"][key]["packets"], theirs);
        }
        for key in ["tcp", "udp", "icmp", "icmpv6", "sctp", "other"] {
            let theirs = self.transport.get(key).copied().unwrap_or(0);
            equal(key, &object["transport"][key]["packets"], theirs);
        }
        for (key, theirs) in [("top_sources", &self.sources), ("top_destinations", &self.destinations)] {
            let rows = object[key].as_array().into_iter().flatten();
            let ours: Vec<(String, u64)> =
                rows.map(|row| (text(&row["address"]), row["bytes"].as_u64().unwrap_or(0))).collect();
            let mut theirs: Vec<(String, u64)> = theirs.iter().map(|(a, b)| (a.clone(), *b)).collect();
            theirs.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            theirs.truncate(10);
            if ours != theirs {
                lines.push(format!("{key}: {ours:?}, tshark {theirs:?}"));
            }
        }
        lines
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// # Errors
/// Why there is nothing to compare with.
fn tshark(path: &Path) -> Result<Counts, &'static str> {
    let cached = path.with_added_extension("tshark.txt");
    let table = match fs::read_to_string(&cached) {
        Ok(table) => table,
        Err(_) => {
            let table = decode(path).ok_or("tshark cannot read it")?;
            fs::write(&cached, &table).expect("what tshark said");
            table
        }
    };
    let mut counts = Counts::default();
    for line in table.lines() {
        let row: BTreeMap<&str, &str> = FIELDS.into_iter().zip(line.split('\t')).collect();
        if row["frame.len"] != row["frame.cap_len"] {
            return Err("packets in it are cut");
        }
        if !row["_ws.malformed"].is_empty() || !row["_ws.short"].is_empty() {
            return Err("tshark finds a packet in it malformed");
        }
        let number = |field: &str| row[field].parse::<u64>().unwrap_or(0);
        if number("ip.len") > number("frame.len") {
            return Err("a packet in it is longer than its frame");
        }
        counts.add(&row)?;
    }
    Ok(counts)
}

fn decode(path: &Path) -> Option<String> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(path).args(["-T", "fields", "-E", "occurrence=f"]);
    for option in ["ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE"] {
        command.args(["-o", option]);
    }
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let said = run(&mut command);
    (said.code == 0).then_some(said.out)
}

impl Counts {
    fn add(&mut self, row: &BTreeMap<&str, &str>) -> Result<(), &'static str> {
        let bytes: u64 = row["frame.len"].parse().map_err(|_| "tshark gives no length")?;
        self.packets += 1;
        self.bytes += bytes;
        let layers: Vec<&str> = row["frame.protocols"].split(':').collect();
        let network = layers.iter().position(|layer| matches!(*layer, "ip" | "ipv6" | "arp"));
        // what lies in a tunnel below another network layer is that layer's, not ours to count
        let Some(at) = network.filter(|at| layers[..*at].iter().all(|layer| is_link(layer))) else {
            return Ok(());
        };
        if layers[at] == "arp" {
            *self.network.entry("arp").or_default() += 1;
            return Ok(());
        }
        let v6 = layers[at] == "ipv6";
        *self.network.entry(if v6 { "ipv6" } else { "ipv4" }).or_default() += 1;
        let transport = if v6 { ipv6_transport(&layers[at + 1..], row) } else { transport(row["ip.proto"]) };
        *self.transport.entry(transport).or_default() += 1;
        let (source, destination) = if v6 { ("ipv6.src", "ipv6.dst") } else { ("ip.src", "ip.dst") };
        if row[source].is_empty() {
            return Err("tshark finds an IP header in it that is not valid");
        }
        *self.sources.entry(row[source].to_owned()).or_default() += bytes;
        *self.destinations.entry(row[destination].to_owned()).or_default() += bytes;
        Ok(())
    }
}

fn is_link(layer: &str) -> bool {
    matches!(layer, "eth" | "ethertype" | "vlan" | "sll" | "raw" | "null" | "ieee8021ad" | "frame")
}

fn transport(protocol: &str) -> &'static str {
    match protocol {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        "132" => "sctp",
        _ => "other",
    }
}

/// The first layer past the extension headers; a later fragment shows none, but its header says which it would be.
fn ipv6_transport(layers: &[&str], row: &BTreeMap<&str, &str>) -> &'static str {
    let extension = |layer: &&&str| layer.starts_with("ipv6.") || **layer == "ah";
    match layers.iter().find(|layer| !extension(layer)) {
        Some(&"tcp") => "tcp",
        Some(&"udp") => "udp",
        Some(&"icmpv6") => "icmpv6",
        Some(&"icmp") => "icmp",
        Some(&"sctp") => "sctp",
        Some(&"data") if !row["ipv6.fraghdr.nxt"].is_empty() => transport(row["ipv6.fraghdr.nxt"]),
        _ => "other",
    }
}

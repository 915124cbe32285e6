//! Network namespaces other than our own that have processes, such as containers, and which addresses they have.
//!
//! Entering one takes a right that the collector does not keep (setns(2)); /proc/PID/net of one process in it shows the
//! same, for the price of text. So it is only read for addresses that are there.
use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often processes are listed by their namespace while somebody asks for an address that is not known.
const BETWEEN_LISTINGS: Duration = Duration::from_secs(5);
const MOST_NAMESPACES: usize = 64;
const MOST_ADDRESSES: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Namespaces {
    listed: Option<Instant>,
    own: HashSet<IpAddr>,
    /// An address that several namespaces have is not told from another.
    by_address: HashMap<IpAddr, Option<u32>>,
}

impl Namespaces {
    /// A process in the one foreign namespace that has this address; None where it is our own, or nobody's.
    pub(super) fn process_with(&mut self, address: IpAddr) -> Option<u32> {
        if address.is_loopback() || address.is_multicast() || self.own.contains(&address) {
            return None;
        }
        if !self.by_address.contains_key(&address) {
            self.list_if_due();
        }
        self.by_address.get(&address).copied().flatten()
    }

    pub(super) fn is_own(&mut self, address: IpAddr) -> bool {
        if self.listed.is_none() {
            self.list_if_due();
        }
        address.is_loopback() || self.own.contains(&address)
    }

    fn list_if_due(&mut self) {
        let now = Instant::now();
        if self.listed.is_some_and(|listed| now.saturating_duration_since(listed) < BETWEEN_LISTINGS) {
            return;
        }
        self.listed = Some(now);
        self.own = addresses("self");
        self.by_address.clear();
        for pid in one_process_each() {
            for address in addresses(&pid.to_string()) {
                if address.is_loopback()
                    || self.own.contains(&address)
                    || self.by_address.len() >= MOST_ADDRESSES
                {
                    continue;
                }
                let is_new = !self.by_address.contains_key(&address);
                self.by_address.insert(address, is_new.then_some(pid));
            }
        }
    }
}

/// One process of each network namespace but our own (namespaces(7)).
fn one_process_each() -> Vec<u32> {
    let mut seen: HashSet<PathBuf> = fs::read_link("/proc/self/ns/net").into_iter().collect();
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|link| seen.insert(link)))
        .take(MOST_NAMESPACES)
        .collect()
}

/// The addresses of the namespace that a process is in.
fn addresses(process: &str) -> HashSet<IpAddr> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/net/{file}")).unwrap_or_default();
    let (four, six) = (addresses_4(&read("fib_trie")), addresses_6(&read("if_inet6")));
    // the trie lists some in two of its tables
    four.into_iter().chain(six).collect()
}

/// An address of the machine is a leaf of the routing trie, followed by its kind.
fn addresses_4(trie: &str) -> Vec<IpAddr> {
    let mut leaf: Option<Ipv4Addr> = None;
    let mut addresses = Vec::new();
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            addresses.extend(leaf.map(IpAddr::V4));
        }
    }
    addresses
}

fn addresses_6(table: &str) -> Vec<IpAddr> {
    let hexadecimal = table.lines().filter_map(|line| line.split_ascii_whitespace().next());
    let numbers = hexadecimal.filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    numbers.map(|number| IpAddr::V6(Ipv6Addr::from(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_trie_and_the_table() {
        let trie = "Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.3.0
        /24 link UNICAST
     |-- 10.0.3.7
        /32 host LOCAL
     |-- 10.0.3.255
        /32 link BROADCAST
";
        assert_eq!(addresses_4(trie), [IpAddr::from([10, 0, 3, 7])]);
        let table = "fd000000000000000000000000000002 02 40 00 80     eth0\nnonsense\n";
        assert_eq!(addresses_6(table), ["fd00::2".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn own_addresses_are_in_no_foreign_namespace() {
        let mut namespaces = Namespaces::default();
        assert_eq!(namespaces.process_with(IpAddr::V4(Ipv4Addr::LOCALHOST)), None);
        assert_eq!(namespaces.process_with(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 77))), None);
        assert!(namespaces.own.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        for own in namespaces.own.clone() {
            assert_eq!(namespaces.process_with(own), None);
        }
    }
}

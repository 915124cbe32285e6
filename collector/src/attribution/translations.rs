//! Whether an end's address is another one's, put there by this machine (NAT), by the kernel's table of connections
//! (/proc/net/nf_conntrack). Only asked where nothing but a port says whose an end is: a port here is no sign of a program
//! here while the machine sends others' packets from the same address.
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::SocketEnd;
use super::sockets::{ICMP, ICMP_V6};

const TABLE: &str = "/proc/net/nf_conntrack";
/// There where connections are tracked, and readable by everybody.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const FORWARDING: [&str; 2] = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"];
/// Bytes that are read of the table: some 40,000 connections.
const LONGEST_TABLE: u64 = 8 << 20;
/// The pause after reading is so many times as long, so that a long table costs a small part of a core.
const REST: u32 = 30;
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How often it is looked whether there is anything to read at all.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

type Place = (IpAddr, u16);
/// How an end looks that is not how its socket has it, by protocol, its own place and the other end's; and what those are.
type Ends = HashMap<(u8, Place, Place), (Place, Place)>;

/// What is known of an end's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Translated {
    /// The address is the end's own.
    No,
    /// The socket has these addresses.
    From(SocketEnd),
    /// The machine may translate addresses, and its table cannot be read.
    Perhaps,
    /// The table is older than the question.
    Later,
}

#[derive(Debug, Default)]
pub(super) struct Translations {
    looked: Option<Instant>,
    /// The machine passes packets on and keeps connections in mind: it may translate addresses.
    may_be: bool,
    read: Option<Instant>,
    /// How long reading took.
    took: Duration,
    /// None: it cannot be read, and addresses may be translated.
    ends: Option<Ends>,
}

impl Translations {
    /// `asked`: since when somebody wants to know; what was read before may not have the connection yet.
    pub(super) fn of(&mut self, end: &SocketEnd, asked: Instant) -> Translated {
        if self.looked.is_none_or(|looked| looked.elapsed() >= BETWEEN_LOOKS) {
            self.looked = Some(Instant::now());
            self.may_be = may_be();
        }
        if !self.may_be {
            return Translated::No;
        }
        let rest = self.took.saturating_mul(REST).min(LONGEST_REST);
        if self.read.is_none_or(|read| read < asked && read.elapsed() >= rest) {
            let begun = Instant::now();
            self.ends = read();
            (self.read, self.took) = (Some(begun), begun.elapsed());
        }
        let Some(ends) = &self.ends else { return Translated::Perhaps };
        match ends.get(&(end.protocol, end.local, end.remote)) {
            Some((local, remote)) => Translated::From(SocketEnd { local: *local, remote: *remote, ..*end }),
            None if self.read.is_some_and(|read| read < asked) => Translated::Later,
            None => Translated::No,
        }
    }
}

fn read() -> Option<Ends> {
    let mut text = String::new();
    let read = File::open(TABLE).and_then(|table| table.take(LONGEST_TABLE).read_to_string(&mut text));
    let is_whole = read.is_ok_and(|bytes| u64::try_from(bytes).is_ok_and(|bytes| bytes < LONGEST_TABLE));
    is_whole.then(|| parse(&text))
}

fn may_be() -> bool {
    let is_set = |file: &str| fs::read_to_string(file).is_ok_and(|text| text.trim() != "0");
    is_set(COUNT) && FORWARDING.iter().any(|file| is_set(file))
}

fn parse(table: &str) -> Ends {
    let mut ends = Ends::new();
    for (protocol, [from, to], [back_from, back_to]) in table.lines().filter_map(connection) {
        // an echo's identifier stands at both ends, whichever of them is translated
        let differ = |one: Place, other: Place| {
            one.0 != other.0 || one.1 != other.1 && !matches!(protocol, ICMP | ICMP_V6)
        };
        if differ(back_to, from) {
            ends.insert((protocol, back_to, back_from), (from, to));
        }
        if differ(back_from, to) {
            ends.insert((protocol, to, from), (back_from, back_to));
        }
    }
    ends
}

/// The protocol, and who sends to whom in the direction in which the connection began, and in the other.
fn connection(line: &str) -> Option<(u8, [Place; 2], [Place; 2])> {
    let protocol: u8 = line.split_ascii_whitespace().nth(3)?.parse().ok()?;
    let is_icmp = matches!(protocol, ICMP | ICMP_V6);
    let values = |key: &'static str| {
        line.split_ascii_whitespace().filter_map(move |word| word.strip_prefix(key)?.strip_prefix('='))
    };
    let (mut sources, mut destinations) = (values("src"), values("dst"));
    // an echo has its identifier for both ports
    let [source_key, destination_key] = if is_icmp { ["id"; 2] } else { ["sport", "dport"] };
    let (mut source_ports, mut destination_ports) = (values(source_key), values(destination_key));
    let mut direction = || -> Option<[Place; 2]> {
        let port = |text: Option<&str>| text.map_or(Some(0), |text| text.parse().ok());
        Some([
            (sources.next()?.parse().ok()?, port(source_ports.next())?),
            (destinations.next()?.parse().ok()?, port(destination_ports.next())?),
        ])
    };
    Some((protocol, direction()?, direction()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
ipv4     2 udp      17 29 src=10.77.0.2 dst=192.0.2.9 sport=5353 dport=53 src=192.0.2.9 dst=198.51.100.1 sport=53 dport=1024 mark=0 zone=0 use=2
ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.7 dst=198.51.100.1 sport=999 dport=8080 src=10.77.0.2 dst=192.0.2.7 sport=80 dport=999 [ASSURED] mark=0 use=1
ipv4     2 udp      17 29 src=198.51.100.1 dst=192.0.2.9 sport=5353 dport=53 [UNREPLIED] src=192.0.2.9 dst=198.51.100.1 sport=53 dport=5353 mark=0 use=2
ipv6     10 icmpv6   58 29 src=fd00::2 dst=fd01::9 type=128 code=0 id=77 src=fd01::9 dst=fd02::1 type=129 code=0 id=99 mark=0 use=2
nonsense
ipv4     2 udp      17 29 src=10.77.0.2 dst=192.0.2.9 sport=5353";

    fn place(text: &str) -> Place {
        let place: std::net::SocketAddr = text.parse().unwrap();
        (place.ip(), place.port())
    }

    #[test]
    fn only_ends_that_are_not_their_sockets_own_are_kept() {
        let ends = parse(TABLE);
        let of = |protocol, local, remote| ends.get(&(protocol, place(local), place(remote))).copied();
        let inside = (place("10.77.0.2:5353"), place("192.0.2.9:53"));
        assert_eq!(of(17, "198.51.100.1:1024", "192.0.2.9:53"), Some(inside));
        let server = (place("10.77.0.2:80"), place("192.0.2.7:999"));
        assert_eq!(of(6, "198.51.100.1:8080", "192.0.2.7:999"), Some(server));
        let ping = (place("[fd00::2]:77"), place("[fd01::9]:77"));
        assert_eq!(of(58, "[fd02::1]:99", "[fd01::9]:99"), Some(ping));
        assert_eq!(ends.len(), 3);
    }
}

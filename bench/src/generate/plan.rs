//! Which flows there are, how many packets each has, and when they are sent.
use std::collections::HashSet;

use anyhow::{Result, ensure};

use super::hosts::{LOCAL, REMOTE, SPOOFED};
use super::random::Random;
use super::{Mix, Options};

/// VLAN numbers from here on stand for an inner tag under an outer service tag.
pub(super) const QINQ: u16 = 4096;
/// In a plan of times: a broken packet instead of a flow's.
pub(super) const BROKEN: u64 = 0xffff_ffff;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tls,
    Http,
    TcpOther,
    SynOnly,
    Dns,
    Quic,
    UdpOther,
    Fragments,
    Icmp,
    Arp,
    Small,
}

impl Kind {
    pub(super) fn is_tcp(self) -> bool {
        matches!(self, Self::Tls | Self::Http | Self::TcpOther | Self::SynOnly)
    }

    /// Plain flows: no VLAN tag, IPv4.
    fn is_plain(self) -> bool {
        matches!(self, Self::SynOnly | Self::Arp | Self::Small)
    }

    /// Takes more packets than it must have.
    fn is_elastic(self) -> bool {
        matches!(self, Self::Tls | Self::Http | Self::TcpOther | Self::Quic | Self::UdpOther | Self::Small)
    }

    fn fewest_packets(self) -> u32 {
        match self {
            Self::Tls | Self::Http | Self::TcpOther => 8,
            Self::Quic | Self::Fragments => 3,
            Self::Dns | Self::Arp | Self::Icmp => 2,
            Self::SynOnly | Self::UdpOther | Self::Small => 1,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub(super) kind: Kind,
    pub(super) v6: bool,
    pub(super) upload: bool,
    /// Bit 0 client to server, bit 1 back: a packet whose transport header is whole was sent.
    pub(super) seen: u8,
    pub(super) client: u32,
    pub(super) server: u32,
    pub(super) client_port: u16,
    pub(super) server_port: u16,
    /// 0: none; from `QINQ` on: two tags.
    pub(super) vlan: u16,
    pub(super) data_bytes: u16,
    pub(super) packets: u32,
    pub(super) sent: u32,
    pub(super) client_sequence: u32,
    pub(super) server_sequence: u32,
    /// Decides names, identifiers and how the flow ends.
    pub(super) name: u32,
}

/// How long the traffic lasts, in microseconds.
pub(super) fn span_micros(options: &Options) -> Result<u64> {
    let span = (options.packets as f64 / options.pps * 1e6) as u64 + 1;
    ensure!(span < 1 << 32, "that is more than 71 minutes of traffic: raise --pps");
    Ok(span)
}

pub(super) fn broken_packets(options: &Options) -> usize {
    if options.mix == Mix::Default { options.packets / 2000 } else { 0 }
}

pub(super) fn flows(options: &Options, random: &mut Random) -> Vec<Flow> {
    let count = if options.mix == Mix::Scan { options.packets } else { options.flow_count() };
    let mut used = HashSet::new();
    let mut scans = 0;
    let mut flows = Vec::with_capacity(count);
    for _ in 0..count {
        let mut flow = shape(options.mix, random);
        if flow.kind == Kind::SynOnly {
            scan_ends(&mut flow, scans, random);
            scans += 1;
        } else {
            unique_ends(&mut flow, &mut used, random);
        }
        flows.push(flow);
    }
    flows
}

fn kind(mix: Mix, draw: u64) -> Kind {
    match (mix, draw) {
        (Mix::Scan, _) => Kind::SynOnly,
        (Mix::Small, _) => Kind::Small,
        (_, 0..=379) => Kind::Tls,
        (_, 380..=479) => Kind::Http,
        (_, 480..=559) => Kind::TcpOther,
        (_, 560..=579) => Kind::SynOnly,
        (_, 580..=829) => Kind::Dns,
        (_, 830..=909) => Kind::Quic,
        (_, 910..=954) => Kind::UdpOther,
        (Mix::Default, 955..=959) => Kind::Fragments,
        (_, 955..=959) => Kind::UdpOther,
        (_, 960..=994) => Kind::Icmp,
        _ => Kind::Arp,
    }
}

fn shape(mix: Mix, random: &mut Random) -> Flow {
    let kind = kind(mix, random.below(1000));
    let v6 = random.below(4) == 0 && !kind.is_plain();
    let vlan = match random.below(100) {
        0 => QINQ + 20,
        1..=10 => 10 + random.below(4) as u16,
        _ => 0,
    };
    let data_bytes = if random.below(5) == 0 {
        1460 - if v6 { 20 } else { 0 } - 12
    } else {
        (40.0 * 17.0f64.powf(random.fraction())) as u16
    };
    Flow {
        kind,
        v6,
        vlan: if kind.is_plain() { 0 } else { vlan },
        data_bytes,
        upload: random.below(6) == 0,
        seen: 0,
        client: 0,
        server: 0,
        client_port: 0,
        server_port: 0,
        packets: 0,
        sent: 0,
        client_sequence: random.next() as u32,
        server_sequence: random.next() as u32,
        name: random.next() as u32 >> 1,
    }
}

/// Skewed to low numbers, as a few hosts have most of the traffic.
fn host(random: &mut Random, count: usize) -> u32 {
    (random.fraction().powi(4) * count as f64) as u32
}

fn scan_ends(flow: &mut Flow, number: usize, random: &mut Random) {
    flow.client = (LOCAL + REMOTE + number.wrapping_mul(40503) % SPOOFED) as u32;
    flow.client_port = 1024 + (number / SPOOFED % 64000) as u16;
    flow.server = host(random, LOCAL);
    flow.server_port = 1 + random.below(1023) as u16;
    if matches!(flow.server_port, 80 | 443 | 53) {
        flow.server_port = 8;
    }
}

fn unique_ends(flow: &mut Flow, used: &mut HashSet<u64>, random: &mut Random) {
    loop {
        flow.client = host(random, LOCAL);
        flow.server = LOCAL as u32 + host(random, REMOTE);
        flow.client_port = 1024 + random.below(64000) as u16;
        flow.server_port = match flow.kind {
            Kind::Tls | Kind::Quic => 443,
            Kind::Http => 80,
            Kind::Dns => 53,
            Kind::TcpOther => [22, 25, 993, 3306, 5432, 8443][random.below(6) as usize],
            Kind::Small => 9000 + random.below(100) as u16,
            _ => [123, 5060, 4500, 51820, 3478][random.below(5) as usize],
        };
        let key = u64::from(flow.client) << 48
            | (u64::from(flow.server) & 0xffff) << 32
            | u64::from(flow.client_port) << 16
            | (u64::from(flow.server_port) << 2 & 0xfffc)
            | u64::from(flow.v6) << 1
            | u64::from(flow.kind == Kind::Quic);
        if used.insert(key) {
            return;
        }
    }
}

/// Gives every flow its number of packets: what its kind needs, and of the rest a Zipf share.
pub(super) fn lengths(options: &Options, flows: &mut [Flow]) -> Result<()> {
    let mut left = options.packets as i64 - broken_packets(options) as i64;
    let mut elastic = Vec::new();
    for (index, flow) in flows.iter_mut().enumerate() {
        flow.packets = flow.kind.fewest_packets();
        left -= i64::from(flow.packets);
        if flow.kind.is_elastic() {
            elastic.push(index);
        }
    }
    ensure!(left >= 0, "too few packets for that many flows: {} short", -left);
    ensure!(left == 0 || !elastic.is_empty(), "no flow can take the packets that are left");
    let weights: f64 = (1..=elastic.len()).map(|rank| (rank as f64).powf(-options.zipf)).sum();
    let budget = left;
    for (rank, &index) in elastic.iter().enumerate() {
        let share = (((rank + 1) as f64).powf(-options.zipf) / weights * budget as f64) as i64;
        flows[index].packets += share as u32;
        left -= share;
    }
    for &index in elastic.iter().cycle().take(left as usize) {
        flows[index].packets += 1;
    }
    Ok(())
}

/// Microsecond << 32 | flow, or `BROKEN`, in order of time. Every flow starts somewhere, its packets come in trains.
pub(super) fn times(options: &Options, flows: &[Flow], span: u64, random: &mut Random) -> Vec<u64> {
    let mut events = Vec::with_capacity(options.packets);
    for (index, flow) in flows.iter().enumerate() {
        let share = (f64::from(flow.packets) / options.packets as f64).min(0.9);
        let first = random.fraction() * span as f64 * 0.98 * (1.0 - share.powf(0.2));
        let room = (span as f64 - first) * 0.98 / f64::from(flow.packets);
        let gap = (50.0 * 400.0f64.powf(random.fraction())).min(room);
        let mut time = first;
        let mut train = 0;
        for packet in 0..flow.packets {
            events.push((time as u64) << 32 | index as u64);
            if train == 0 || packet < 4 {
                train = if flow.packets > 64 { random.below(12) } else { 0 };
                time += gap * (train + 1) as f64 * (0.5 + random.fraction());
            } else {
                train -= 1;
                time += 1.0;
            }
            time = time.min(span as f64 - 1.0);
        }
    }
    let broken = broken_packets(options);
    for packet in 0..broken {
        let time = ((packet as f64 + 0.5) / broken as f64 * span as f64) as u64;
        events.push(time << 32 | BROKEN);
    }
    events.sort_unstable();
    events
}

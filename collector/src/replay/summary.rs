//! What a replay says: the object that `--json` prints.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use weir_shared::net::Transport;
use weir_shared::report::{Count, NetworkMix, TcpFlags, TransportMix};

use crate::decode::application::Application;
use crate::flows::record::{Counters, NameSource, Tally};

/// Entries of a top list.
pub(super) const TOP: usize = 10;

#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    #[serde(flatten)]
    pub count: Count,
    pub captured_bytes: u64,
    pub first_time: Option<String>,
    pub last_time: Option<String>,
    pub duration_seconds: f64,
    pub link_type: String,
    pub vlan_packets: u64,
    pub qinq_packets: u64,
    pub fragments: Fragments,
    pub truncated: u64,
    pub cut_before_network: u64,
    pub malformed: u64,
    pub malformed_messages: u64,
    #[serde(flatten)]
    pub mix: Mix,
    pub flows: FlowCounts,
    pub flows_evicted: u64,
    pub hosts: u64,
    pub hosts_evicted: u64,
    #[serde(flatten)]
    pub top: Top,
    pub names: Vec<Name>,
    pub alerts: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<Window>>,
    pub processing: Processing,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Fragments {
    pub first: u64,
    pub later: u64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Mix {
    pub network: NetworkMix,
    pub transport: TransportMix,
    pub application: BTreeMap<&'static str, Count>,
    pub tcp_flags: TcpFlags,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct FlowCounts {
    pub tcp: u64,
    pub udp: u64,
    pub icmp: u64,
    pub other: u64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Top {
    pub top_sources: Vec<AddressCount>,
    pub top_destinations: Vec<AddressCount>,
    pub top_flows: Vec<FlowCount>,
}

#[derive(Debug, Serialize)]
pub(super) struct AddressCount {
    pub address: IpAddr,
    #[serde(flatten)]
    pub count: Count,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct FlowCount {
    pub protocol: Transport,
    pub a: String,
    pub b: String,
    #[serde(flatten)]
    pub count: Count,
    pub name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Name {
    pub address: IpAddr,
    pub name: String,
    pub source: NameSource,
}

/// A span aligned to the epoch.
#[derive(Debug, Serialize)]
pub(super) struct Window {
    pub start: String,
    pub seconds: f64,
    #[serde(flatten)]
    pub count: Count,
    #[serde(flatten)]
    pub mix: Mix,
    #[serde(flatten)]
    pub top: Top,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Processing {
    pub seconds: f64,
    pub packets_per_second: f64,
}

/// Always shown; others when they were seen.
const ALWAYS: [Application; 7] = [
    Application::Http,
    Application::Https,
    Application::Quic,
    Application::Dns,
    Application::Ssh,
    Application::Ntp,
    Application::Other,
];

pub(super) fn count(tally: Tally) -> Count {
    Count { packets: tally.packets, bytes: tally.bytes }
}

impl Mix {
    /// What grew from `earlier` to `counters`.
    pub(super) fn between(earlier: &Counters, counters: &Counters) -> Self {
        let network: [Count; 4] = grown(&earlier.network, &counters.network);
        let transport: [Count; 6] = grown(&earlier.transport, &counters.transport);
        let [ipv4, ipv6, arp, other] = network;
        let network = NetworkMix { ipv4, ipv6, arp, other };
        let [tcp, udp, icmp, icmpv6, sctp, other] = transport;
        let transport = TransportMix { tcp, udp, icmp, icmpv6, sctp, other };
        let mut application: BTreeMap<_, _> =
            ALWAYS.iter().map(|application| (application.name(), Count::default())).collect();
        for (name, tally) in &counters.application {
            let before = earlier.application.iter().find(|(other, _)| other == name).map(|(_, tally)| *tally);
            let grown = tally.since(before.unwrap_or_default());
            if !grown.is_zero() {
                application.insert(name.name(), count(grown));
            }
        }
        let tcp_flags = TcpFlags {
            syn: counters.syn - earlier.syn.min(counters.syn),
            syn_ack: counters.syn_ack - earlier.syn_ack.min(counters.syn_ack),
            fin: counters.fin - earlier.fin.min(counters.fin),
            rst: counters.rst - earlier.rst.min(counters.rst),
        };
        Self { network, transport, application, tcp_flags }
    }
}

fn grown<const N: usize>(earlier: &[Tally; N], now: &[Tally; N]) -> [Count; N] {
    let mut grown = [Count::default(); N];
    for ((grown, now), earlier) in grown.iter_mut().zip(now).zip(earlier) {
        *grown = count(now.since(*earlier));
    }
    grown
}

/// `address:port`; of protocols without ports the address alone.
pub(super) fn endpoint(protocol: u8, (address, port): (IpAddr, u16)) -> String {
    match protocol {
        1 | 6 | 17 | 58 | 132 => SocketAddr::new(address, port).to_string(),
        _ => address.to_string(),
    }
}

/// libpcap's name of a link type.
pub(super) fn link_name(link_type: i32) -> String {
    match link_type {
        0 => "NULL",
        1 => "EN10MB",
        12 | 14 | 101 => "RAW",
        108 => "LOOP",
        113 => "LINUX_SLL",
        228 => "IPV4",
        229 => "IPV6",
        276 => "LINUX_SLL2",
        other => return other.to_string(),
    }
    .into()
}

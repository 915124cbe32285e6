//! What a closed window says: totals, mixes and ranked lists per interface. Every ranked list carries the remainder that
//! it does not name, so that it sums to its total.
mod ranked;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::AddAssign;

use jiff::Timestamp;
use serde::Serialize;

pub use self::ranked::RankedRow;
use crate::net::{Direction, Endpoint, Transport};
use crate::process::{OwnerReference, OwnerRow};

/// Packets and their wire lengths at layer 2, without FCS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
}

impl Count {
    /// What has come since an earlier count; nothing where that was higher.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What an interface received and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RxTx {
    pub rx: Count,
    pub tx: Count,
}

impl RxTx {
    pub fn sum(&self) -> Count {
        let mut sum = self.rx;
        sum += self.tx;
        sum
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// As `Count::since`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { rx: self.rx.since(earlier.rx), tx: self.tx.since(earlier.tx) }
    }
}

impl AddAssign for RxTx {
    fn add_assign(&mut self, other: Self) {
        self.rx += other.rx;
        self.tx += other.tx;
    }
}

/// Totals of an interface as the kernel counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KernelCounters {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
}

impl KernelCounters {
    pub fn bytes(&self) -> u64 {
        self.rx_bytes.saturating_add(self.tx_bytes)
    }

    /// What has come since an earlier reading; nothing where that was higher.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            rx_packets: self.rx_packets.saturating_sub(earlier.rx_packets),
            rx_bytes: self.rx_bytes.saturating_sub(earlier.rx_bytes),
            tx_packets: self.tx_packets.saturating_sub(earlier.tx_packets),
            tx_bytes: self.tx_bytes.saturating_sub(earlier.tx_bytes),
        }
    }
}

impl AddAssign for KernelCounters {
    fn add_assign(&mut self, other: Self) {
        self.rx_packets = self.rx_packets.saturating_add(other.rx_packets);
        self.rx_bytes = self.rx_bytes.saturating_add(other.rx_bytes);
        self.tx_packets = self.tx_packets.saturating_add(other.tx_packets);
        self.tx_bytes = self.tx_bytes.saturating_add(other.tx_bytes);
    }
}

/// kernel = captured + lost + outside; captured = attributed + unattributed. Holds cumulatively, not per window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    pub kernel_bytes: u64,
    pub attributed_bytes: u64,
    pub unattributed_bytes: u64,
    pub lost_bytes: u64,
    /// Filter, start-up, headers that offload hides; negative while capture is ahead of the kernel's counters.
    pub outside_bytes: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkMix {
    pub ipv4: Count,
    pub ipv6: Count,
    pub arp: Count,
    pub other: Count,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TransportMix {
    pub tcp: Count,
    pub udp: Count,
    pub icmp: Count,
    pub icmpv6: Count,
    pub sctp: Count,
    pub other: Count,
}

/// By application name, as DESIGN of `replay --json` spells them.
pub type ApplicationMix = BTreeMap<String, Count>;

/// `syn` is SYN without ACK, `syn_ack` both (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TcpFlags {
    pub syn: u64,
    pub syn_ack: u64,
    pub fin: u64,
    pub rst: u64,
}

/// By the machine's own addresses. A forwarded frame counts where it came in and where it went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Directions {
    pub ingress: Count,
    pub egress: Count,
    pub local: Count,
    pub forwarded_in: Count,
    pub forwarded_out: Count,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TcpHealth {
    /// Handshakes whose round trip was measured, from the SYN to the initiator's ACK: the whole way there and back,
    /// whichever side calls and wherever on the way the capture stands.
    pub handshakes: u64,
    pub round_trip_micros_sum: u64,
    pub round_trip_micros_max: u64,
    pub retransmitted_segments: u64,
    pub zero_windows: u64,
    pub resets: u64,
}

/// Rows in order of bytes, and what they leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked<T> {
    pub rows: Vec<T>,
    pub others: Others,
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), others: Others::default() }
    }
}

/// A list, and since when its rows count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since<T> {
    pub since: Timestamp,
    pub list: T,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Others {
    /// How many rows these are, as far as they could be told apart.
    pub rows: u64,
    pub traffic: RxTx,
    /// Of owners: since the running session began; zero without one.
    pub session_traffic: RxTx,
}

/// One 5-tuple, both directions together, as seen on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRow {
    pub interface: String,
    pub protocol: Transport,
    /// Who sent the first packet seen.
    pub initiator: Endpoint,
    pub responder: Endpoint,
    pub application: String,
    /// Host name of the remote side, if one passed by; else empty.
    pub name: String,
    pub direction: Direction,
    pub traffic: RxTx,
    pub per_second: RxTx,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub round_trip_micros: Option<u64>,
    pub retransmitted_segments: u64,
    pub zero_windows: u64,
    pub resets: u64,
    /// `new`, `established`, `closing`, `closed`, `half-open`, `reset` for TCP; else empty.
    pub state: String,
    /// Who holds the socket of an end that is on this machine.
    pub initiator_owner: Option<OwnerReference>,
    pub responder_owner: Option<OwnerReference>,
}

/// One remote host (of forwarded traffic: either end) on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    pub interface: String,
    pub address: IpAddr,
    pub name: String,
    pub traffic: RxTx,
    pub per_second: RxTx,
    pub protocols: Vec<String>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
}

/// One address as a source, or as a destination, of packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressRow {
    pub address: IpAddr,
    pub name: String,
    #[serde(flatten)]
    pub count: Count,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankedAddresses {
    pub rows: Vec<AddressRow>,
    pub other_rows: u64,
    pub others: Count,
}

/// One interface's part of a closed window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceWindow {
    pub interface: String,
    /// Counts in totals over interfaces: neither loopback nor a tunnel, VLAN child or bridge over another captured one.
    pub in_totals: bool,
    pub captured: RxTx,
    pub directions: Directions,
    /// The kernel's growth in this window.
    pub kernel: KernelCounters,
    pub ledger: Ledger,
    pub network: NetworkMix,
    pub transport: TransportMix,
    pub application: ApplicationMix,
    pub tcp_flags: TcpFlags,
    pub malformed_packets: u64,
    pub malformed_messages: u64,
    pub truncated_packets: u64,
    pub dropped_packets: u64,
    pub evicted_flows: u64,
    pub highest_rx_bytes_per_second: u64,
    pub highest_tx_bytes_per_second: u64,
    pub highest_packets_per_second: u64,
    pub tcp: TcpHealth,
    pub flows: Ranked<FlowRow>,
    pub hosts: Ranked<HostRow>,
    pub sources: RankedAddresses,
    pub destinations: RankedAddresses,
    /// Sums to the flows and once more the local ones, which have two owners.
    pub owners: Ranked<OwnerRow>,
}

/// A closed span of the capture timeline, labelled with wall time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: Timestamp,
    pub length_millis: u32,
    pub interfaces: Vec<InterfaceWindow>,
}

/// A span that was not seen, and what the kernel counted meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub start: Timestamp,
    pub end: Timestamp,
    /// Empty: all of them.
    pub interface: String,
    pub reason: String,
    pub kernel: KernelCounters,
}

//! What a pipeline tells: bounded records that cross from the worker to the collector. Totals are cumulative, so that one
//! that is late costs nothing; flows are told as growth since they were told last, and their key crosses once.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::key::{number, numbered};
use super::sums::SumsRecord;
use super::waiting::WaitingRecord;
use crate::decode::application::Application;

/// The longest host name a record carries, in bytes, after escaping.
pub const LONGEST_NAME: usize = 255;

/// One bounded step of a pipeline's story; encoded with postcard it stays under 60,000 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TrafficRecord {
    /// Told before any flow that it covers, so that the flows told never exceed it.
    Totals(Box<Totals>),
    Flows(FlowsRecord),
    /// Of flows that are too many to be told one by one; before the end of their window.
    Sums(Box<SumsRecord>),
    /// After a second's flows: growth of the open window that owners have and that none of the records before tells of.
    Waiting(WaitingRecord),
    Names(Vec<NameRecord>),
    Seconds(Vec<SecondRecord>),
    /// All flows of the window were told before.
    WindowEnd(Box<WindowRecord>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub packets: u64,
    pub bytes: u64,
}

impl Tally {
    #[inline]
    pub fn count(&mut self, bytes: u64) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(bytes);
    }

    pub fn add(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }

    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// Cumulative since the pipeline began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Nanoseconds of the timeline up to which everything is counted.
    pub time: u64,
    /// Start of the window that is open, in the same nanoseconds.
    pub window_start: u64,
    pub counters: Counters,
}

/// Everything that is counted by packet; each field only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub received: Tally,
    pub sent: Tally,
    pub captured_bytes: u64,
    /// ingress, egress, local, forwarded in, forwarded out.
    pub directions: [Tally; 5],
    /// ipv4, ipv6, arp, other.
    pub network: [Tally; 4],
    /// tcp, udp, icmp, icmpv6, sctp, other.
    pub transport: [Tally; 6],
    /// Sorted by application, those that were seen.
    pub application: Vec<(Application, Tally)>,
    pub syn: u64,
    pub syn_ack: u64,
    pub fin: u64,
    pub rst: u64,
    /// Tagged frames, double-tagged ones included.
    pub vlan_packets: u64,
    pub qinq_packets: u64,
    pub first_fragments: u64,
    pub later_fragments: u64,
    pub truncated: u64,
    pub cut_before_network: u64,
    pub malformed: u64,
    pub malformed_messages: u64,
    pub evicted_flows: u64,
    /// What was told in sums and not flow by flow, or found no room to wait.
    pub untold: Tally,
    /// The part of it that this interface sent.
    pub untold_sent: Tally,
    /// Names that found no room to wait in.
    pub lost_names: u64,
    pub kernel_received: u64,
    pub kernel_dropped: u64,
    pub interface_dropped: u64,
    pub handshakes: u64,
    pub round_trip_micros: u64,
    pub retransmitted_segments: u64,
    pub zero_windows: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowsRecord {
    /// Nanoseconds of the timeline.
    pub time: u64,
    pub flows: Vec<FlowNews>,
}

/// A flow's growth since it was told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowNews {
    pub slot: u32,
    /// Which of the slot's flows, one after the other.
    pub generation: u32,
    /// The first time it is told.
    pub identity: Option<FlowIdentity>,
    /// From initiator to responder.
    pub forward: Tally,
    pub backward: Tally,
    /// The part of both that this interface sent.
    pub sent: Tally,
    /// Bytes above the transport header, forward and backward.
    pub payload: [u64; 2],
    /// Who holds the initiator's and the responder's socket.
    pub owners: [OwnerMark; 2],
    /// The last packet's age at the record's time.
    pub age_millis: u32,
    pub application: Application,
    pub name: Option<Box<str>>,
    pub tcp: Option<TcpNews>,
    /// Nothing more will be told of this generation.
    pub ended: bool,
}

/// Who holds the socket at one end of a flow, as far as the worker's event source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnerMark {
    /// The worker's number of an owner that was told before; 0: the worker does not know.
    pub owner: u32,
    pub quality: Match,
    /// The socket is behind this machine, and the same packets are seen with its own addresses too, where they count.
    pub passes: bool,
}

/// How the worker knows an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Match {
    /// It does not.
    #[default]
    None,
    Exact,
    /// The listener that the connection came to.
    Listener,
    /// Several processes hold the socket.
    Shared,
    /// A socket of the kernel's own.
    Kernel,
    /// It sent frames with the end's addresses past the IP stack, from this machine, whose addresses they need not be.
    Frames,
    /// No socket of this machine's: it passes the packets on, with translated addresses.
    Forwarded,
    /// Several programs send frames with the end's addresses in turns: whose each is cannot be told.
    Several,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowIdentity {
    pub initiator: IpAddr,
    pub initiator_port: u16,
    pub responder: IpAddr,
    pub responder_port: u16,
    /// The IANA number.
    pub protocol: u8,
    pub kind: FlowKind,
    pub direction: FlowDirection,
    /// The interface sends what the initiator has sent, by the first packet; known where owners are told.
    pub sends_of_initiator: Option<bool>,
    /// Nanoseconds of the timeline.
    pub first_seen: u64,
}

impl FlowIdentity {
    /// The remote end's address.
    pub fn remote(&self) -> IpAddr {
        let (initiator, responder) = (self.initiator, self.responder);
        let of_initiator = self.direction.remote_is_initiator([number(&initiator), number(&responder)]);
        if of_initiator { initiator } else { responder }
    }
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_multicast(),
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_multicast()
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FlowKind {
    #[default]
    Flow,
    /// Packets between two addresses that belong to no flow: later fragments, cut before the ports, ICMP errors.
    Remnant,
}

/// By the machine's own addresses and the initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowDirection {
    Ingress,
    Egress,
    Local,
    Forwarded,
}

impl FlowDirection {
    /// By whether the initiator and the responder are on this machine.
    pub const fn of([initiator_here, responder_here]: [bool; 2]) -> Self {
        match (initiator_here, responder_here) {
            (true, true) => Self::Local,
            (true, false) => Self::Egress,
            (false, true) => Self::Ingress,
            (false, false) => Self::Forwarded,
        }
    }

    /// Whether the initiator is the remote end: of a flow that is forwarded that is the one in the internet, otherwise the
    /// responder, so that each flow counts to one host and the list sums to its total. `ends` are the numbers of the
    /// initiator's and the responder's address, see `key::number`.
    #[inline]
    pub(crate) fn remote_is_initiator(self, ends: [u128; 2]) -> bool {
        match self {
            Self::Ingress => true,
            Self::Egress | Self::Local => false,
            Self::Forwarded => {
                let [initiator, responder] = ends.map(|number| is_private(&numbered(number)));
                responder && !initiator
            }
        }
    }

    /// Whether the initiator and the responder are on this machine.
    #[inline]
    pub const fn here(self) -> [bool; 2] {
        match self {
            Self::Egress => [true, false],
            Self::Ingress => [false, true],
            Self::Local => [true, true],
            Self::Forwarded => [false, false],
        }
    }
}

/// Cumulative over the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpNews {
    pub state: TcpState,
    /// 0: not measured.
    pub round_trip_micros: u32,
    pub retransmitted_segments: u32,
    pub zero_windows: u32,
    pub resets: u32,
}

/// As far as the packets seen tell (RFC 9293 section 3.3.2, coarser).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TcpState {
    /// A SYN, no answer yet.
    #[default]
    New,
    /// A SYN and its answer, not yet confirmed.
    HalfOpen,
    Established,
    /// One side has sent FIN.
    Closing,
    Closed,
    Reset,
}

impl TcpState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::HalfOpen => "half-open",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }
}

/// A name that an address went by, as it passed by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NameRecord {
    pub address: IpAddr,
    /// Printable ASCII; other bytes as `\xNN`.
    pub name: Box<str>,
    pub source: NameSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameSource {
    Dns,
    Sni,
    Http,
    Quic,
}

/// A whole second of the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondRecord {
    /// Since the Unix epoch.
    pub second: u64,
    pub received: Tally,
    pub sent: Tally,
}

/// A window's end: everything before it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// Nanoseconds since the Unix epoch.
    pub start: u64,
    pub length: u64,
    /// Cumulative at the end.
    pub counters: Counters,
    pub highest_received_bytes: u64,
    pub highest_sent_bytes: u64,
    pub highest_packets: u64,
    pub highest_round_trip_micros: u64,
}

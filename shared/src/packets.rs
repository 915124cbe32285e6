//! Single packets, as headers: what a live packet list shows. Payload is never among it.
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::net::{Direction, Endpoint, Transport};
use crate::process::OwnerReference;
use crate::report::{AddressRow, Count};

/// One packet's line in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PacketHeader {
    pub time: Timestamp,
    pub interface: String,
    /// None for frames without a network layer we know; then the MAC addresses say who spoke.
    pub source: Option<Endpoint>,
    pub destination: Option<Endpoint>,
    pub protocol: Transport,
    pub application: String,
    pub wire_bytes: u32,
    pub captured_bytes: u32,
    pub direction: Direction,
    /// The outer VLAN id, 0 where there is no tag.
    pub vlan: u16,
    /// As on the wire (RFC 9293 section 3.1), 0 for other protocols.
    pub tcp_flags: u8,
    /// What the line says beyond addresses: ARP question, ICMP type, the name asked for. Escaped.
    pub detail: String,
    pub source_mac: String,
    pub destination_mac: String,
    /// Leading bytes of the frame up to the end of the transport header.
    #[serde(skip)]
    pub header: Vec<u8>,
    /// <https://www.tcpdump.org/linktypes.html>
    #[serde(skip)]
    pub link_type: u32,
    /// Of the end that is here; of the sender where both are.
    pub owner: Option<OwnerReference>,
}

/// Exact figures of all packets that matched, shown or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PacketSummary {
    pub packets: u64,
    pub bytes: u64,
    /// Matched, but over the rate that the stream carries.
    pub not_sent: u64,
    pub duration_millis: u64,
    pub protocols: BTreeMap<String, Count>,
    pub top_sources: Vec<AddressRow>,
    pub top_destinations: Vec<AddressRow>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketBatch {
    pub packets: Vec<PacketHeader>,
    /// Since the stream began.
    pub totals: PacketSummary,
}

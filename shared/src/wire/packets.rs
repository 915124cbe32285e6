//! Live packet lists of traffic.proto.
use jiff::Timestamp;

use super::common::{direction, direction_to_wire, named, named_to_wire, protocol, protocol_to_wire};
use super::{WireError, by_value, each, to_wire, try_or_zero, v1};
use crate::packets::{PacketBatch, PacketHeader, PacketSummary};

impl From<&PacketHeader> for v1::PacketHeader {
    fn from(packet: &PacketHeader) -> Self {
        let (protocol, protocol_number) = protocol_to_wire(packet.protocol);
        Self {
            // i64 nanoseconds reach the year 2262
            time_unix_nanos: i64::try_from(packet.time.as_nanosecond()).unwrap_or(i64::MAX),
            interface: packet.interface.clone(),
            source: packet.source.map(Into::into),
            destination: packet.destination.map(Into::into),
            protocol,
            protocol_number,
            application: packet.application.clone(),
            wire_bytes: packet.wire_bytes,
            captured_bytes: packet.captured_bytes,
            direction: direction_to_wire(packet.direction),
            vlan: u32::from(packet.vlan),
            tcp_flags: u32::from(packet.tcp_flags),
            detail: packet.detail.clone(),
            source_mac: packet.source_mac.clone(),
            destination_mac: packet.destination_mac.clone(),
            header: packet.header.clone(),
            link_type: packet.link_type,
            owner: packet.owner.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::PacketHeader> for PacketHeader {
    type Error = WireError;

    fn try_from(packet: v1::PacketHeader) -> Result<Self, WireError> {
        let nanos = packet.time_unix_nanos;
        Ok(Self {
            time: Timestamp::from_nanosecond(i128::from(nanos))
                .map_err(|_| WireError::range("time_unix_nanos", nanos))?,
            interface: packet.interface,
            source: packet.source.map(TryInto::try_into).transpose()?,
            destination: packet.destination.map(TryInto::try_into).transpose()?,
            protocol: protocol(packet.protocol, packet.protocol_number)?,
            application: packet.application,
            wire_bytes: packet.wire_bytes,
            captured_bytes: packet.captured_bytes,
            direction: direction(packet.direction)?,
            vlan: u16::try_from(packet.vlan).map_err(|_| WireError::range("vlan", packet.vlan))?,
            tcp_flags: u8::try_from(packet.tcp_flags)
                .map_err(|_| WireError::range("tcp_flags", packet.tcp_flags))?,
            detail: packet.detail,
            source_mac: packet.source_mac,
            destination_mac: packet.destination_mac,
            header: packet.header,
            link_type: packet.link_type,
            owner: packet.owner.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&PacketSummary> for v1::PacketSummary {
    fn from(summary: &PacketSummary) -> Self {
        Self {
            packets: summary.packets,
            bytes: summary.bytes,
            not_sent: summary.not_sent,
            duration_millis: summary.duration_millis,
            protocols: named_to_wire(&summary.protocols),
            top_sources: to_wire(&summary.top_sources),
            top_destinations: to_wire(&summary.top_destinations),
        }
    }
}

impl TryFrom<v1::PacketSummary> for PacketSummary {
    type Error = WireError;

    fn try_from(summary: v1::PacketSummary) -> Result<Self, WireError> {
        Ok(Self {
            packets: summary.packets,
            bytes: summary.bytes,
            not_sent: summary.not_sent,
            duration_millis: summary.duration_millis,
            protocols: named(summary.protocols),
            top_sources: each(summary.top_sources)?,
            top_destinations: each(summary.top_destinations)?,
        })
    }
}

impl From<&PacketBatch> for v1::PacketBatch {
    fn from(batch: &PacketBatch) -> Self {
        Self {
            packets: to_wire(&batch.packets),
            not_sent: batch.totals.not_sent,
            totals: Some((&batch.totals).into()),
        }
    }
}

impl TryFrom<v1::PacketBatch> for PacketBatch {
    type Error = WireError;

    fn try_from(batch: v1::PacketBatch) -> Result<Self, WireError> {
        Ok(Self { packets: each(batch.packets)?, totals: try_or_zero(batch.totals)? })
    }
}

by_value!(
    PacketHeader => v1::PacketHeader,
    PacketSummary => v1::PacketSummary,
    PacketBatch => v1::PacketBatch,
);

//! Rows of ranked lists: flows, hosts, addresses.
use super::common::{address, address_bytes, direction, direction_to_wire, protocol, protocol_to_wire};
use super::{WireError, by_value, each, millis, or_zero, required, to_wire, v1};
use crate::report::{AddressRow, FlowRow, HostRow, Ranked, RankedAddresses};

impl From<&FlowRow> for v1::FlowRow {
    fn from(row: &FlowRow) -> Self {
        let (protocol, protocol_number) = protocol_to_wire(row.protocol);
        Self {
            interface: row.interface.clone(),
            protocol,
            protocol_number,
            initiator: Some(row.initiator.into()),
            responder: Some(row.responder.into()),
            application: row.application.clone(),
            name: row.name.clone(),
            direction: direction_to_wire(row.direction),
            traffic: Some(row.traffic.into()),
            per_second: Some(row.per_second.into()),
            first_seen_unix_millis: row.first_seen.as_millisecond(),
            last_seen_unix_millis: row.last_seen.as_millisecond(),
            round_trip_micros: row.round_trip_micros.unwrap_or(0),
            retransmitted_segments: row.retransmitted_segments,
            zero_windows: row.zero_windows,
            resets: row.resets,
            state: row.state.clone(),
            initiator_owner: row.initiator_owner.as_ref().map(Into::into),
            responder_owner: row.responder_owner.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::FlowRow> for FlowRow {
    type Error = WireError;

    fn try_from(row: v1::FlowRow) -> Result<Self, WireError> {
        Ok(Self {
            interface: row.interface,
            protocol: protocol(row.protocol, row.protocol_number)?,
            initiator: required("initiator", row.initiator)?,
            responder: required("responder", row.responder)?,
            application: row.application,
            name: row.name,
            direction: direction(row.direction)?,
            traffic: or_zero(row.traffic),
            per_second: or_zero(row.per_second),
            first_seen: millis("first_seen_unix_millis", row.first_seen_unix_millis)?,
            last_seen: millis("last_seen_unix_millis", row.last_seen_unix_millis)?,
            round_trip_micros: Some(row.round_trip_micros).filter(|micros| *micros != 0),
            retransmitted_segments: row.retransmitted_segments,
            zero_windows: row.zero_windows,
            resets: row.resets,
            state: row.state,
            initiator_owner: row.initiator_owner.map(TryInto::try_into).transpose()?,
            responder_owner: row.responder_owner.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&HostRow> for v1::HostRow {
    fn from(row: &HostRow) -> Self {
        Self {
            interface: row.interface.clone(),
            address: address_bytes(row.address),
            name: row.name.clone(),
            traffic: Some(row.traffic.into()),
            per_second: Some(row.per_second.into()),
            protocols: row.protocols.clone(),
            first_seen_unix_millis: row.first_seen.as_millisecond(),
            last_seen_unix_millis: row.last_seen.as_millisecond(),
        }
    }
}

impl TryFrom<v1::HostRow> for HostRow {
    type Error = WireError;

    fn try_from(row: v1::HostRow) -> Result<Self, WireError> {
        Ok(Self {
            interface: row.interface,
            address: address("address", &row.address)?,
            name: row.name,
            traffic: or_zero(row.traffic),
            per_second: or_zero(row.per_second),
            protocols: row.protocols,
            first_seen: millis("first_seen_unix_millis", row.first_seen_unix_millis)?,
            last_seen: millis("last_seen_unix_millis", row.last_seen_unix_millis)?,
        })
    }
}

impl From<&AddressRow> for v1::AddressRow {
    fn from(row: &AddressRow) -> Self {
        Self { address: address_bytes(row.address), name: row.name.clone(), count: Some(row.count.into()) }
    }
}

impl TryFrom<v1::AddressRow> for AddressRow {
    type Error = WireError;

    fn try_from(row: v1::AddressRow) -> Result<Self, WireError> {
        Ok(Self { address: address("address", &row.address)?, name: row.name, count: or_zero(row.count) })
    }
}

impl From<&Ranked<FlowRow>> for v1::RankedFlows {
    fn from(list: &Ranked<FlowRow>) -> Self {
        Self { rows: to_wire(&list.rows), others: Some(list.others.into()) }
    }
}

impl TryFrom<v1::RankedFlows> for Ranked<FlowRow> {
    type Error = WireError;

    fn try_from(list: v1::RankedFlows) -> Result<Self, WireError> {
        Ok(Self { rows: each(list.rows)?, others: or_zero(list.others) })
    }
}

impl From<&Ranked<HostRow>> for v1::RankedHosts {
    fn from(list: &Ranked<HostRow>) -> Self {
        Self { rows: to_wire(&list.rows), others: Some(list.others.into()) }
    }
}

impl TryFrom<v1::RankedHosts> for Ranked<HostRow> {
    type Error = WireError;

    fn try_from(list: v1::RankedHosts) -> Result<Self, WireError> {
        Ok(Self { rows: each(list.rows)?, others: or_zero(list.others) })
    }
}

impl From<&RankedAddresses> for v1::RankedAddresses {
    fn from(list: &RankedAddresses) -> Self {
        Self { rows: to_wire(&list.rows), other_rows: list.other_rows, others: Some(list.others.into()) }
    }
}

impl TryFrom<v1::RankedAddresses> for RankedAddresses {
    type Error = WireError;

    fn try_from(list: v1::RankedAddresses) -> Result<Self, WireError> {
        Ok(Self { rows: each(list.rows)?, other_rows: list.other_rows, others: or_zero(list.others) })
    }
}

by_value!(
    FlowRow => v1::FlowRow,
    HostRow => v1::HostRow,
    AddressRow => v1::AddressRow,
    Ranked<FlowRow> => v1::RankedFlows,
    Ranked<HostRow> => v1::RankedHosts,
    RankedAddresses => v1::RankedAddresses,
);

//! Counts, addresses, protocols and directions of common.proto.
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Problem, WireError, by_value, or_zero, v1};
use crate::net::{Direction, Endpoint, Transport};
use crate::report::{Count, Directions, KernelCounters, Ledger, Others, RxTx, TcpHealth};

/// Both ways between a message and a struct of the same plain fields.
macro_rules! same_fields {
    ($domain:ty, $wire:ty, $($field:ident),+) => {
        impl From<&$domain> for $wire {
            fn from(value: &$domain) -> Self {
                Self { $($field: value.$field),+ }
            }
        }
        impl From<$wire> for $domain {
            fn from(value: $wire) -> Self {
                Self { $($field: value.$field),+ }
            }
        }
        by_value!($domain => $wire);
    };
}

same_fields!(Count, v1::Count, packets, bytes);
same_fields!(KernelCounters, v1::KernelCounters, rx_packets, rx_bytes, tx_packets, tx_bytes);
same_fields!(
    Ledger,
    v1::Ledger,
    kernel_bytes,
    attributed_bytes,
    unattributed_bytes,
    lost_bytes,
    outside_bytes
);
same_fields!(
    TcpHealth,
    v1::TcpHealth,
    handshakes,
    round_trip_micros_sum,
    round_trip_micros_max,
    retransmitted_segments,
    zero_windows,
    resets
);

impl From<&RxTx> for v1::RxTx {
    fn from(value: &RxTx) -> Self {
        Self { rx: Some(value.rx.into()), tx: Some(value.tx.into()) }
    }
}

impl From<v1::RxTx> for RxTx {
    fn from(value: v1::RxTx) -> Self {
        Self { rx: or_zero(value.rx), tx: or_zero(value.tx) }
    }
}

impl From<&Others> for v1::Others {
    fn from(value: &Others) -> Self {
        Self {
            rows: value.rows,
            traffic: Some(value.traffic.into()),
            session_traffic: Some(value.session_traffic.into()),
        }
    }
}

impl From<v1::Others> for Others {
    fn from(value: v1::Others) -> Self {
        Self {
            rows: value.rows,
            traffic: or_zero(value.traffic),
            session_traffic: or_zero(value.session_traffic),
        }
    }
}

impl From<&Directions> for v1::Directions {
    fn from(value: &Directions) -> Self {
        Self {
            ingress: Some(value.ingress.into()),
            egress: Some(value.egress.into()),
            local: Some(value.local.into()),
            forwarded_in: Some(value.forwarded_in.into()),
            forwarded_out: Some(value.forwarded_out.into()),
        }
    }
}

impl From<v1::Directions> for Directions {
    fn from(value: v1::Directions) -> Self {
        Self {
            ingress: or_zero(value.ingress),
            egress: or_zero(value.egress),
            local: or_zero(value.local),
            forwarded_in: or_zero(value.forwarded_in),
            forwarded_out: or_zero(value.forwarded_out),
        }
    }
}

impl From<&Endpoint> for v1::Endpoint {
    fn from(value: &Endpoint) -> Self {
        Self { address: address_bytes(value.address), port: u32::from(value.port) }
    }
}

impl TryFrom<v1::Endpoint> for Endpoint {
    type Error = WireError;

    fn try_from(value: v1::Endpoint) -> Result<Self, WireError> {
        let port = u16::try_from(value.port).map_err(|_| WireError::range("port", value.port))?;
        Ok(Self { address: address("address", &value.address)?, port })
    }
}

by_value!(RxTx => v1::RxTx, Others => v1::Others, Directions => v1::Directions, Endpoint => v1::Endpoint);

pub(super) fn address_bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

pub(super) fn address(field: &'static str, bytes: &[u8]) -> Result<IpAddr, WireError> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(IpAddr::from(octets));
    }
    let octets = <[u8; 16]>::try_from(bytes)
        .map_err(|_| WireError { field, problem: Problem::AddressLength(bytes.len()) })?;
    Ok(IpAddr::from(octets))
}

pub(super) fn protocol_to_wire(protocol: Transport) -> (i32, u32) {
    use v1::TransportProtocol as Wire;
    match protocol {
        Transport::Tcp => (Wire::Tcp.into(), 6),
        Transport::Udp => (Wire::Udp.into(), 17),
        Transport::Icmp => (Wire::Icmp.into(), 1),
        Transport::Icmpv6 => (Wire::Icmpv6.into(), 58),
        Transport::Sctp => (Wire::Sctp.into(), 132),
        Transport::Other(number) => (Wire::Other.into(), u32::from(number)),
        Transport::NoFlow => (Wire::NoFlow.into(), 0),
    }
}

pub(super) fn protocol(kind: i32, number: u32) -> Result<Transport, WireError> {
    use v1::TransportProtocol as Wire;
    Ok(match Wire::try_from(kind) {
        Ok(Wire::Tcp) => Transport::Tcp,
        Ok(Wire::Udp) => Transport::Udp,
        Ok(Wire::Icmp) => Transport::Icmp,
        Ok(Wire::Icmpv6) => Transport::Icmpv6,
        Ok(Wire::Sctp) => Transport::Sctp,
        Ok(Wire::Other) => Transport::from_number(
            u8::try_from(number).map_err(|_| WireError::range("protocol_number", number))?,
        ),
        Ok(Wire::NoFlow) => Transport::NoFlow,
        Ok(Wire::Unspecified) | Err(_) => return Err(WireError::number("protocol", kind)),
    })
}

pub(super) fn direction_to_wire(direction: Direction) -> i32 {
    match direction {
        Direction::Ingress => v1::Direction::Ingress,
        Direction::Egress => v1::Direction::Egress,
        Direction::Local => v1::Direction::Local,
        Direction::Forwarded => v1::Direction::Forwarded,
    }
    .into()
}

pub(super) fn direction(number: i32) -> Result<Direction, WireError> {
    Ok(match v1::Direction::try_from(number) {
        Ok(v1::Direction::Ingress) => Direction::Ingress,
        Ok(v1::Direction::Egress) => Direction::Egress,
        Ok(v1::Direction::Local) => Direction::Local,
        Ok(v1::Direction::Forwarded) => Direction::Forwarded,
        Ok(v1::Direction::Unspecified) | Err(_) => return Err(WireError::number("direction", number)),
    })
}

pub(super) fn named_to_wire(counts: &BTreeMap<String, Count>) -> Vec<v1::NamedCount> {
    counts
        .iter()
        .map(|(name, count)| v1::NamedCount { name: name.clone(), count: Some(count.into()) })
        .collect()
}

/// A name that stands twice is added up.
pub(super) fn named(counts: Vec<v1::NamedCount>) -> BTreeMap<String, Count> {
    let mut map = BTreeMap::new();
    for named in counts {
        let count: Count = or_zero(named.count);
        *map.entry(named.name).or_insert_with(Count::default) += count;
    }
    map
}

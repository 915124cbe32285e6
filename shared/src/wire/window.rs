//! Closed windows and gaps.
use super::common::{named, named_to_wire};
use super::{WireError, by_value, each, millis, or_zero, to_wire, try_or_zero, v1};
use crate::report::{ApplicationMix, Gap, InterfaceWindow, NetworkMix, TcpFlags, TransportMix, Window};

fn mix_to_wire(window: &InterfaceWindow) -> v1::Mix {
    let InterfaceWindow { network, transport, application, tcp_flags, .. } = window;
    v1::Mix {
        ipv4: Some(network.ipv4.into()),
        ipv6: Some(network.ipv6.into()),
        arp: Some(network.arp.into()),
        other_network: Some(network.other.into()),
        tcp: Some(transport.tcp.into()),
        udp: Some(transport.udp.into()),
        icmp: Some(transport.icmp.into()),
        icmpv6: Some(transport.icmpv6.into()),
        sctp: Some(transport.sctp.into()),
        other_transport: Some(transport.other.into()),
        application: named_to_wire(application),
        tcp_flags: Some(v1::TcpFlags {
            syn: tcp_flags.syn,
            syn_ack: tcp_flags.syn_ack,
            fin: tcp_flags.fin,
            rst: tcp_flags.rst,
        }),
    }
}

fn mix(mix: v1::Mix) -> (NetworkMix, TransportMix, ApplicationMix, TcpFlags) {
    let flags = mix.tcp_flags.unwrap_or_default();
    (
        NetworkMix {
            ipv4: or_zero(mix.ipv4),
            ipv6: or_zero(mix.ipv6),
            arp: or_zero(mix.arp),
            other: or_zero(mix.other_network),
        },
        TransportMix {
            tcp: or_zero(mix.tcp),
            udp: or_zero(mix.udp),
            icmp: or_zero(mix.icmp),
            icmpv6: or_zero(mix.icmpv6),
            sctp: or_zero(mix.sctp),
            other: or_zero(mix.other_transport),
        },
        named(mix.application),
        TcpFlags { syn: flags.syn, syn_ack: flags.syn_ack, fin: flags.fin, rst: flags.rst },
    )
}

impl From<&InterfaceWindow> for v1::InterfaceWindow {
    fn from(window: &InterfaceWindow) -> Self {
        Self {
            interface: window.interface.clone(),
            in_totals: window.in_totals,
            captured: Some(window.captured.into()),
            directions: Some(window.directions.into()),
            kernel: Some(window.kernel.into()),
            ledger: Some(window.ledger.into()),
            mix: Some(mix_to_wire(window)),
            malformed_packets: window.malformed_packets,
            malformed_messages: window.malformed_messages,
            truncated_packets: window.truncated_packets,
            dropped_packets: window.dropped_packets,
            highest_rx_bytes_per_second: window.highest_rx_bytes_per_second,
            highest_tx_bytes_per_second: window.highest_tx_bytes_per_second,
            highest_packets_per_second: window.highest_packets_per_second,
            tcp: Some(window.tcp.into()),
            flows: Some((&window.flows).into()),
            hosts: Some((&window.hosts).into()),
            sources: Some((&window.sources).into()),
            destinations: Some((&window.destinations).into()),
            evicted_flows: window.evicted_flows,
            owners: Some((&window.owners).into()),
        }
    }
}

impl TryFrom<v1::InterfaceWindow> for InterfaceWindow {
    type Error = WireError;

    fn try_from(window: v1::InterfaceWindow) -> Result<Self, WireError> {
        let (network, transport, application, tcp_flags) = mix(window.mix.unwrap_or_default());
        Ok(Self {
            interface: window.interface,
            in_totals: window.in_totals,
            captured: or_zero(window.captured),
            directions: or_zero(window.directions),
            kernel: or_zero(window.kernel),
            ledger: or_zero(window.ledger),
            network,
            transport,
            application,
            tcp_flags,
            malformed_packets: window.malformed_packets,
            malformed_messages: window.malformed_messages,
            truncated_packets: window.truncated_packets,
            dropped_packets: window.dropped_packets,
            evicted_flows: window.evicted_flows,
            highest_rx_bytes_per_second: window.highest_rx_bytes_per_second,
            highest_tx_bytes_per_second: window.highest_tx_bytes_per_second,
            highest_packets_per_second: window.highest_packets_per_second,
            tcp: or_zero(window.tcp),
            flows: try_or_zero(window.flows)?,
            hosts: try_or_zero(window.hosts)?,
            sources: try_or_zero(window.sources)?,
            destinations: try_or_zero(window.destinations)?,
            owners: try_or_zero(window.owners)?,
        })
    }
}

impl From<&Window> for v1::Window {
    fn from(window: &Window) -> Self {
        Self {
            start_unix_millis: window.start.as_millisecond(),
            length_millis: window.length_millis,
            interfaces: to_wire(&window.interfaces),
        }
    }
}

impl TryFrom<v1::Window> for Window {
    type Error = WireError;

    fn try_from(window: v1::Window) -> Result<Self, WireError> {
        Ok(Self {
            start: millis("start_unix_millis", window.start_unix_millis)?,
            length_millis: window.length_millis,
            interfaces: each(window.interfaces)?,
        })
    }
}

impl From<&Gap> for v1::Gap {
    fn from(gap: &Gap) -> Self {
        Self {
            start_unix_millis: gap.start.as_millisecond(),
            end_unix_millis: gap.end.as_millisecond(),
            interface: gap.interface.clone(),
            reason: gap.reason.clone(),
            kernel: Some(gap.kernel.into()),
        }
    }
}

impl TryFrom<v1::Gap> for Gap {
    type Error = WireError;

    fn try_from(gap: v1::Gap) -> Result<Self, WireError> {
        Ok(Self {
            start: millis("start_unix_millis", gap.start_unix_millis)?,
            end: millis("end_unix_millis", gap.end_unix_millis)?,
            interface: gap.interface,
            reason: gap.reason,
            kernel: or_zero(gap.kernel),
        })
    }
}

by_value!(InterfaceWindow => v1::InterfaceWindow, Window => v1::Window, Gap => v1::Gap);

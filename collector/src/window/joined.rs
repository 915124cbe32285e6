//! Two parts of one interface in one window, which went and came back within it, as one.
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use weir_shared::process::OwnerRow;
use weir_shared::report::{
    AddressRow, Count, Directions, FlowRow, HostRow, InterfaceWindow, NetworkMix, Ranked, RankedAddresses,
    RankedRow, TcpFlags, TcpHealth, TransportMix,
};

/// One part an interface, in the order of their names; of a name's parts, the one that ended first stands first.
pub(super) fn by_interface(mut parts: Vec<InterfaceWindow>) -> Vec<InterfaceWindow> {
    parts.sort_by(|a, b| a.interface.cmp(&b.interface));
    parts.dedup_by(|later, earlier| {
        let same = later.interface == earlier.interface;
        if same {
            join(earlier, std::mem::take(later));
        }
        same
    });
    parts
}

fn add(to: &mut u64, amount: u64) {
    *to = to.saturating_add(amount);
}

/// The kernel's counters and the ledger are filled in later.
fn join(into: &mut InterfaceWindow, later: InterfaceWindow) {
    let InterfaceWindow {
        interface: _,
        in_totals,
        captured,
        directions,
        kernel: _,
        ledger: _,
        network,
        transport,
        application,
        tcp_flags,
        malformed_packets,
        malformed_messages,
        truncated_packets,
        dropped_packets,
        evicted_flows,
        highest_rx_bytes_per_second,
        highest_tx_bytes_per_second,
        highest_packets_per_second,
        tcp,
        flows,
        hosts,
        sources,
        destinations,
        owners,
    } = later;
    into.in_totals = in_totals;
    into.captured += captured;
    add_directions(&mut into.directions, directions);
    add_mixes(into, network, transport, tcp_flags);
    for (name, count) in application {
        *into.application.entry(name).or_default() += count;
    }
    add(&mut into.malformed_packets, malformed_packets);
    add(&mut into.malformed_messages, malformed_messages);
    add(&mut into.truncated_packets, truncated_packets);
    add(&mut into.dropped_packets, dropped_packets);
    add(&mut into.evicted_flows, evicted_flows);
    // the parts lie one after the other
    raise(&mut into.highest_rx_bytes_per_second, highest_rx_bytes_per_second);
    raise(&mut into.highest_tx_bytes_per_second, highest_tx_bytes_per_second);
    raise(&mut into.highest_packets_per_second, highest_packets_per_second);
    add_health(&mut into.tcp, tcp);
    join_ranked(&mut into.flows, flows);
    join_ranked(&mut into.hosts, hosts);
    join_ranked(&mut into.owners, owners);
    join_addresses(&mut into.sources, sources);
    join_addresses(&mut into.destinations, destinations);
}

fn raise(to: &mut u64, least: u64) {
    *to = least.max(*to);
}

fn add_directions(into: &mut Directions, later: Directions) {
    into.ingress += later.ingress;
    into.egress += later.egress;
    into.local += later.local;
    into.forwarded_in += later.forwarded_in;
    into.forwarded_out += later.forwarded_out;
}

fn add_mixes(into: &mut InterfaceWindow, network: NetworkMix, transport: TransportMix, flags: TcpFlags) {
    into.network.ipv4 += network.ipv4;
    into.network.ipv6 += network.ipv6;
    into.network.arp += network.arp;
    into.network.other += network.other;
    into.transport.tcp += transport.tcp;
    into.transport.udp += transport.udp;
    into.transport.icmp += transport.icmp;
    into.transport.icmpv6 += transport.icmpv6;
    into.transport.sctp += transport.sctp;
    into.transport.other += transport.other;
    add(&mut into.tcp_flags.syn, flags.syn);
    add(&mut into.tcp_flags.syn_ack, flags.syn_ack);
    add(&mut into.tcp_flags.fin, flags.fin);
    add(&mut into.tcp_flags.rst, flags.rst);
}

fn add_health(into: &mut TcpHealth, later: TcpHealth) {
    add(&mut into.handshakes, later.handshakes);
    add(&mut into.round_trip_micros_sum, later.round_trip_micros_sum);
    into.round_trip_micros_max = into.round_trip_micros_max.max(later.round_trip_micros_max);
    add(&mut into.retransmitted_segments, later.retransmitted_segments);
    add(&mut into.zero_windows, later.zero_windows);
    add(&mut into.resets, later.resets);
}

/// A row of a ranked list that a later part may have as well.
trait Row: RankedRow {
    type Key: Ord;
    fn key(&self) -> Self::Key;
    fn join(&mut self, later: Self);
}

/// As long as the longer of the two; what no longer has a row of its own is with the others.
fn join_ranked<T: Row>(into: &mut Ranked<T>, later: Ranked<T>) {
    let most = into.rows.len().max(later.rows.len());
    let mut rows: BTreeMap<T::Key, T> = BTreeMap::new();
    for row in std::mem::take(&mut into.rows).into_iter().chain(later.rows) {
        match rows.entry(row.key()) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(mut place) => place.get_mut().join(row),
        }
    }
    into.rows = rows.into_values().collect();
    into.others += later.others;
    into.keep_largest(most);
}

fn join_addresses(into: &mut RankedAddresses, later: RankedAddresses) {
    let most = into.rows.len().max(later.rows.len());
    let mut rows: BTreeMap<_, AddressRow> = BTreeMap::new();
    for row in std::mem::take(&mut into.rows).into_iter().chain(later.rows) {
        let AddressRow { address, name, count } = row;
        let known =
            rows.entry(address).or_insert_with(|| AddressRow { address, name, count: Count::default() });
        known.count += count;
    }
    into.rows = rows.into_values().collect();
    into.rows.sort_by_key(|row| Reverse(row.count.bytes));
    add(&mut into.other_rows, later.other_rows);
    into.others += later.others;
    for row in into.rows.drain(most.min(into.rows.len())..) {
        add(&mut into.other_rows, 1);
        into.others += row.count;
    }
}

impl Row for FlowRow {
    /// Whoever is taken for the initiator: the later part may have begun with the other side's packet.
    type Key = (weir_shared::net::Transport, [weir_shared::net::Endpoint; 2]);

    fn key(&self) -> Self::Key {
        let (a, b) = (self.initiator, self.responder);
        (self.protocol, [a.min(b), a.max(b)])
    }

    fn join(&mut self, later: Self) {
        self.add(&later);
        self.per_second = later.per_second;
        self.state = later.state;
        let turned = self.initiator != later.initiator;
        let (initiator, responder) = if turned {
            (later.responder_owner, later.initiator_owner)
        } else {
            (later.initiator_owner, later.responder_owner)
        };
        self.initiator_owner = self.initiator_owner.take().or(initiator);
        self.responder_owner = self.responder_owner.take().or(responder);
    }
}

impl Row for HostRow {
    type Key = std::net::IpAddr;

    fn key(&self) -> Self::Key {
        self.address
    }

    fn join(&mut self, later: Self) {
        self.add(&later);
        self.per_second = later.per_second;
    }
}

impl Row for OwnerRow {
    /// Without a process the reason tells one unknown owner from another.
    type Key = (Option<u32>, Option<jiff::Timestamp>, String, String);

    fn key(&self) -> Self::Key {
        let owner = &self.owner;
        let reason = if owner.pid.is_none() { owner.reason.clone() } else { String::new() };
        (owner.pid, owner.started, owner.name.clone(), reason)
    }

    fn join(&mut self, later: Self) {
        self.add(&later);
        self.per_second = later.per_second;
        self.owner.quality = self.owner.quality.max(later.owner.quality);
        self.owner.alive = later.owner.alive;
    }
}

#[cfg(test)]
mod tests;

//! One interface's part of a window that ends: mixes from the counters' growth, lists from the flows', each with the
//! remainder that makes it sum to what was captured.
use std::net::{IpAddr, Ipv4Addr};

use weir_shared::net::{Direction, Endpoint, Transport};
use weir_shared::process::MatchQuality;
use weir_shared::report::{
    AddressRow, ApplicationMix, Count, Directions, FlowRow, InterfaceWindow, NetworkMix, Others, Ranked,
    RankedAddresses, RxTx, TcpFlags, TcpHealth, TransportMix,
};

use super::interface::{Capture, Interface};
use super::mirror::Flow;
use super::names::Names;
use super::owners::{Said, Share};
use super::{count, hosts, minus, owners, plus, rank, rate, timestamp};
use crate::attribution::{Directory, OwnerId};
use crate::flows::addresses::Addresses;
use crate::flows::protocols::Protocols;
use crate::flows::record::{Counters, Tally, WindowRecord};

/// Closes the open window of a capture and opens the next.
pub(super) fn close(
    capture: &mut Capture,
    interface: &mut Interface,
    (names, directory): (&Names, &dyn Directory),
    record: &WindowRecord,
    (rows, session): (usize, u64),
) -> InterfaceWindow {
    let now = &record.counters;
    let captured = RxTx {
        rx: count(now.received.since(capture.before.received)),
        tx: count(now.sent.since(capture.before.sent)),
    };
    let no_flow = minus(minus(captured, capture.told), untold(capture, record));
    credit_no_flow(capture, interface, no_flow, record, session);
    let mut window = InterfaceWindow {
        interface: capture.name.clone(),
        in_totals: capture.in_totals,
        captured,
        highest_rx_bytes_per_second: record.highest_received_bytes,
        highest_tx_bytes_per_second: record.highest_sent_bytes,
        highest_packets_per_second: record.highest_packets,
        flows: flows(capture, interface, (names, directory), (record, captured), rows),
        hosts: hosts_of(capture, interface, names, (record, captured), rows),
        sources: addresses(&capture.addresses, names, captured, rows, |sides| sides.sent),
        destinations: addresses(&capture.addresses, names, captured, rows, |sides| sides.received),
        owners: owners::of_window(
            &interface.owners,
            (&capture.name, interface.window, session),
            record.length,
            rows,
            directory,
        ),
        ..InterfaceWindow::default()
    };
    grown(&mut window, &capture.before, now);
    window.tcp.round_trip_micros_max = record.highest_round_trip_micros;
    capture.window_ended(record, captured);
    interface.window += 1;
    window
}

/// ARP, malformed, cut before the addresses: what remains once everything else is told.
fn credit_no_flow(
    capture: &mut Capture,
    interface: &mut Interface,
    traffic: RxTx,
    record: &WindowRecord,
    session: u64,
) {
    let end = record.start.saturating_add(record.length);
    let said = Said {
        window: interface.window,
        session,
        first_seen: record.start,
        last_seen: end,
        protocols: Protocols::default(),
        ahead: RxTx::default(),
        seconds: (record.length / 1_000_000_000).max(1),
    };
    let traffic = capture.frames.credit(interface, traffic, &said);
    if !traffic.is_zero() {
        let share = Share { traffic, payload: [0; 2] };
        interface.owners.add(OwnerId::NO_FLOW, MatchQuality::Kernel, &share, &said);
    }
}

fn grown(window: &mut InterfaceWindow, before: &Counters, now: &Counters) {
    let [ipv4, ipv6, arp, other] = each(&before.network, &now.network);
    window.network = NetworkMix { ipv4, ipv6, arp, other };
    let [tcp, udp, icmp, icmpv6, sctp, other] = each(&before.transport, &now.transport);
    window.transport = TransportMix { tcp, udp, icmp, icmpv6, sctp, other };
    let [ingress, egress, local, forwarded_in, forwarded_out] = each(&before.directions, &now.directions);
    window.directions = Directions { ingress, egress, local, forwarded_in, forwarded_out };
    window.application = applications(before, now);
    let since = |get: fn(&Counters) -> u64| get(now).saturating_sub(get(before));
    window.tcp_flags = TcpFlags {
        syn: since(|counters| counters.syn),
        syn_ack: since(|counters| counters.syn_ack),
        fin: since(|counters| counters.fin),
        rst: since(|counters| counters.rst),
    };
    window.malformed_packets = since(|counters| counters.malformed);
    window.malformed_messages = since(|counters| counters.malformed_messages);
    window.truncated_packets = since(|counters| counters.truncated);
    window.dropped_packets =
        since(|counters| counters.kernel_dropped.saturating_add(counters.interface_dropped));
    window.evicted_flows = since(|counters| counters.evicted_flows);
    window.tcp = TcpHealth {
        handshakes: since(|counters| counters.handshakes),
        round_trip_micros_sum: since(|counters| counters.round_trip_micros),
        round_trip_micros_max: 0,
        retransmitted_segments: since(|counters| counters.retransmitted_segments),
        zero_windows: since(|counters| counters.zero_windows),
        resets: since(|counters| counters.rst),
    };
}

fn each<const N: usize>(before: &[Tally; N], now: &[Tally; N]) -> [Count; N] {
    let mut grown = [Count::default(); N];
    for ((grown, now), before) in grown.iter_mut().zip(now).zip(before) {
        *grown = count(now.since(*before));
    }
    grown
}

fn applications(before: &Counters, now: &Counters) -> ApplicationMix {
    let earlier = |name| before.application.iter().find(|(other, _)| *other == name).map(|(_, tally)| *tally);
    let grown =
        now.application.iter().map(|(name, tally)| (*name, tally.since(earlier(*name).unwrap_or_default())));
    grown
        .filter(|(_, tally)| !tally.is_zero())
        .map(|(name, tally)| (name.name().to_owned(), count(tally)))
        .collect()
}

fn by_bytes(a: &RxTx, b: &RxTx) -> std::cmp::Ordering {
    hosts::bytes(b).cmp(&hosts::bytes(a))
}

/// The flows that grew in a window, those whose slot was given to another included.
struct GrownFlows<'a> {
    flows: Vec<&'a Flow>,
    traffic: RxTx,
    /// With those that were not kept.
    known: u64,
}

fn grown_flows<'a>(capture: &'a Capture, interface: &Interface) -> GrownFlows<'a> {
    let [active, _] = &capture.mirror.active;
    // a slot is listed once for each flow that it held
    let mut slots = active.clone();
    slots.sort_unstable();
    slots.dedup();
    let held = slots.iter().filter_map(|slot| capture.mirror.get(*slot));
    let mut flows: Vec<&Flow> =
        held.filter(|flow| flow.window == interface.window && flow.is_flow()).collect();
    let traffic = flows.iter().map(|flow| flow.grown).fold(capture.gone_traffic, plus);
    let known = flows.len() as u64 + capture.gone_count;
    flows.extend(&capture.gone);
    GrownFlows { flows, traffic, known }
}

/// The largest flows, the frames of no flow as a row of their own, and the rest.
fn flows(
    capture: &Capture,
    interface: &Interface,
    (names, directory): (&Names, &dyn Directory),
    (record, captured): (&WindowRecord, RxTx),
    rows: usize,
) -> Ranked<FlowRow> {
    let GrownFlows { mut flows, traffic: told, known } = grown_flows(capture, interface);
    rank::first(&mut flows, rows, |a, b| {
        by_bytes(&a.grown, &b.grown).then_with(|| a.identity.first_seen.cmp(&b.identity.first_seen))
    });
    let row = |flow: &&Flow| {
        let identity = &flow.identity;
        let remote = identity.remote();
        let shown = (flow.grown, rate::mean(&flow.grown, record.length));
        flow.row(&capture.name, names.of(&remote), shown, directory)
    };
    let mut list: Vec<FlowRow> = flows.iter().map(row).collect();
    let shown = flows.iter().map(|flow| flow.grown).fold(RxTx::default(), plus);
    let (summed_rows, summed) = capture.summed;
    let others_rows = (known + summed_rows).saturating_sub(list.len() as u64);
    let no_flow = minus(minus(minus(captured, told), summed), untold(capture, record));
    if no_flow != RxTx::default() {
        list.push(no_flow_row(&capture.name, no_flow, record));
        list.sort_by(|a, b| by_bytes(&a.traffic, &b.traffic));
    }
    let traffic = minus(minus(captured, shown), no_flow);
    Ranked { rows: list, others: Others { rows: others_rows, traffic, ..Others::default() } }
}

/// What of the window left the worker's table untold.
fn untold(capture: &Capture, record: &WindowRecord) -> RxTx {
    let (now, before) = (&record.counters, &capture.before);
    RxTx {
        rx: count(untold_received(now).since(untold_received(before))),
        tx: count(now.untold_sent.since(before.untold_sent)),
    }
}

fn untold_received(counters: &Counters) -> Tally {
    counters.untold.since(counters.untold_sent)
}

/// Frames that belong to no flow: ARP, malformed, cut before the ports, ICMP that is no echo.
fn no_flow_row(interface: &str, traffic: RxTx, record: &WindowRecord) -> FlowRow {
    let nowhere = Endpoint { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };
    FlowRow {
        interface: interface.to_owned(),
        protocol: Transport::NoFlow,
        initiator: nowhere,
        responder: nowhere,
        application: String::new(),
        name: String::new(),
        direction: Direction::Ingress,
        traffic,
        per_second: rate::mean(&traffic, record.length),
        first_seen: timestamp(record.start),
        last_seen: timestamp(record.start.saturating_add(record.length)),
        round_trip_micros: None,
        retransmitted_segments: 0,
        zero_windows: 0,
        resets: 0,
        state: String::new(),
        initiator_owner: None,
        responder_owner: None,
    }
}

fn hosts_of(
    capture: &Capture,
    interface: &Interface,
    names: &Names,
    (record, captured): (&WindowRecord, RxTx),
    rows: usize,
) -> Ranked<weir_shared::report::HostRow> {
    let window = interface.window;
    let mut all: Vec<_> = interface.hosts.select(move |_, host| host.window == window).collect();
    let known = all.len();
    rank::first(&mut all, rows, |a, b| by_bytes(&a.1.grown, &b.1.grown).then_with(|| a.0.cmp(&b.0)));
    let shown = all.iter().map(|(_, host)| host.grown).fold(RxTx::default(), plus);
    let row = |(address, host): &(IpAddr, &hosts::Host)| {
        let shown = (host.grown, rate::mean(&host.grown, record.length));
        host.row(&capture.name, *address, names.of(address), shown)
    };
    let list: Vec<_> = all.iter().map(row).collect();
    let others =
        Others { rows: (known - list.len()) as u64, traffic: minus(captured, shown), ..Others::default() };
    Ranked { rows: list, others }
}

fn addresses(
    all: &Addresses,
    names: &Names,
    captured: RxTx,
    rows: usize,
    side: fn(&crate::flows::addresses::Sides) -> Tally,
) -> RankedAddresses {
    let mut list: Vec<_> = all
        .rows()
        .iter()
        .map(|row| (side(&row.value), row.address()))
        .filter(|(tally, _)| !tally.is_zero())
        .collect();
    let known = list.len();
    rank::first(&mut list, rows, |a, b| b.0.bytes.cmp(&a.0.bytes).then_with(|| a.1.cmp(&b.1)));
    let mut shown = Count::default();
    let row = |(tally, address): &(Tally, IpAddr)| {
        shown += count(*tally);
        AddressRow { address: *address, name: names.of(address).to_owned(), count: count(*tally) }
    };
    let list: Vec<_> = list.iter().map(row).collect();
    let sum = captured.sum();
    let others = Count {
        packets: sum.packets.saturating_sub(shown.packets),
        bytes: sum.bytes.saturating_sub(shown.bytes),
    };
    RankedAddresses { other_rows: (known - list.len()) as u64, rows: list, others }
}

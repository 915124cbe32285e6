//! Every domain value comes back from the wire as it was sent; what cannot be is refused by its field's name.
use std::net::IpAddr;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::alert::{Alert, AlertState, Event, Severity};
use crate::health::*;
use crate::journal::*;
use crate::live::*;
use crate::net::*;
use crate::packets::*;
use crate::process::*;
use crate::report::*;
use crate::session::*;

/// Through the encoded bytes and back.
fn through_wire<D, W>(value: &D) -> D
where
    W: for<'a> From<&'a D> + prost::Message + Default,
    D: TryFrom<W>,
    D::Error: std::fmt::Debug,
{
    let bytes = W::from(value).encode_to_vec();
    D::try_from(W::decode(bytes.as_slice()).unwrap()).unwrap()
}

fn count() -> impl Strategy<Value = Count> {
    (any::<u64>(), any::<u64>()).prop_map(|(packets, bytes)| Count { packets, bytes })
}

fn rx_tx() -> impl Strategy<Value = RxTx> {
    (count(), count()).prop_map(|(rx, tx)| RxTx { rx, tx })
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-1_000_000_000_000_i64..4_000_000_000_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(address, port)| Endpoint { address, port })
}

fn protocol() -> impl Strategy<Value = Transport> {
    prop_oneof![any::<u8>().prop_map(Transport::from_number), Just(Transport::NoFlow)]
}

fn direction() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![Direction::Ingress, Direction::Egress, Direction::Local, Direction::Forwarded])
}

fn kernel() -> impl Strategy<Value = KernelCounters> {
    (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(rx_packets, rx_bytes, tx_packets, tx_bytes)| KernelCounters {
            rx_packets,
            rx_bytes,
            tx_packets,
            tx_bytes,
        },
    )
}

fn ledger() -> impl Strategy<Value = Ledger> {
    (kernel(), any::<i64>()).prop_map(|(k, outside_bytes)| Ledger {
        kernel_bytes: k.rx_packets,
        attributed_bytes: k.rx_bytes,
        unattributed_bytes: k.tx_packets,
        lost_bytes: k.tx_bytes,
        outside_bytes,
    })
}

prop_compose! {
    fn flow_row()(
        (interface, application, name, state) in (".*", ".*", ".*", ".*"),
        (protocol, direction, initiator, responder) in (protocol(), direction(), endpoint(), endpoint()),
        (traffic, per_second, first_seen, last_seen) in (rx_tx(), rx_tx(), time(), time()),
        (trip, retransmitted_segments, zero_windows, resets) in any::<(u64, u64, u64, u64)>(),
        (initiator_owner, responder_owner) in (prop::option::of(reference()), prop::option::of(reference())),
    ) -> FlowRow {
        FlowRow {
            interface, protocol, initiator, responder, application, name, direction, traffic, per_second,
            first_seen, last_seen, round_trip_micros: Some(trip).filter(|t| *t != 0), retransmitted_segments,
            zero_windows, resets, state, initiator_owner, responder_owner,
        }
    }
}

prop_compose! {
    fn host_row()(
        (interface, name, protocols) in (".*", ".*", prop::collection::vec(".*", 0..3)),
        (address, traffic, per_second) in (any::<IpAddr>(), rx_tx(), rx_tx()),
        (first_seen, last_seen) in (time(), time()),
    ) -> HostRow {
        HostRow { interface, address, name, traffic, per_second, protocols, first_seen, last_seen }
    }
}

fn addresses() -> impl Strategy<Value = RankedAddresses> {
    let row = (any::<IpAddr>(), ".*", count()).prop_map(|(address, name, count)| AddressRow {
        address,
        name,
        count,
    });
    (prop::collection::vec(row, 0..3), any::<u64>(), count())
        .prop_map(|(rows, other_rows, others)| RankedAddresses { rows, other_rows, others })
}

fn ranked<T: std::fmt::Debug>(row: impl Strategy<Value = T>) -> impl Strategy<Value = Ranked<T>> {
    (prop::collection::vec(row, 0..3), any::<u64>(), (rx_tx(), rx_tx())).prop_map(
        |(rows, n, (traffic, session_traffic))| Ranked {
            rows,
            others: Others { rows: n, traffic, session_traffic },
        },
    )
}

prop_compose! {
    fn interface_window()(
        (interface, in_totals, captured, kernel, ledger) in (".*", any::<bool>(), rx_tx(), kernel(), ledger()),
        (counts, application) in (
            prop::collection::vec(count(), 15), prop::collection::btree_map(".*", count(), 0..4)),
        numbers in prop::collection::vec(any::<u64>(), 18),
        (flows, hosts, owners, sources, destinations) in
            (ranked(flow_row()), ranked(host_row()), ranked(owner_row()), addresses(), addresses()),
    ) -> InterfaceWindow {
        InterfaceWindow {
            interface, in_totals, captured, kernel, ledger, application, flows, hosts, owners, sources, destinations,
            directions: Directions {
                ingress: counts[0], egress: counts[1], local: counts[2], forwarded_in: counts[3],
                forwarded_out: counts[4],
            },
            network: NetworkMix { ipv4: counts[5], ipv6: counts[6], arp: counts[7], other: counts[8] },
            transport: TransportMix {
                tcp: counts[9], udp: counts[10], icmp: counts[11], icmpv6: counts[12], sctp: counts[13],
                other: counts[14],
            },
            tcp_flags: TcpFlags { syn: numbers[0], syn_ack: numbers[1], fin: numbers[2], rst: numbers[3] },
            malformed_packets: numbers[4], malformed_messages: numbers[5], truncated_packets: numbers[6],
            dropped_packets: numbers[7], evicted_flows: numbers[8], highest_rx_bytes_per_second: numbers[9],
            highest_tx_bytes_per_second: numbers[10], highest_packets_per_second: numbers[11],
            tcp: TcpHealth {
                handshakes: numbers[12], round_trip_micros_sum: numbers[13],
                round_trip_micros_max: numbers[14], retransmitted_segments: numbers[15],
                zero_windows: numbers[16], resets: numbers[17],
            },
        }
    }
}

prop_compose! {
    fn window()(start in time(), length_millis in any::<u32>(),
                interfaces in prop::collection::vec(interface_window(), 0..2)) -> Window {
        Window { start, length_millis, interfaces }
    }
}

prop_compose! {
    fn live_interface()(
        (interface, reason, in_totals, primary) in (".*", ".*", any::<bool>(), any::<bool>()),
        state in prop::sample::select(vec![CaptureState::Up, CaptureState::Gone, CaptureState::Error]),
        (second, average_per_second, captured) in (rx_tx(), rx_tx(), rx_tx()),
        (today, month, ledger) in (kernel(), kernel(), ledger()),
        (dropped_packets, average_windows) in (any::<u64>(), any::<u64>()),
        (hosts, flows, owners) in (ranked(host_row()), ranked(flow_row()), ranked(owner_row())),
    ) -> LiveInterface {
        LiveInterface {
            interface, state, reason, in_totals, primary, second, average_per_second, today, month, captured,
            dropped_packets, ledger, hosts, flows, owners, average_windows,
        }
    }
}

prop_compose! {
    fn update()(
        (time, interfaces) in (time(), prop::collection::vec(live_interface(), 0..2)),
        last_window in prop::option::of(window()),
        (owners, session) in (ranked(owner_row()), prop::option::of(session())),
        losses in prop::collection::btree_map(".*", any::<u64>(), 0..3),
        (last_sequence, open_alerts, window_millis, reason) in (any::<u64>(), any::<u32>(), any::<u32>(), ".*"),
    ) -> Update {
        let degraded = vec![Degraded { part: "capture".to_owned(), reason }];
        let recent_seconds = vec![SecondSeries {
            interface: "eth0".to_owned(), start: time, seconds: vec![RxTx::default(); 2],
        }];
        Update {
            time, interfaces, last_window, losses, degraded, last_sequence, open_alerts, window_millis, recent_seconds,
            owners, session, active_owners: open_alerts, process_threshold_bytes_per_second: last_sequence,
        }
    }
}

fn quality() -> impl Strategy<Value = MatchQuality> {
    prop::sample::select(vec![
        MatchQuality::Exact,
        MatchQuality::Listener,
        MatchQuality::Shared,
        MatchQuality::Kernel,
        MatchQuality::Unknown,
    ])
}

/// Zero means none on the wire.
fn later() -> impl Strategy<Value = Timestamp> {
    time().prop_filter("zero means none", |time| time.as_millisecond() != 0)
}

prop_compose! {
    fn reference()(
        name in ".*", pid in prop::option::of(1_u32..), started in prop::option::of(later()), quality in quality(),
    ) -> OwnerReference {
        OwnerReference { name, pid, started, quality }
    }
}

prop_compose! {
    fn owner_row()(
        (interface, executable, command_line, user) in (".*", ".*", ".*", ".*"),
        (unit, container, reason, alive) in (".*", ".*", ".*", any::<bool>()),
        (of, parents) in (reference(), prop::collection::vec((any::<u32>(), ".*"), 0..3)),
        (traffic, per_second, session_traffic) in (rx_tx(), rx_tx(), rx_tx()),
        (rx_payload_bytes, tx_payload_bytes, over_threshold) in any::<(u64, u64, bool)>(),
        (protocols, first_seen, last_seen) in (prop::collection::vec(".*", 0..3), time(), time()),
    ) -> OwnerRow {
        let OwnerReference { name, pid, started, quality } = of;
        let parents = parents.into_iter().map(|(pid, name)| ParentProcess { pid, name }).collect();
        let owner = Owner {
            name, pid, started, executable, command_line, user, unit, container, parents, alive, quality, reason,
        };
        OwnerRow {
            interface, owner, traffic, rx_payload_bytes, tx_payload_bytes, per_second, protocols, first_seen,
            last_seen, over_threshold, session_traffic,
        }
    }
}

prop_compose! {
    fn session()(
        (id, name, begin, end) in (any::<u64>(), ".*", time(), prop::option::of(later())),
        (gap_millis, traffic, owners) in (any::<u64>(), rx_tx(), ranked(owner_row())),
        interfaces in prop::collection::vec((".*", rx_tx(), kernel()), 0..3),
    ) -> Session {
        let interfaces = interfaces.into_iter()
            .map(|(interface, captured, kernel)| SessionInterface { interface, captured, kernel })
            .collect();
        Session { id, name, begin, end, gap_millis, traffic, interfaces, owners }
    }
}

prop_compose! {
    fn packet()(
        nanos in 0..i64::MAX,
        (source, destination) in (prop::option::of(endpoint()), prop::option::of(endpoint())),
        (protocol, direction) in (protocol(), direction()),
        (interface, application, detail, source_mac) in (".*", ".*", ".*", ".*"),
        (wire_bytes, captured_bytes, vlan, tcp_flags, link_type) in any::<(u32, u32, u16, u8, u32)>(),
        header in prop::collection::vec(any::<u8>(), 0..64),
        owner in prop::option::of(reference()),
    ) -> PacketHeader {
        PacketHeader {
            time: Timestamp::from_nanosecond(i128::from(nanos)).unwrap(), interface, source, destination,
            protocol, application, wire_bytes, captured_bytes, direction, vlan, tcp_flags, detail,
            destination_mac: source_mac.clone(), source_mac, header, link_type, owner,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_window_comes_back_as_it_was(window in window()) {
        prop_assert_eq!(&through_wire::<Window, v1::Window>(&window), &window);
        let entry = JournalEntry {
            sequence: 7, previous_sequence: 5, record: JournalRecord::Window(Box::new(window)),
        };
        prop_assert_eq!(&through_wire::<JournalEntry, v1::JournalEntry>(&entry), &entry);
    }

    #[test]
    fn sessions_and_events_come_back_as_they_were(session in session(), time in time(), message in ".*") {
        let event = Event { time, kind: "session_started".to_owned(), subject: "night".to_owned(), message };
        for record in [JournalRecord::Session(Box::new(session)), JournalRecord::Event(event)] {
            let entry = JournalEntry { sequence: 3, previous_sequence: 2, record };
            prop_assert_eq!(&through_wire::<JournalEntry, v1::JournalEntry>(&entry), &entry);
        }
    }

    #[test]
    fn the_live_view_comes_back_as_it_was(
        now in update(), sequence in any::<u64>(), start in time(), seconds in prop::collection::vec(rx_tx(), 0..4),
    ) {
        let series = SecondSeries { interface: "eth0".to_owned(), start, seconds };
        let snapshot = Live::Snapshot { sequence, now: now.clone(), seconds: vec![series] };
        prop_assert_eq!(&through_wire::<Live, v1::SubscribeResponse>(&snapshot), &snapshot);
        let update = Live::Update { sequence, now };
        prop_assert_eq!(&through_wire::<Live, v1::SubscribeResponse>(&update), &update);
    }

    #[test]
    fn packets_come_back_as_they_were(
        packets in prop::collection::vec(packet(), 0..3), numbers in any::<(u64, u64, u64, u64)>(),
        protocols in prop::collection::btree_map(".*", count(), 0..3), sources in addresses(),
    ) {
        let totals = PacketSummary {
            packets: numbers.0, bytes: numbers.1, not_sent: numbers.2, duration_millis: numbers.3, protocols,
            top_sources: sources.rows.clone(), top_destinations: sources.rows,
        };
        let batch = PacketBatch { packets, totals };
        prop_assert_eq!(&through_wire::<PacketBatch, v1::PacketBatch>(&batch), &batch);
    }

    #[test]
    fn status_comes_back_as_it_was(
        (started, kernel, ledger, captured) in (time(), kernel(), ledger(), count()),
        (window_millis, reason) in (1_u32..60_001, ".*"),
    ) {
        let capture = vec![CaptureStatus {
            interface: "eth0".to_owned(), state: CaptureState::Gone, reason: reason.clone(), captured,
            dropped_packets: 3, kernel, ledger,
        }];
        let status = Status {
            version: "0.1.0".to_owned(), started, uptime_seconds: 9, capture, ledger,
            attribution: Attribution { grade: "off".to_owned(), reason },
            degraded: vec![Degraded { part: "capture".to_owned(), reason: "no permission".to_owned() }],
            losses: [("records".to_owned(), 4)].into(), last_sequence: 8, journal_id: "j".to_owned(),
            window_seconds: f64::from(window_millis) / 1000.0, host_name: "h".to_owned(),
            time_zone: "UTC".to_owned(), process_threshold_bytes_per_second: 1 << 20,
        };
        prop_assert_eq!(&through_wire::<Status, v1::GetStatusResponse>(&status), &status);
    }
}

fn alert() -> Alert {
    Alert {
        id: 3,
        time: Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
        kind: "capture_lost".to_owned(),
        state: AlertState::Update,
        severity: Severity::Critical,
        subject: "eth0".to_owned(),
        subjects: vec!["eth0".to_owned()],
        message: "packets were dropped".to_owned(),
        evidence: serde_json::json!({"dropped": 5, "limit": 0.5}).as_object().unwrap().clone(),
    }
}

#[test]
fn alerts_gaps_interfaces_and_days_come_back_as_they_were() {
    assert_eq!(through_wire::<Alert, v1::Alert>(&alert()), alert());
    let gap = Gap {
        start: alert().time,
        end: alert().time,
        interface: String::new(),
        reason: "worker died".to_owned(),
        kernel: KernelCounters { rx_bytes: 1, ..KernelCounters::default() },
    };
    let entry = JournalEntry { sequence: 2, previous_sequence: 0, record: JournalRecord::Gap(gap) };
    assert_eq!(through_wire::<JournalEntry, v1::JournalEntry>(&entry), entry);
    let day = DayRow {
        date: "2026-02-28".parse().unwrap(),
        interface: "eth0".to_owned(),
        kernel: KernelCounters::default(),
        in_totals: true,
    };
    assert_eq!(through_wire::<DayRow, v1::DayRow>(&day), day);
    let info = InterfaceInfo {
        name: "wg0".to_owned(),
        index: 4,
        kind: "wireguard".to_owned(),
        up: true,
        addresses: vec!["10.0.0.1/24".to_owned()],
        mac: String::new(),
        mtu_bytes: 1420,
        primary: false,
        captured: true,
        in_totals: false,
        reason: "tunnel over eth0".to_owned(),
        parent: "eth0".to_owned(),
    };
    assert_eq!(through_wire::<InterfaceInfo, v1::InterfaceInfo>(&info), info);
}

#[test]
fn what_the_wire_cannot_mean_is_refused_by_the_fields_name() {
    let short = v1::Endpoint { address: vec![1, 2, 3], port: 1 };
    assert_eq!(
        Endpoint::try_from(short).unwrap_err().to_string(),
        "field `address` is an address of 3 bytes; 4 or 16 are allowed"
    );
    let port = v1::Endpoint { address: vec![1, 2, 3, 4], port: 65_536 };
    assert_eq!(Endpoint::try_from(port).unwrap_err().field, "port");
    let mut late = v1::Alert::from(alert());
    late.time_unix_millis = i64::MAX;
    assert_eq!(Alert::try_from(late).unwrap_err().field, "time_unix_millis");
    let mut evidence = v1::Alert::from(alert());
    evidence.evidence_json = "[1]".to_owned();
    assert_eq!(Alert::try_from(evidence).unwrap_err().field, "evidence_json");
    let mut severity = v1::Alert::from(alert());
    severity.severity = 99;
    assert_eq!(
        Alert::try_from(severity).unwrap_err().to_string(),
        "field `severity` has the unknown number 99"
    );
    let empty = v1::SubscribeResponse { sequence: 1, content: None };
    assert_eq!(Live::try_from(empty).unwrap_err().to_string(), "field `content` is missing");
}

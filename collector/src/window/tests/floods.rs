//! More flows than anybody wants to hear of, and owners that are found late.
use super::*;

/// So many one-packet flows within a window, from as many addresses, to one port of this machine; then a flow of `size`.
fn flood(pipeline: &mut Pipeline, flows: u32, size: usize) -> u64 {
    let mut bytes = 0;
    let mut send = |time, frame: &[u8]| {
        let wire_length = u32::try_from(frame.len()).unwrap();
        pipeline.packet(Sample { time, wire_length, data: frame });
        bytes += u64::from(wire_length);
    };
    for number in 0..flows {
        let [_, a, b, c] = number.to_be_bytes();
        let time = START + u64::from(number) * 10_000;
        send(time, &datagram([11, a, b, c], [10, 0, 0, 1], 1000, 0));
        if number % 1_000 == 0 {
            send(time, &datagram([198, 51, 100, 7], [10, 0, 0, 1], 443, size));
        }
    }
    bytes
}

#[test]
fn a_flood_is_told_in_few_rows_and_its_sums_are_exact() {
    const FLOWS: u32 = 60_000;
    for max_flows in [5_000, 100_000] {
        let mut pipeline = pipeline(max_flows);
        let mut traffic = Traffic::new(Settings::default());
        traffic.interface_opened(1, "eth0", COUNTED);
        flood(&mut pipeline, FLOWS, 1000);
        pipeline.reached(START + SECOND);
        let (mut rows, mut summed) = (0, 0);
        while let Some(record) = pipeline.take(usize::MAX) {
            match &record {
                TrafficRecord::Flows(record) => rows += record.flows.len(),
                TrafficRecord::Sums(record) => summed += record.flows,
                _ => {}
            }
            traffic.apply(1, record, &Nobody).unwrap();
        }
        assert!(rows < 14_000, "{rows} rows");
        assert_eq!(rows as u64 + summed, u64::from(FLOWS) + 1);
        let window = traffic.take_closed().unwrap();
        let part = &window.interfaces[0];
        assert_sums(part);
        let victim = &part.destinations.rows[0];
        assert_eq!(victim.address.to_string(), "10.0.0.1");
        assert_eq!(victim.count, part.captured.sum());
        assert_eq!(part.hosts.rows[0].address.to_string(), "198.51.100.7");
        let first = &part.flows.rows[0];
        assert_eq!((first.initiator.port, first.traffic.rx.packets), (443, 60));
        let all = part.flows.rows.len() as u64 + part.flows.others.rows;
        assert_eq!(all, u64::from(FLOWS) + 1);
        let unknown = &part.owners.rows[0];
        assert_eq!((unknown.owner.name.as_str(), unknown.traffic), ("unknown", part.captured));
    }
}

#[test]
fn a_flood_that_passes_through_is_in_the_sums_of_owners_too() {
    let mut pipeline = pipeline(100_000);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    for number in 0..30_000u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let frame = datagram([11, a, b, c], [10, 0, 5, 2], 1000, 0);
        pipeline.packet(Sample { time: START + u64::from(number), wire_length: 60, data: &frame });
    }
    pipeline.reached(START + SECOND);
    tell(&mut pipeline, &mut traffic, 4_096, usize::MAX);
    let window = traffic.take_closed().unwrap();
    assert_sums(&window.interfaces[0]);
}

#[test]
fn what_a_windows_end_tells_of_many_flows_is_no_burst_of_their_owner() {
    const FLOWS: u16 = 6_000;
    let own = OwnAddresses::new(vec!["10.0.0.1".parse().unwrap()], None);
    let mut pipeline = Pipeline::new(1, own, PipelineSettings::default()).unwrap();
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    for second in 0..25u64 {
        for port in 0..FLOWS {
            let data = datagram([10, 0, 0, 1], [198, 51, 100, 7], port, 58);
            pipeline.packet(Sample { time: START + second * SECOND, wire_length: 100, data: &data });
        }
        pipeline.reached(START + (second + 1) * SECOND);
        while let Some(record) = pipeline.take(1_000) {
            traffic.apply(1, record, &Nobody).unwrap();
        }
        let moved: u64 = traffic.take_recent(1).values().map(|moved| moved.tx.bytes).sum();
        let in_truth = u64::from(FLOWS) * 100;
        assert!(moved <= 2 * in_truth, "{moved} bytes in second {second}");
        if second % 10 == 9 {
            assert_eq!(moved, in_truth, "a window ends with second {second}");
        }
    }
}

#[test]
fn an_owner_that_is_found_late_gets_what_its_flow_moved_before() {
    let mut pipeline = pipeline(100);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    let frame = datagram([10, 0, 0, 1], [198, 51, 100, 7], 1234, 100);
    let wire_length = u32::try_from(frame.len()).unwrap();
    for step in 0..15u64 {
        pipeline.packet(Sample { time: START + step * SECOND / 10, wire_length, data: &frame });
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
    }
    let ends = traffic.take_open_ends();
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].end.local, ("10.0.0.1".parse().unwrap(), 1234));
    assert!(ends[0].end.is_initiator && traffic.is_open(&ends[0]));
    let owner = OwnerId(20);
    traffic.assign(&ends[0], owner, weir_shared::process::MatchQuality::Exact);
    assert!(!traffic.is_open(&ends[0]));
    pipeline.reached(START + 2 * SECOND);
    tell(&mut pipeline, &mut traffic, 100, usize::MAX);
    let windows: Vec<_> = std::iter::from_fn(|| traffic.take_closed()).collect();
    let named = |window: &Window| -> Vec<(weir_shared::process::MatchQuality, u64)> {
        let rows = &window.interfaces[0].owners.rows;
        rows.iter().map(|row| (row.owner.quality, row.traffic.tx.packets)).collect()
    };
    use weir_shared::process::MatchQuality::{Exact, Unknown};
    assert_eq!(named(&windows[0]), [(Unknown, 10)], "it closed before anybody knew");
    assert_eq!(named(&windows[1]), [(Exact, 5)]);
    let query =
        super::super::owner_lists::OwnerQuery { interface: "", search: "", of_session: false, rows: 9 };
    let since_start = traffic.owners(&query, &Nobody);
    assert_eq!(since_start.rows.len(), 1);
    assert_eq!((since_start.rows[0].traffic.tx.packets, since_start.rows[0].tx_payload_bytes), (15, 1_500));
    assert_eq!(since_start.others.traffic, RxTx::default());
}

#[test]
fn a_session_begins_with_nothing() {
    let mut pipeline = pipeline(100);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    let frame = datagram([10, 0, 0, 1], [198, 51, 100, 7], 1234, 100);
    for step in 0..6u64 {
        if step == 4 {
            traffic.begin_session();
        }
        pipeline.packet(Sample { time: START + step * SECOND / 10, wire_length: 142, data: &frame });
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
    }
    for end in traffic.take_open_ends() {
        traffic.assign(&end, OwnerId(20), weir_shared::process::MatchQuality::Exact);
    }
    let query =
        super::super::owner_lists::OwnerQuery { interface: "", search: "", of_session: true, rows: 9 };
    let of_session: Vec<u64> =
        traffic.owners(&query, &Nobody).rows.iter().map(|row| row.traffic.tx.packets).collect();
    assert_eq!(of_session, [2]);
    let live = traffic.live_owners("", 0, &Nobody).list.others;
    assert_eq!((live.traffic.tx.packets, live.session_traffic.tx.packets), (6, 2), "those not listed too");
}

#[test]
fn without_a_session_nobody_has_moved_anything_in_it() {
    let mut pipeline = pipeline(100);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    let frame = datagram([10, 0, 0, 1], [198, 51, 100, 7], 1234, 100);
    let mut step = 0u64;
    let mut moved_in_session = |traffic: &mut Traffic| {
        step += 1;
        pipeline.packet(Sample { time: START + step * SECOND / 10, wire_length: 142, data: &frame });
        tell(&mut pipeline, traffic, 100, usize::MAX);
        for end in traffic.take_open_ends() {
            traffic.assign(&end, OwnerId(20), weir_shared::process::MatchQuality::Exact);
        }
        let query =
            super::super::owner_lists::OwnerQuery { interface: "", search: "", of_session: true, rows: 9 };
        let asked: Vec<u64> =
            traffic.owners(&query, &Nobody).rows.iter().map(|row| row.traffic.tx.packets).collect();
        let live = traffic.live_owners("eth0", 9, &Nobody).list;
        assert_eq!(live.rows[0].traffic.tx.packets, step, "since the start");
        (asked, live.rows[0].session_traffic.tx.packets)
    };
    assert_eq!(moved_in_session(&mut traffic), (vec![], 0), "none has run yet");
    traffic.begin_session();
    assert_eq!(moved_in_session(&mut traffic), (vec![1], 1));
    traffic.end_session();
    assert_eq!(moved_in_session(&mut traffic), (vec![], 0), "it has ended");
    traffic.begin_session();
    assert_eq!(moved_in_session(&mut traffic), (vec![1], 1), "the next holds nothing of the one before");
}

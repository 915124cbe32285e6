//! A pipeline's story, told under all kinds of pressure, must come out with the sums that went in.
mod ahead;
mod floods;
mod forwarded;
mod frames;
mod moving;
mod turns;

use std::time::Duration;

use proptest::prelude::*;
use weir_shared::report::{InterfaceWindow, Ranked};

use super::*;
use crate::attribution::Nobody;
use crate::flows::own::OwnAddresses;
use crate::frames::{Segment, ethernet, ipv4, ipv6, udp};
use crate::pipeline::{Pipeline, Sample, Settings as PipelineSettings};

const SECOND: u64 = 1_000_000_000;
const COUNTED: Counting = Counting { in_totals: true, in_owner_totals: true };
const START: u64 = 1_700_000_000 * SECOND;

/// An Ethernet frame with a UDP datagram of no content.
fn datagram(source: [u8; 4], destination: [u8; 4], port: u16, size: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let total = u16::try_from(28 + size).unwrap();
    frame.extend([0x45, 0]);
    frame.extend(total.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(source);
    frame.extend(destination);
    frame.extend(port.to_be_bytes());
    frame.extend(9999u16.to_be_bytes());
    frame.extend((total - 20).to_be_bytes());
    frame.extend([0, 0]);
    frame.resize(frame.len() + size, 0);
    frame
}

fn arp() -> Vec<u8> {
    let mut frame = vec![255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
    frame.resize(60, 0);
    frame
}

fn pipeline(max_flows: usize) -> Pipeline {
    let own = OwnAddresses::new(vec!["10.0.0.1".parse().unwrap()], None);
    let settings =
        PipelineSettings { max_flows, window: Duration::from_secs(1), ..PipelineSettings::default() };
    Pipeline::new(1, own, settings).unwrap()
}

fn tell(pipeline: &mut Pipeline, traffic: &mut Traffic, most_rows: usize, mut most_records: usize) {
    pipeline.tell_all();
    while most_records > 0
        && let Some(record) = pipeline.take(most_rows)
    {
        let encoded = postcard::to_stdvec(&record).unwrap();
        assert!(encoded.len() < 60_000, "{} bytes", encoded.len());
        traffic.apply(1, postcard::from_bytes(&encoded).unwrap(), &Nobody).unwrap();
        most_records -= 1;
    }
}

fn assert_sums(window: &InterfaceWindow) {
    fn sum<T>(list: &Ranked<T>, traffic: impl Fn(&T) -> RxTx) -> RxTx {
        list.rows.iter().map(traffic).fold(list.others.traffic, plus)
    }
    assert_eq!(sum(&window.flows, |row| row.traffic), window.captured, "flows");
    assert_eq!(sum(&window.hosts, |row| row.traffic), window.captured, "hosts");
    let mut twice = window.captured.sum();
    twice += window.directions.local;
    assert_eq!(sum(&window.owners, |row| row.traffic).sum(), twice, "owners");
    for list in [&window.sources, &window.destinations] {
        let sum = list.rows.iter().map(|row| row.count).fold(list.others, add);
        assert_eq!(sum, window.captured.sum(), "addresses");
    }
    let directions = &window.directions;
    let all = [
        directions.ingress,
        directions.egress,
        directions.local,
        directions.forwarded_in,
        directions.forwarded_out,
    ];
    assert_eq!(all.into_iter().fold(Count::default(), add), window.captured.sum(), "directions");
}

/// Frames of every kind between the machine and a few hosts.
fn any_frame(kind: u8, host: u8, port: u16, flags: u8) -> Vec<u8> {
    let (here, there) = ([10, 0, 0, 1], [198, 51, 100, host]);
    let segment = Segment { source: 1000 + port, destination: 443, sequence: 9, flags, window: 0 };
    let answer = Segment { source: 443, destination: 1000 + port, ..segment };
    let mut fragment = ipv4(there, here, 17, &[7; 64]);
    fragment[6] = flags & 0x20;
    fragment[7] = kind & 2;
    match kind {
        0 => arp(),
        1 => vec![0; 9],
        2 | 3 => ethernet(0x0800, &fragment),
        4 => ethernet(0x86dd, &ipv6(58, &[flags, 0, 0, 0, 0, 0, 0, 0])),
        5 => ethernet(0x0800, &ipv4(there, here, 1, &[8, 0, 0, 0, 0, flags & 3, 0, 0])),
        6 => ethernet(0x0800, &ipv4(there, [10, 9, 9, 9], 47, &[0; 20])),
        7 => ethernet(0x0800, &ipv4(here, [255; 4], 17, &udp(68, 67, &[0; 20]))),
        8 => ethernet(0x88cc, &[0; 40]),
        9 | 10 => ethernet(0x0800, &ipv4(there, here, 6, &answer.bytes(&[0; 30]))),
        _ => ethernet(0x0800, &ipv4(here, there, 6, &segment.bytes(&[]))),
    }
}

/// What happens to a pipeline besides frames.
fn disturb(pipeline: &mut Pipeline, what: u8, time: &mut u64) {
    match what {
        0 => {
            *time -= 3 * SECOND; // the machine's clock was set back
            pipeline.jump(*time);
        }
        1 => pipeline.set_own(OwnAddresses::new(vec!["198.51.100.3".parse().unwrap()], None)),
        2 => pipeline.set_own(OwnAddresses::new(vec!["10.0.0.1".parse().unwrap()], Some([2, 0, 0, 0, 0, 2]))),
        3 => {
            *time += 200 * SECOND;
            pipeline.reached(*time);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn windows_sum_whatever_comes_also_when_clocks_step_and_addresses_change(
        packets in proptest::collection::vec(
            ((0u64..60_000_000, 0u8..14, 2u8..9, 0u16..6), any::<u8>(), 0u8..60, any::<bool>()), 1..300),
        max_flows in 1usize..40,
        rows in 1usize..6,
    ) {
        let mut pipeline = pipeline(max_flows);
        let mut traffic = Traffic::new(Settings { rows, max_hosts: 4, ..Settings::default() });
        traffic.interface_opened(1, "eth0", COUNTED);
        let (mut time, mut count, mut bytes) = (START, 0u64, 0u64);
        let mut windows = Vec::new();
        for ((gap, kind, host, port), flags, disturbance, reads) in packets {
            time += gap;
            let frame = any_frame(kind, host, port, flags);
            let wire_length = u32::try_from(frame.len()).unwrap();
            pipeline.packet(Sample { time, wire_length, data: &frame });
            disturb(&mut pipeline, disturbance, &mut time);
            count += 1;
            bytes += u64::from(wire_length);
            if reads {
                tell(&mut pipeline, &mut traffic, 3, 5);
                windows.extend(std::iter::from_fn(|| traffic.take_closed()));
            }
        }
        pipeline.reached(time + 10 * SECOND);
        tell(&mut pipeline, &mut traffic, 3, usize::MAX);
        windows.extend(std::iter::from_fn(|| traffic.take_closed()));
        let mut all = Count::default();
        for part in windows.iter().flat_map(|window| &window.interfaces) {
            assert_sums(part);
            let network = [part.network.ipv4, part.network.ipv6, part.network.arp, part.network.other];
            let network = network.into_iter().fold(Count::default(), add).packets;
            prop_assert_eq!(network + part.malformed_packets, part.captured.sum().packets);
            all = add(all, part.captured.sum());
        }
        prop_assert_eq!(all, Count { packets: count, bytes });
        let hosts = traffic.hosts("eth0", "", 2);
        let sum = hosts.rows.iter().map(|row| row.traffic).fold(hosts.others.traffic, plus);
        prop_assert_eq!(sum, traffic.totals(1).captured);
        let flows = traffic.flows(("", None), "", 2, &Nobody);
        let sum = flows.rows.iter().map(|row| row.traffic).fold(flows.others.traffic, plus);
        prop_assert_eq!(sum, traffic.totals(1).captured);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_window_sums_to_what_was_captured(
        packets in proptest::collection::vec((0u64..60_000_000, 0u8..40, 0u16..30, 0usize..200), 1..400),
        max_flows in 2usize..200,
        rows in 1usize..40,
        records in 0usize..6,
    ) {
        let mut pipeline = pipeline(max_flows);
        let mut traffic = Traffic::new(Settings { rows: 5, ..Settings::default() });
        traffic.interface_opened(1, "eth0", COUNTED);
        let (mut time, mut count, mut bytes) = (START, 0u64, 0u64);
        let mut windows = Vec::new();
        for (gap, host, port, size) in packets {
            time += gap;
            let frame = match host {
                0 => arp(),
                1 => vec![0; 9],
                2 => datagram([10, 0, 0, 1], [198, 51, 100, host], 1000 + port, size),
                _ => datagram([198, 51, 100, host], [10, 0, 0, 1], 1000 + port, size),
            };
            let wire_length = u32::try_from(frame.len()).unwrap();
            pipeline.packet(Sample { time, wire_length, data: &frame });
            count += 1;
            bytes += u64::from(wire_length);
            tell(&mut pipeline, &mut traffic, rows, records);
            windows.extend(std::iter::from_fn(|| traffic.take_closed()));
        }
        pipeline.reached(time + 2 * SECOND);
        tell(&mut pipeline, &mut traffic, rows, usize::MAX);
        windows.extend(std::iter::from_fn(|| traffic.take_closed()));
        prop_assert!(pipeline.take(1).is_none() && !pipeline.has_news());
        let mut all = Count::default();
        for window in &windows {
            prop_assert_eq!(window.interfaces.len(), 1);
            assert_sums(&window.interfaces[0]);
            all = add(all, window.interfaces[0].captured.sum());
        }
        prop_assert_eq!(all, Count { packets: count, bytes });
        prop_assert!(windows.windows(2).all(|pair| pair[0].start < pair[1].start));
        let hosts = traffic.hosts("", "", 3);
        let sum = hosts.rows.iter().map(|row| row.traffic).fold(hosts.others.traffic, plus);
        prop_assert_eq!(sum, traffic.totals(1).captured);
    }
}

#[test]
fn a_flow_is_told_whole_in_its_window_although_the_reader_was_away() {
    let mut pipeline = pipeline(100);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    let frame = datagram([198, 51, 100, 7], [10, 0, 0, 1], 1234, 100);
    let wire_length = u32::try_from(frame.len()).unwrap();
    for step in 0..30u64 {
        pipeline.packet(Sample { time: START + step * SECOND / 10, wire_length, data: &frame });
    }
    pipeline.reached(START + 3 * SECOND);
    tell(&mut pipeline, &mut traffic, 100, usize::MAX);
    for _ in 0..3 {
        let window = traffic.take_closed().unwrap();
        let flows = &window.interfaces[0].flows;
        assert_eq!((flows.rows.len(), flows.rows[0].traffic.rx.packets), (1, 10));
        assert_eq!(flows.others.traffic, RxTx::default());
    }
    assert_eq!(traffic.last_second(1).1.rx.packets, 10);
    assert_eq!(traffic.seconds(1, 300).seconds.len(), 3);
    assert_eq!(traffic.totals(1).average_windows, 3);
}

#[test]
fn a_row_that_was_never_introduced_is_refused() {
    let mut traffic = Traffic::new(Settings::default());
    assert_eq!(traffic.apply(9, TrafficRecord::Names(Vec::new()), &Nobody), Err(RecordError::NotOpen(9)));
    traffic.interface_opened(1, "eth0", COUNTED);
    let mut pipeline = pipeline(100);
    let frame = datagram([198, 51, 100, 7], [10, 0, 0, 1], 1234, 100);
    pipeline.packet(Sample { time: START, wire_length: 142, data: &frame });
    let record =
        std::iter::from_fn(|| pipeline.take(9)).find(|record| matches!(record, TrafficRecord::Flows(_)));
    let Some(TrafficRecord::Flows(mut record)) = record else { panic!("no flows") };
    record.flows[0].identity = None;
    assert_eq!(
        traffic.apply(1, TrafficRecord::Flows(record), &Nobody),
        Err(RecordError::UnknownFlow { slot: 0, generation: 0 })
    );
}

#[test]
fn a_window_waits_for_every_open_interface_and_not_for_a_closed_one() {
    let mut traffic = Traffic::new(Settings::default());
    let mut pipelines = [pipeline(10), pipeline(10)];
    traffic.interface_opened(1, "eth0", COUNTED);
    traffic.interface_opened(2, "eth1", COUNTED);
    let frame = arp();
    for (id, pipeline) in (1u16..).zip(&mut pipelines) {
        pipeline.packet(Sample { time: START, wire_length: 60, data: &frame });
        if id == 1 {
            pipeline.reached(START + SECOND);
        }
        while let Some(record) = pipeline.take(10) {
            traffic.apply(id, record, &Nobody).unwrap();
        }
    }
    assert_eq!(traffic.take_closed(), None);
    traffic.interface_closed(2, &Nobody);
    let window = traffic.take_closed().unwrap();
    assert_eq!(window.interfaces.iter().map(|part| part.captured.rx.packets).collect::<Vec<_>>(), [1, 1]);
}

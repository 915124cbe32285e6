//! Whole files through all stages: windows and the whole say the same.
use std::io::Write;

use clap::Parser;
use proptest::prelude::*;
use weir_shared::report::Count;

use super::summary::Window;
use super::*;
use crate::frames::{Hello, Segment, ethernet, ipv4, ipv6, udp};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn pcap(frames: &[(u64, u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (time, wire_length, data) in frames {
        let length = u32::try_from(data.len()).unwrap();
        let [seconds, nanos] =
            [time / 1_000_000_000, time % 1_000_000_000].map(|part| u32::try_from(part).unwrap());
        for word in [seconds, nanos, length, *wire_length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(data);
    }
    file
}

/// The summary of a file's bytes; reading ends where it may.
fn replayed(bytes: &[u8], arguments: &[&str]) -> Summary {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let path = file.path().to_str().unwrap();
    let line = Line::try_parse_from([&["replay", path], arguments].concat()).unwrap();
    let mut capture = CaptureFile::open(&line.options.file).unwrap();
    let mut replay = Replay::new(&line.options, None);
    replay.read(&mut capture).unwrap();
    replay.finish(capture.link_type())
}

fn sum(counts: impl IntoIterator<Item = Count>) -> Count {
    counts.into_iter().fold(Count::default(), |mut sum, count| {
        sum += count;
        sum
    })
}

/// Every count of a mix under its name.
fn parts(mix: &Mix) -> Vec<(String, u64)> {
    fn walk(path: &str, value: &serde_json::Value, parts: &mut Vec<(String, u64)>) {
        if let Some(number) = value.as_u64() {
            parts.push((path.to_owned(), number));
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            walk(&format!("{path}/{key}"), value, parts);
        }
    }
    let mut parts = Vec::new();
    walk("", &serde_json::to_value(mix).unwrap(), &mut parts);
    parts.retain(|(_, number)| *number > 0);
    parts
}

fn summed(windows: &[Window]) -> Vec<(String, u64)> {
    let mut all = std::collections::BTreeMap::<String, u64>::new();
    for (name, number) in windows.iter().flat_map(|window| parts(&window.mix)) {
        *all.entry(name).or_default() += number;
    }
    all.into_iter().collect()
}

fn frame(kind: u8, host: u8, port: u16, size: usize) -> Vec<u8> {
    let (here, there) = ([10, 0, 0, 1], [198, 51, 100, host]);
    let segment = |flags| Segment {
        source: 1000 + port,
        destination: 443,
        sequence: u32::from(port) * 7,
        flags,
        window: 5,
    };
    match kind {
        0 => ethernet(0x0806, &[0; 28]),
        1 => vec![9; 9],
        2 => ethernet(0x86dd, &ipv6(17, &udp(1000 + port, 53, &vec![0; size]))),
        3 => ethernet(0x0800, &ipv4(there, here, 1, &[3, 3, 0, 0, 0, 0, 0, 0])),
        4 => ethernet(0x0800, &ipv4(here, there, 47, &vec![0; size])),
        5 => ethernet(0x0800, &ipv4(here, there, 6, &segment(0x18).bytes(&Hello::default().record()))),
        6 => ethernet(0x0800, &ipv4(here, there, 6, &segment(2).bytes(&[]))),
        7 => ethernet(0x0800, &ipv4(here, there, 6, &segment(4).bytes(&[]))),
        8 => ethernet(0x0800, &ipv4(there, here, 17, &udp(53, 1000 + port, &vec![0xc0; size]))),
        _ => ethernet(0x0800, &ipv4(here, there, 17, &udp(1000 + port, 9, &vec![0; size]))),
    }
}

fn assert_windows_sum(summary: &Summary) {
    let windows = summary.windows.as_ref().unwrap();
    assert_eq!(sum(windows.iter().map(|window| window.count)), summary.count);
    let mut whole = parts(&summary.mix);
    whole.sort();
    assert_eq!(summed(windows), whole);
    for window in windows {
        for list in [&window.top.top_sources, &window.top.top_destinations] {
            assert!(list.len() <= 10);
            assert!(list.windows(2).all(|pair| pair[0].count.bytes >= pair[1].count.bytes));
            assert!(sum(list.iter().map(|row| row.count)).bytes <= window.count.bytes);
        }
        assert!(sum(window.top.top_flows.iter().map(|row| row.count)).bytes <= window.count.bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn windows_sum_to_the_whole_whatever_comes_and_however_small_the_table(
        packets in proptest::collection::vec((0u64..900_000_000, 0u8..11, 0u8..9, 0u16..9, 0usize..90, 0u32..3), 1..300),
        most in 16u32..64,
        seconds in 1u32..20,
    ) {
        let mut time = 1_700_000_000_000_000_000;
        let mut frames = Vec::new();
        for (gap, kind, host, port, size, cut) in packets {
            time += gap;
            let data = frame(kind, host, port, size);
            let wire_length = u32::try_from(data.len()).unwrap();
            let kept = if cut == 0 { data.len().min(50) } else { data.len() };
            frames.push((time, wire_length, data[..kept].to_vec()));
        }
        let bytes: u64 = frames.iter().map(|(_, wire_length, _)| u64::from(*wire_length)).sum();
        let (most, seconds) = (most.to_string(), seconds.to_string());
        let summary = replayed(&pcap(&frames), &["--windows", &seconds, "--max-flows", &most]);
        prop_assert_eq!(summary.count, Count { packets: frames.len() as u64, bytes });
        let mix = &summary.mix;
        let network = sum([mix.network.ipv4, mix.network.ipv6, mix.network.arp, mix.network.other]);
        let rest = summary.malformed + summary.cut_before_network;
        prop_assert_eq!(network.packets + rest, summary.count.packets);
        let transport = &mix.transport;
        let transports =
            [transport.tcp, transport.udp, transport.icmp, transport.icmpv6, transport.sctp, transport.other];
        prop_assert_eq!(sum(transports), sum([mix.network.ipv4, mix.network.ipv6]));
        assert_windows_sum(&summary);
    }
}

#[test]
fn windows_are_aligned_and_empty_ones_are_listed() {
    let datagram = |time: u64| (time * 1_000_000_000, 50, frame(9, 1, 1, 8));
    let summary = replayed(&pcap(&[datagram(1_700_000_003), datagram(1_700_000_024)]), &["--windows", "5"]);
    let windows = summary.windows.as_ref().unwrap();
    let starts: Vec<_> = windows.iter().map(|window| &window.start[17..19]).collect();
    assert_eq!(starts, ["20", "25", "30", "35", "40"]);
    assert_eq!(windows.iter().map(|window| window.count.packets).collect::<Vec<_>>(), [1, 0, 0, 0, 1]);
    assert_windows_sum(&summary);
}

#[test]
fn a_stamp_that_steps_back_counts_in_the_open_window_and_shows_in_the_first_time() {
    let datagram = |time: u64| (time * 1_000_000_000, 50, frame(9, 1, 1, 8));
    let times = [1_700_000_013, 1_700_000_001, 1_700_000_014].map(datagram);
    let summary = replayed(&pcap(&times), &["--windows", "10"]);
    assert_eq!(summary.first_time.as_deref(), Some("2023-11-14T22:13:21.000000000Z"));
    assert_eq!(summary.last_time.as_deref(), Some("2023-11-14T22:13:34.000000000Z"));
    assert!((summary.duration_seconds - 13.0).abs() < 1e-9);
    assert_eq!(summary.windows.as_ref().map(Vec::len), Some(1));
    assert_windows_sum(&summary);
}

#[test]
fn a_file_without_a_packet_has_every_key() {
    let summary = replayed(&pcap(&[]), &[]);
    let object = serde_json::to_value(&summary).unwrap();
    for key in [
        "packets",
        "network",
        "transport",
        "application",
        "tcp_flags",
        "flows",
        "top_flows",
        "names",
        "alerts",
    ] {
        assert!(object.get(key).is_some(), "{key}");
    }
    assert_eq!(object["link_type"], "EN10MB");
    assert!(object["first_time"].is_null() && object.get("windows").is_none());
}

#[test]
fn evicted_flows_and_hosts_are_counted_and_one_that_comes_back_counts_again() {
    let frames: Vec<_> = (0..3)
        .flat_map(|_| 0..200u8)
        .map(|host| (1_700_000_000_000_000_000, 50, frame(9, host, u16::from(host), 8)))
        .collect();
    let summary = replayed(&pcap(&frames), &["--max-flows", "16"]);
    assert_eq!((summary.flows.udp, summary.flows_evicted), (600, 584));
    assert!(
        summary.hosts_evicted > 0 && summary.hosts > 201,
        "{} of {}",
        summary.hosts_evicted,
        summary.hosts
    );
    let summary = replayed(&pcap(&frames), &[]);
    assert_eq!(
        (summary.flows.udp, summary.flows_evicted, summary.hosts, summary.hosts_evicted),
        (200, 0, 201, 0)
    );
    assert_eq!(sum(summary.top.top_flows.iter().map(|row| row.count)).packets, 30);
}

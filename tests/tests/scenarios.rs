//! The scenarios of known traffic, held against the kernel's own counters: a scorecard is worth what its truth is worth.
use serde_json::Value;
use weir_tests::lab::Lab;
use weir_tests::network::Counters;
use weir_tests::program::must;
use weir_tests::scenario::{Amount, Ground, Moved};

/// Ethernet, the longest headers of IP and TCP that occur here.
const MOST_HEADERS: u64 = 14 + 40 + 60;
/// Frames that are nobody's: neighbour discovery and the like.
const STRAY_FRAMES: u64 = 20;

/// The longest segment of TCP on loopback, whose MTU is 65,536.
const LONGEST_SEGMENT: u64 = 65_536;

/// TCP segments that either machine sent again: they move no new byte, but the interface counts them (`RetransSegs` of
/// RFC 4022, in proc_net_snmp's two lines of names and of numbers).
fn sent_again(lab: &Lab) -> u64 {
    let of = |machine: &str| {
        let text = must(&format!("ip netns exec {machine} cat /proc/net/snmp"));
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
        let (names, numbers) = (lines.next().expect("names"), lines.next().expect("numbers"));
        let pairs = names.split_whitespace().zip(numbers.split_whitespace());
        let found = pairs.into_iter().find(|(name, _)| *name == "RetransSegs");
        found.and_then(|(_, number)| number.parse::<u64>().ok()).expect("RetransSegs")
    };
    of(&lab.network.monitored) + of(&lab.network.sender)
}

/// Both directions of an interface of the monitored machine. On loopback what is sent is what is received.
fn counters(lab: &Lab, scenario: &str) -> Counters {
    if scenario != "loopback" {
        return lab.network.counters();
    }
    let text = must(&format!("ip -n {} -j -s link show lo", lab.network.monitored));
    let list: Value = serde_json::from_str(&text).expect("what ip says");
    let number = |what: &str| list[0]["stats64"]["tx"][what].as_u64().expect("a counter");
    Counters { tx_bytes: number("bytes"), tx_packets: number("packets"), ..Counters::default() }
}

fn check(scenario: &str, moved: Moved, (before, after): (Counters, Counters), again: u64) {
    let (bytes, packets) = (after.bytes_since(&before), after.packets_since(&before));
    let payload = moved.payload();
    assert!(payload > 0, "{scenario} moved nothing");
    assert!(bytes >= payload, "{scenario} says {payload} bytes, the kernel saw {bytes}");
    // segmentation offload makes few frames of many segments, so headers are counted by frames
    let most = payload + (packets + STRAY_FRAMES) * MOST_HEADERS + again * LONGEST_SEGMENT;
    assert!(bytes <= most, "{scenario} says {payload} bytes, the kernel saw {bytes} in {packets} packets");
    assert!(packets >= moved.frames, "{scenario} says {} frames, the kernel saw {packets}", moved.frames);
}

#[test]
fn every_scenario_moves_the_bytes_that_it_reports() {
    let lab = Lab::new();
    let mut ground = Ground::new(&lab.network, lab.folder());
    let scenarios = ground.scenarios();
    assert_eq!(scenarios.len(), 24, "{scenarios:?}");
    let mut unavailable = Vec::new();
    for (scenario, _) in &scenarios {
        let (before, again) = (counters(&lab, scenario), sent_again(&lab));
        match ground.run(scenario, Amount::Glimpse) {
            Ok(moved) => {
                check(scenario, moved, (before, counters(&lab, scenario)), sent_again(&lab) - again);
            }
            Err(reason) => unavailable.push(format!("{scenario} ({reason})")),
        }
    }
    println!("not possible on this kernel: {}", unavailable.join(", "));
    assert!(unavailable.len() <= 3, "{unavailable:?}");
    assert!(ground.stands(), "a far end ended early");
}

#[test]
fn what_the_far_end_answers_is_counted_too() {
    let lab = Lab::new();
    let ground = Ground::new(&lab.network, lab.folder());
    for scenario in ["tcp-download", "udp", "icmp", "raw-ip", "recvmmsg", "container"] {
        let moved =
            ground.run(scenario, Amount::Glimpse).unwrap_or_else(|reason| panic!("{scenario}: {reason}"));
        assert!(moved.received >= 40_000, "{scenario}: {moved:?}");
    }
}

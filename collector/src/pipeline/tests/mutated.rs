//! Captures of every kind of traffic with bytes changed: whatever comes in, nothing panics and the sums hold.
use weir_bench::generate::{Mix, Options, generate};

use super::*;

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// Frames of a capture in memory: time, wire length, where.
fn frames(capture: &[u8]) -> Vec<(u64, u32, std::ops::Range<usize>)> {
    let mut at = 24;
    let mut frames = Vec::new();
    while at < capture.len() {
        let [seconds, micros, length, wire] = [0, 4, 8, 12]
            .map(|field| u32::from_le_bytes(capture[at + field..at + field + 4].try_into().unwrap()));
        let start = at + 16;
        at = start + length as usize;
        let time = u64::from(seconds) * SECOND + u64::from(micros) * 1000;
        frames.push((time, wire, start..at));
    }
    frames
}

fn run(link_type: i32, capture: &[u8], frames: &[(u64, u32, std::ops::Range<usize>)]) {
    let settings = Settings { max_flows: 64, window: Duration::from_millis(2), ..Settings::default() };
    let mut pipeline = Pipeline::new(link_type, OwnAddresses::default(), settings).unwrap();
    let (mut told, mut untold) = (0, 0);
    let mut take = |pipeline: &mut Pipeline| {
        pipeline.tell_all();
        while let Some(record) = pipeline.take(50) {
            let TrafficRecord::Flows(record) = record else { continue };
            told += record.flows.iter().map(|row| row.forward.packets + row.backward.packets).sum::<u64>();
        }
        untold = pipeline.counters().untold.packets;
    };
    for (number, (time, wire_length, place)) in frames.iter().enumerate() {
        pipeline.packet(Sample { time: *time, wire_length: *wire_length, data: &capture[place.clone()] });
        if number % 100 == 0 {
            take(&mut pipeline);
        }
    }
    take(&mut pipeline);
    let counters = pipeline.counters();
    let [version_4, version_6, arp, other] = counters.network.map(|tally| tally.packets);
    let all = counters.received.packets + counters.sent.packets;
    assert_eq!(all, frames.len() as u64);
    assert_eq!(version_4 + version_6 + arp + other + counters.malformed + counters.cut_before_network, all);
    assert_eq!(
        told + untold,
        version_4 + version_6,
        "every IP packet is told with a row or counted as untold"
    );
}

#[test]
fn captures_with_changed_bytes_neither_panic_nor_lose_a_packet() {
    for (mix, seed) in [(Mix::Default, 1), (Mix::Clean, 2), (Mix::Scan, 3), (Mix::Small, 4)] {
        let mut capture = Vec::new();
        generate(&Options::new(mix, 400, seed), &mut capture).unwrap();
        let frames = frames(&capture);
        run(1, &capture, &frames);
        let mut random = Random(seed);
        for round in 0..200 {
            let mut mutated = capture.clone();
            for (_, _, place) in &frames {
                // headers are hit more often than payload
                let length = if random.below(4) > 0 { place.len().min(70) } else { place.len() };
                for _ in 0..random.below(4) {
                    mutated[place.start + random.below(length)] = random.below(256).try_into().unwrap();
                }
            }
            let link_type = if round % 10 == 0 { [0, 101, 113, 276][random.below(4)] } else { 1 };
            run(link_type, &mutated, &frames);
        }
    }
}

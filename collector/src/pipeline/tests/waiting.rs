//! What is told of owners and what waits are together what they moved.
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::flows::record::{Match, OwnerMark};

/// By owner: what its sockets sent.
type Sent = BTreeMap<u32, Tally>;

fn add(sums: &mut Sent, mark: OwnerMark, tally: Tally) {
    if mark.quality != Match::None && !tally.is_zero() {
        sums.entry(mark.owner).or_default().add(tally);
    }
}

/// As a reader knows it.
#[derive(Default)]
struct Known {
    told: Sent,
    waits: Sent,
}

impl Known {
    fn tell(&mut self, mark: OwnerMark, tally: Tally) {
        add(&mut self.told, mark, tally);
        if let Some(waits) = self.waits.get_mut(&mark.owner) {
            *waits = waits.since(tally);
        }
    }

    fn take_in(&mut self, record: TrafficRecord) {
        match record {
            TrafficRecord::Flows(record) => {
                for row in record.flows {
                    let [initiator, _] = row.owners;
                    self.tell(initiator, row.forward);
                }
            }
            TrafficRecord::Sums(record) => {
                record.owners.iter().for_each(|(mark, sum)| self.tell(*mark, sum.sent));
            }
            TrafficRecord::Waiting(record) => {
                self.waits.clear();
                record.owners.iter().for_each(|(mark, sum)| add(&mut self.waits, *mark, sum.sent));
            }
            TrafficRecord::WindowEnd(_) => self.waits.clear(),
            TrafficRecord::Totals(_) | TrafficRecord::Names(_) | TrafficRecord::Seconds(_) => {}
        }
    }

    fn all(&self) -> Sent {
        let mut all = self.told.clone();
        for (owner, waits) in &self.waits {
            all.entry(*owner).or_default().add(*waits);
        }
        all
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn mark(owner: u64) -> OwnerMark {
    OwnerMark { owner: u32::try_from(owner).unwrap() + 16, quality: Match::Exact, passes: false }
}

/// Programs that send, each from its ports, and some that take others' over.
struct Senders {
    talk: Talk,
    random: Random,
    owners: u64,
    /// By port.
    holders: BTreeMap<u16, OwnerMark>,
    truth: Sent,
}

impl Senders {
    fn send(&mut self, port: u64) {
        let port = u16::try_from(port).unwrap();
        let payload = vec![0; usize::try_from(self.random.below(1_000)).unwrap()];
        self.talk.ports.0 = port;
        self.talk.datagram(true, &payload);
        for slot in self.talk.pipeline.take_new_flows() {
            self.hold(slot);
        }
        add(&mut self.truth, self.holders[&port], Tally { packets: 1, bytes: 42 + payload.len() as u64 });
    }

    fn hold(&mut self, slot: u32) {
        let Some(key) = self.talk.pipeline.key_of(slot) else { return };
        let low = key.low().0 == std::net::IpAddr::from(CLIENT);
        let port = if low { key.low().1 } else { key.high().1 };
        let holder = mark(self.random.below(self.owners));
        self.talk.pipeline.set_owner(slot, low, holder);
        self.holders.insert(port, holder);
    }
}

/// What is told of owners, and waits, at the end of each second is what they have moved.
fn is_the_truth(seed: u64, flows: u64, owners: u64, between_changes: u64) {
    let mut talk = Talk::new(9999);
    talk.pipeline.watch_new_flows();
    let (random, holders) = (Random(seed), BTreeMap::new());
    let mut senders = Senders { talk, random, owners, holders, truth: Sent::new() };
    let mut known = Known::default();
    for second in 0..24u64 {
        senders.talk.time = START + second * SECOND;
        for packet in 0..flows + flows / 4 {
            let port = 1 + senders.random.below(flows);
            senders.send(port);
            if packet % between_changes == 0 {
                let slot = senders.random.below(flows);
                senders.hold(u32::try_from(slot).unwrap());
            }
            if packet % 997 == 0
                && let Some(record) = senders.talk.pipeline.take(50)
            {
                known.take_in(record);
            }
        }
        senders.talk.pipeline.reached(START + (second + 1) * SECOND);
        while let Some(record) = senders.talk.pipeline.take(4_096) {
            known.take_in(record);
        }
        assert_eq!(&known.all(), &senders.truth, "second {second}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_is_told_and_what_waits_are_the_truth_in_every_second(
        seed in any::<u64>(),
        flows in 500u64..6_000,
        owners in 1u64..6,
        between_changes in 1u64..900,
    ) {
        is_the_truth(seed, flows, owners, between_changes);
    }
}

#[test]
fn what_waits_is_told_where_the_last_record_of_a_second_was_just_full() {
    is_the_truth(8_781_792_629_173_363_143, 5_494, 4, 67);
}

/// So many datagrams, each of a flow of its own, in each of the seconds; how many records say what waits.
fn said(mut talk: Talk, flows: u16, seconds: u64) -> usize {
    let mut said = 0;
    for second in 0..seconds {
        talk.time = START + second * SECOND;
        for port in 1..=flows {
            talk.ports.0 = port;
            talk.datagram(true, &[]);
            for slot in talk.pipeline.take_new_flows() {
                talk.pipeline.set_owner(slot, true, mark(1));
                talk.pipeline.set_owner(slot, false, mark(1));
            }
        }
        talk.pipeline.reached(START + (second + 1) * SECOND);
        let records = std::iter::from_fn(|| talk.pipeline.take(4_096));
        said += records.filter(|record| matches!(record, TrafficRecord::Waiting(_))).count();
        assert!(!talk.pipeline.has_news());
    }
    said
}

#[test]
fn without_owners_and_of_files_nothing_is_said_of_what_waits() {
    assert_eq!(said(Talk::new(9999), 5_000, 9), 0);
    let mut file = Talk::with(Settings { mode: Mode::File, ..Settings::default() }, 9999);
    file.pipeline.watch_new_flows();
    assert_eq!(said(file, 5_000, 9), 0);
    let mut live = Talk::new(9999);
    live.pipeline.watch_new_flows();
    assert!(said(live, 5_000, 9) >= 7);
}

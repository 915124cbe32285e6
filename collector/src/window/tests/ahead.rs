//! Owners with more flows than are told each second, and what they move in each.
use std::collections::BTreeMap;

use super::forwarded::Numbers;
use super::*;
use crate::attribution::OwnerId;
use crate::flows::record::{Match, OwnerMark};
use crate::window::owner_lists::OwnerQuery;

const HERE: [u8; 4] = [10, 0, 0, 1];
const THERE: [u8; 4] = [198, 51, 100, 7];
const MANY: u32 = 7;
const FEW: u32 = 8;

pub(super) fn mark(owner: u32) -> OwnerMark {
    OwnerMark { owner, quality: Match::Exact, passes: false }
}

/// Windows of ten seconds, and what was moved in the second so far.
struct Second {
    pipeline: Pipeline,
    traffic: Traffic,
    number: u64,
    moved: BTreeMap<OwnerId, RxTx>,
    /// Records in which growth waited.
    waiting: usize,
}

impl Second {
    fn new() -> Self {
        let own = OwnAddresses::new(vec![HERE.into()], None);
        let mut pipeline = Pipeline::new(1, own, PipelineSettings::default()).unwrap();
        pipeline.watch_new_flows();
        let mut traffic = Traffic::new(Settings::default());
        traffic.interface_opened(1, "eth0", COUNTED);
        for number in [MANY, FEW] {
            traffic.owner_told(number, owner(number));
        }
        Self { pipeline, traffic, number: 0, moved: BTreeMap::new(), waiting: 0 }
    }

    /// From a port of this machine, whose owner is the one given; so many bytes.
    fn send(&mut self, port: u16, size: u32, number: u32) {
        self.between((HERE, THERE), port, size, mark(number));
        let sent = &mut self.moved.entry(owner(number)).or_default().tx;
        *sent += Count { packets: 1, bytes: u64::from(size) };
    }

    fn between(&mut self, (from, to): ([u8; 4], [u8; 4]), port: u16, size: u32, sender: OwnerMark) {
        let data = datagram(from, to, port, 58);
        let time = START + self.number * SECOND;
        self.pipeline.packet(Sample { time, wire_length: size, data: &data });
        for slot in self.pipeline.take_new_flows() {
            self.pipeline.set_owner(slot, from < to, sender);
        }
    }

    fn tell(&mut self, most_records: usize) {
        for _ in 0..most_records {
            let Some(record) = self.pipeline.take(4_096) else { return };
            let encoded = postcard::to_stdvec(&record).unwrap();
            assert!(encoded.len() < 60_000, "{} bytes", encoded.len());
            self.waiting += usize::from(matches!(record, TrafficRecord::Waiting(_)));
            self.traffic.apply(1, postcard::from_bytes(&encoded).unwrap(), &Nobody).unwrap();
        }
    }

    /// What each owner has moved by the live figures, and in truth.
    fn end(&mut self) -> [BTreeMap<OwnerId, RxTx>; 2] {
        self.number += 1;
        self.pipeline.reached(START + self.number * SECOND);
        self.tell(usize::MAX);
        let recent = self.traffic.take_recent(1).into_iter().collect();
        [recent, std::mem::take(&mut self.moved)]
    }

    /// By the live list.
    fn rate(&self, number: u32) -> RxTx {
        let rows = self.traffic.live_owners("eth0", 9, &Numbers).list.rows;
        let row = rows.iter().find(|row| row.owner.pid == Some(owner(number).0));
        row.map(|row| row.per_second).unwrap_or_default()
    }
}

fn owner(number: u32) -> OwnerId {
    OwnerId(number + 20)
}

fn size(port: u16, second: u64) -> u32 {
    100 + (u32::from(port) * 31 + u32::try_from(second).unwrap() * 17) % 1_000
}

#[test]
fn an_owners_rate_is_true_in_every_second_with_any_number_of_flows() {
    for flows in [6_000, 20_000] {
        let mut second = Second::new();
        for number in 0..30 {
            for port in 0..flows {
                second.send(port, size(port, number), MANY);
            }
            for port in 0..3 {
                second.send(60_000 + port, 5_000, FEW);
            }
            let [recent, truth] = second.end();
            assert_eq!(recent, truth, "{flows} flows in second {number}");
            for (owner, number) in [(MANY, number), (FEW, number)].into_iter().filter(|_| number >= 8) {
                let (rate, moved) = (second.rate(owner).tx.bytes, truth[&self::owner(owner)].tx.bytes);
                let off = rate.abs_diff(moved) * 100;
                assert!(off <= 2 * moved, "{rate} and not {moved}, owner {owner}, second {number}");
            }
            if number % 10 == 9 {
                assert_sums(&second.traffic.take_closed().unwrap().interfaces[0]);
            }
        }
        assert!(second.waiting >= 24, "nothing waited");
        let query = OwnerQuery { interface: "", search: "", of_session: false, rows: 9 };
        let since_start: Vec<_> = second.traffic.owners(&query, &Numbers).rows;
        let bytes: Vec<u64> = since_start.iter().map(|row| row.traffic.tx.bytes).collect();
        let truth: u64 = (0..30).flat_map(|n| (0..flows).map(move |port| u64::from(size(port, n)))).sum();
        assert_eq!(bytes, [truth, 30 * 3 * 5_000]);
    }
}

#[test]
fn a_program_that_opens_flows_faster_than_they_are_told_has_its_true_rate() {
    let mut second = Second::new();
    for number in 0..12u16 {
        for flow in 0..5_000u16 {
            second.send(number * 5_000 + flow, 200, MANY);
            if flow % 500 == 0 {
                second.tell(3); // as much as a worker tells while it is busy
            }
        }
        second.number += 1;
        second.pipeline.reached(START + second.number * SECOND);
        let ends_window = number == 9;
        second.tell(if ends_window { usize::MAX } else { 4 });
        let recent = second.traffic.take_recent(1);
        assert_eq!(recent[&owner(MANY)].tx.bytes, 5_000 * 200, "second {number}");
    }
    assert!(second.waiting >= 9, "all was told");
}

#[test]
fn what_waits_of_a_flow_that_another_program_takes_over_stays_with_the_one_before() {
    let mut second = Second::new();
    for number in 0..25 {
        for port in 0..5_000 {
            let owner = if port < 100 && number >= 15 { FEW } else { MANY };
            if port < 100 && number == 15 {
                let key = |slot: &u32| second.pipeline.key_of(*slot).is_some_and(|key| key.low().1 == port);
                let slot = (0..5_000).find(key).unwrap();
                second.pipeline.set_owner(slot, true, mark(FEW));
            }
            second.send(port, size(port, number), owner);
        }
        let [recent, truth] = second.end();
        assert_eq!(recent, truth, "second {number}");
    }
}

#[test]
fn both_ends_of_local_flows_have_their_part_of_what_waits() {
    let mut second = Second::new();
    for number in 0..12 {
        for port in 0..5_000 {
            second.between((HERE, HERE), port, size(port, number), OwnerMark::default());
        }
        if number == 0 {
            // the lower port is the key's low end: of 9999 and the sender's
            for slot in 0..5_000 {
                let sends = second.pipeline.key_of(slot).unwrap().low().1 != 9_999;
                second.pipeline.set_owner(slot, sends, mark(MANY));
                second.pipeline.set_owner(slot, !sends, mark(FEW));
            }
        }
        let moved: u64 = (0..5_000).map(|port| u64::from(size(port, number))).sum();
        let [recent, _] = second.end();
        let expected = [(MANY, 0, moved), (FEW, moved, 0)];
        for (number, received, sent) in expected {
            let moved = recent[&owner(number)];
            assert_eq!((moved.rx.bytes, moved.tx.bytes), (received, sent), "of {number}");
        }
    }
}

#[test]
fn what_passes_and_counts_elsewhere_is_not_its_owners_here_also_while_it_waits() {
    let mut second = Second::new();
    let passes = OwnerMark { passes: true, ..mark(MANY) };
    for number in 0..12 {
        let mut moved = 0;
        for port in 0..5_000 {
            second.between((HERE, THERE), port, size(port, number), passes);
            moved += u64::from(size(port, number));
        }
        let [recent, _] = second.end();
        let bytes: Vec<_> = recent.iter().map(|(owner, moved)| (*owner, moved.tx.bytes)).collect();
        assert_eq!(bytes, [(OwnerId::FORWARDED, moved)], "second {number}");
    }
}

#[test]
fn a_container_behind_this_machine_has_its_true_rate_on_the_interface_that_leads_to_it() {
    let mut second = Second::new();
    second.pipeline.set_own(OwnAddresses::new(vec![HERE.into()], Some([2, 0, 0, 0, 0, 1])));
    for number in 0..12 {
        let (mut moved, mut passed) = (0, 0);
        for port in 0..5_000 {
            second.between(([10, 0, 5, 2], THERE), port, size(port, number), mark(MANY));
            moved += u64::from(size(port, number));
            second.between(([10, 0, 5, 3], THERE), port, size(port, number) / 2, OwnerMark::default());
            passed += u64::from(size(port, number) / 2);
        }
        let [recent, _] = second.end();
        assert_eq!(recent[&owner(MANY)].tx.bytes, moved, "second {number}");
        assert_eq!(recent[&OwnerId::FORWARDED].rx.bytes, passed, "of nobody known, second {number}");
    }
}

#[test]
fn where_growth_goes_on_while_it_is_told_nothing_counts_twice() {
    let mut second = Second::new();
    let (mut live, mut truth) = (0, 0);
    for number in 0..40 {
        for port in 0..6_000 {
            second.send(port, size(port, number), MANY);
            if port % 1_500 == 0 {
                second.tell(1); // the socket has no room for more
            }
        }
        truth += second.moved[&owner(MANY)].tx.bytes;
        let now = second.moved[&owner(MANY)].tx.bytes;
        second.moved.clear();
        second.number += 1;
        second.pipeline.reached(START + second.number * SECOND);
        second.tell(if number % 3 == 0 { 2 } else { usize::MAX });
        let recent = second.traffic.take_recent(1);
        let recent = recent.get(&owner(MANY)).map_or(0, |moved| moved.tx.bytes);
        live += recent;
        assert!(live <= truth && recent <= 3 * now, "{recent} in second {number}, {live} of {truth}");
    }
    second.end();
    assert!(truth - live <= truth / 20, "{live} of {truth}");
}

#[test]
fn what_waits_is_told_only_where_there_are_more_flows_than_turns() {
    let mut second = Second::new();
    for number in 0..25 {
        for port in 0..2_000 {
            second.send(port, size(port, number), MANY);
            if number == 0 && port % 200 == 0 {
                second.tell(usize::MAX);
            }
        }
        let [recent, truth] = second.end();
        assert_eq!(recent, truth);
    }
    assert_eq!(second.waiting, 0);
}

#[test]
fn at_a_windows_end_rates_do_not_wait_for_all_of_it_to_be_told() {
    let mut second = Second::new();
    for number in 0..30 {
        for port in 0..12_000 {
            second.send(port, size(port, number), MANY);
        }
        if number % 10 != 9 {
            second.end();
            continue;
        }
        second.number += 1;
        second.pipeline.reached(START + second.number * SECOND);
        second.tell(5);
        let recent = second.traffic.take_recent(1)[&owner(MANY)];
        assert_eq!(recent, second.moved.remove(&owner(MANY)).unwrap(), "window {}", number / 10);
        second.tell(usize::MAX);
        let later = second.traffic.take_recent(1).values().map(|moved| moved.tx.bytes).sum::<u64>();
        assert_eq!(later, 0, "it was told twice");
    }
}

#[test]
fn a_rate_is_of_whole_seconds_also_while_the_flows_of_the_next_are_told() {
    let mut second = Second::new();
    for number in 0..20u16 {
        for flow in 0..500 {
            second.send(number * 500 + flow, 1_000, MANY);
            if flow % 50 == 0 {
                second.tell(usize::MAX);
                let rate = second.rate(MANY).tx.bytes;
                assert!(number < 9 || rate.abs_diff(500_000) <= 10_000, "{rate} in second {number}");
            }
        }
        let [recent, truth] = second.end();
        assert_eq!(recent, truth);
    }
    second.end();
    assert!(second.rate(MANY).tx.bytes < 300_000, "it has stopped");
}

//! Packets and news merged, without a kernel: what the collector would be told.
use std::collections::BTreeMap;
use std::time::Duration;

use super::event::tests::{framed, told, translated};
use super::event::{Event, How};
use super::frames::FramesRow;
use super::*;
use crate::flows::own::OwnAddresses;
use crate::flows::record::{FlowNews, Match, Tally, TrafficRecord};
use crate::frames::{ethernet, ipv4, udp};
use crate::pipeline::{Pipeline, Sample, Settings};
use crate::worker::timeline::{Clocks, Timeline};

const HERE: u64 = 1;
const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;
const US: (u8, &str, &str) = (17, "10.0.0.1:1000", "10.0.0.2:53");

struct Worker {
    owners: Owners,
    pipeline: Pipeline,
    timeline: Timeline,
    cursor: Cursor,
    /// Bytes by the initiator's owner; 0: nobody's yet.
    bytes: BTreeMap<u32, u64>,
    quality: Match,
    passes: bool,
}

/// Milliseconds since boot.
fn clocks(at: u64) -> Clocks {
    let boot = i64::try_from(at * 1_000_000).unwrap();
    Clocks { wall: START + boot, boot }
}

impl Worker {
    fn new() -> Self {
        let own = OwnAddresses::new(vec![[10, 0, 0, 1].into()], None);
        let settings = Settings { window: Duration::from_secs(100), ..Settings::default() };
        let mut pipeline = Pipeline::new(1, own, settings).unwrap();
        let owners = Owners::of(HERE);
        let cursor = owners.cursor(&mut pipeline);
        let timeline = Timeline::new(clocks(0));
        Self {
            owners,
            pipeline,
            timeline,
            cursor,
            bytes: BTreeMap::new(),
            quality: Match::None,
            passes: false,
        }
    }

    /// At so many milliseconds; the pid is what to expect.
    fn news(&mut self, at: u64, how: How, pid: u32, tuple: Option<(u8, &str, &str)>) {
        let bytes = told((at * 1_000_000, how, 7), (u64::from(pid), HERE), (pid, "x"), tuple);
        self.owners.take(vec![Event::read(&bytes).unwrap()]);
    }

    /// Packets of 100 bytes that were sent at these times, read together, as a ring hands them over.
    fn packets(&mut self, times: &[u64]) {
        let Self { owners, pipeline, timeline, cursor, .. } = self;
        owners.look_ahead(cursor, timeline);
        let frame = ethernet(0x0800, &ipv4([10, 0, 0, 1], [10, 0, 0, 2], 17, &udp(1000, 53, &[0; 58])));
        assert_eq!(frame.len(), 100);
        for at in times {
            let stamp = u64::try_from(START).unwrap() + at * 1_000_000;
            if cursor.is_due(stamp) {
                owners.follow(cursor, &mut Flows { pipeline, timeline }, stamp);
            }
            pipeline.packet(Sample { time: timeline.at(stamp), wire_length: 100, data: &frame });
        }
        owners.name_new(cursor, &mut Flows { pipeline, timeline });
    }

    fn tick(&mut self, at: u64) {
        self.timeline.advance(clocks(at));
        let Self { owners, pipeline, timeline, cursor, .. } = self;
        owners.settle(cursor, &mut Flows { pipeline, timeline });
        owners.tick(timeline.now(), Some(cursor.next()));
        self.pipeline.tell_all();
        while let Some(record) = self.pipeline.take(100) {
            if let TrafficRecord::Flows(record) = record {
                record.flows.iter().for_each(|row| self.credit(row));
            }
        }
    }

    fn credit(&mut self, row: &FlowNews) {
        let [mark, _] = row.owners;
        *self.bytes.entry(mark.owner).or_default() += row.forward.bytes;
        (self.quality, self.passes) = (mark.quality, mark.passes);
        if mark.owner != 0 {
            let before = self.bytes.remove(&0).unwrap_or(0);
            *self.bytes.entry(mark.owner).or_default() += before;
        }
    }

    fn loss(&mut self) -> Option<Record> {
        let mut records = std::iter::from_fn(|| self.owners.take_record());
        records.find(|record| !matches!(record, Record::Owners(_)))
    }

    /// Bytes by pid.
    fn credited(&mut self) -> Vec<(u32, u64)> {
        let mut pids = BTreeMap::new();
        while let Some(Record::Owners(owners)) = self.owners.take_record() {
            pids.extend(owners.into_iter().map(|owner| (owner.number, owner.pid)));
        }
        self.bytes.iter().map(|(number, bytes)| (pids.get(number).copied().unwrap_or(0), *bytes)).collect()
    }
}

#[test]
fn news_before_the_first_packet_and_after_it_both_name_the_flow() {
    for news_at in [9, 11] {
        let mut worker = Worker::new();
        worker.timeline.advance(clocks(100));
        worker.news(news_at, How::Sent, 100, Some(US));
        worker.packets(&[10, 12]);
        worker.tick(100);
        assert_eq!(worker.credited(), [(100, 200)]);
        assert_eq!(worker.quality, Match::Exact);
    }
}

#[test]
fn each_packet_is_its_owners_of_that_time_although_all_come_at_once() {
    let mut worker = Worker::new();
    worker.timeline.advance(clocks(100));
    for (turn, pid) in [(10, 100), (20, 101), (30, 102), (40, 103), (50, 104), (60, 105)] {
        worker.news(turn, How::Sent, pid, Some(US));
    }
    worker.packets(&[10, 11, 20, 21, 22, 30, 40, 50, 60, 61]);
    worker.tick(100);
    assert_eq!(worker.credited(), [(100, 200), (101, 300), (102, 100), (103, 100), (104, 100), (105, 200)]);
}

#[test]
fn packets_younger_than_the_last_look_at_the_clock_keep_their_order() {
    let mut worker = Worker::new();
    worker.timeline.advance(clocks(5));
    worker.news(10, How::Sent, 100, Some(US));
    worker.news(20, How::Sent, 101, Some(US));
    worker.packets(&[10, 11, 20]);
    worker.tick(100);
    assert_eq!(worker.credited(), [(100, 200), (101, 100)]);
}

#[test]
fn a_later_owner_takes_nothing_of_what_came_before_late_packets_or_not() {
    let mut worker = Worker::new();
    worker.timeline.advance(clocks(100));
    worker.news(10, How::Sent, 100, Some(US));
    worker.packets(&[10]);
    worker.news(90, How::Sent, 101, Some(US));
    worker.tick(100);
    // stamped before the news and read long after it
    worker.packets(&[80]);
    worker.tick(200);
    worker.packets(&[95]);
    worker.tick(500);
    assert_eq!(worker.credited(), [(100, 200), (101, 100)]);
}

#[test]
fn a_new_flow_is_not_given_to_whoever_had_its_addresses_long_ago() {
    let mut worker = Worker::new();
    worker.news(10, How::Sent, 100, Some(US));
    worker.tick(60_000);
    worker.packets(&[60_000]);
    worker.news(60_001, How::Sent, 101, Some(US));
    worker.tick(60_100);
    worker.tick(60_500);
    assert_eq!(worker.credited(), [(101, 100)]);
}

#[test]
fn a_quiet_socket_that_nothing_new_is_told_of_keeps_its_flow() {
    let mut worker = Worker::new();
    worker.news(10, How::Sent, 100, Some(US));
    worker.tick(60_000);
    worker.packets(&[60_000]);
    worker.tick(60_100);
    worker.tick(60_200);
    assert_eq!(worker.credited(), [(100, 100)]);
}

#[test]
fn a_held_connection_waits_three_seconds_for_whoever_takes_it() {
    let mut worker = Worker::new();
    worker.timeline.advance(clocks(100));
    worker.news(10, How::Listener, 100, Some(US));
    worker.packets(&[10]);
    for at in (200..=3_000).step_by(100) {
        worker.tick(at);
    }
    assert_eq!(worker.bytes, BTreeMap::from([(0, 100)]));
    worker.tick(3_200);
    assert_eq!(worker.credited(), [(100, 100)]);
    assert_eq!(worker.quality, Match::Listener);
}

#[test]
fn who_takes_a_held_connection_takes_all_of_it() {
    let mut worker = Worker::new();
    worker.timeline.advance(clocks(100));
    worker.news(10, How::Listener, 100, Some(US));
    worker.packets(&[10, 20]);
    worker.tick(200);
    // the same socket: its cookie is the master's pid here
    let bytes = told((700_000_000, How::Accepted, 0), (100, HERE), (101, "worker"), None);
    worker.owners.take(vec![Event::read(&bytes).unwrap()]);
    worker.tick(800);
    assert_eq!(worker.credited(), [(101, 200)]);
}

#[test]
fn a_flow_that_nothing_is_told_of_goes_by_its_local_end_unless_news_was_lost() {
    for lost in [0, 1] {
        let mut worker = Worker::new();
        worker.timeline.advance(clocks(100));
        worker.news(5, How::Sent, 100, Some((17, "10.0.0.1:1000", "10.0.0.9:53")));
        worker.owners.unreadable = lost;
        worker.packets(&[100]);
        worker.tick(100);
        worker.tick(400);
        let owner = if lost == 0 { 100 } else { 0 };
        assert_eq!(worker.credited(), [(owner, 100)], "{lost} lost");
    }
}

#[test]
fn the_log_forgets_what_every_interface_has_applied_and_counts_what_it_cannot_hold() {
    let mut worker = Worker::new();
    worker.news(10, How::Sent, 100, Some(US));
    assert_eq!(worker.owners.log.changes.len(), 1);
    worker.tick(1_000);
    assert!(worker.owners.log.changes.is_empty());
    let change = Change {
        time: 1,
        end: End { key: Default::default(), low: true },
        owner: Default::default(),
        foreign: false,
    };
    for _ in 0..=MOST_CHANGES {
        worker.owners.log.push(change);
    }
    assert_eq!((worker.owners.log.changes.len(), worker.owners.lost()), (MOST_CHANGES, 1));
    assert!(worker.owners.has_news());
    worker.tick(2_000);
    let Some(Record::OwnerEventsLost { events: 1 }) = worker.loss() else { panic!("the loss is not told") };
}

#[test]
fn what_the_parent_hands_down_survives_the_command_line() {
    let handed = Handed { events: 5, events_bytes: 4 << 20, control: 6 };
    assert_eq!(Handed::from_argument(&handed.argument()), Some(handed));
    for hostile in ["", "1", "1:2", "1:2:3:4", "a:2:3", "1:-2:3"] {
        assert_eq!(Handed::from_argument(hostile), None, "{hostile}");
    }
}

#[test]
fn frames_of_no_flow_are_told_by_interface_and_program_after_their_names() {
    let mut worker = Worker::new();
    let (arping, elsewhere) = ((100, "arping"), HERE + 1);
    for (interface, namespace, frames) in [(2, HERE, 3), (3, HERE, 1), (2, HERE, 2), (2, elsewhere, 9)] {
        let bytes = framed((1, interface, namespace), frames, arping);
        worker.owners.take(vec![Event::read(&bytes).unwrap()]);
    }
    assert!(worker.owners.has_news());
    let Some(Record::Owners(names)) = worker.owners.take_record() else { panic!("no names") };
    let owner = names[0].number;
    let row =
        |interface, packets| FramesRow { interface, owner, sent: Tally { packets, bytes: packets * 100 } };
    let Some(Record::Frames(rows)) = worker.owners.take_record() else { panic!("no frames") };
    assert_eq!((names[0].pid, rows), (100, vec![row(2, 5), row(3, 1)]));
    assert!(!worker.owners.has_news());
}

#[test]
fn a_container_is_credited_with_what_leaves_with_our_address_also_where_that_passes_on() {
    for is_seen in [false, true] {
        let mut worker = Worker::new();
        let inside = ("10.0.9.2:1000", "10.0.0.2:53");
        worker.timeline.advance(clocks(100));
        // a program here has the same port
        worker.news(5, How::Sent, 7, Some((17, "10.0.0.1:1000", "10.0.0.9:53")));
        let bytes =
            told((9_000_000, How::Sent, 7), (100, HERE + 1), (100, "x"), Some((17, inside.0, inside.1)));
        let translation = translated((9_001_000, HERE, false), 17, inside, (US.1, US.2));
        worker.owners.take([bytes, translation].map(|bytes| Event::read(&bytes).unwrap()).into());
        worker.packets(&[10, 12]);
        for at in [100, 300] {
            worker.timeline.advance(clocks(at));
            let looked_for = worker.owners.looked_for(&worker.cursor, worker.timeline.now());
            assert!(at > 100 || looked_for.len() == 1);
            worker.owners.are_seen(looked_for.into_iter().filter(|_| is_seen).collect());
            worker.tick(at);
            // what is seen behind this machine is known at once
            assert!(at > 100 || worker.bytes.contains_key(&0) != is_seen, "{:?}", worker.bytes);
        }
        assert_eq!(worker.credited(), [(100, 200)]);
        assert_eq!((worker.quality, worker.passes), (Match::Exact, is_seen));
    }
}

#[test]
fn what_is_passed_on_for_another_machine_is_not_given_to_who_has_its_port_here() {
    let mut worker = Worker::new();
    worker.timeline.advance(clocks(100));
    worker.news(5, How::Sent, 7, Some((17, "10.0.0.1:1000", "10.0.0.9:53")));
    let translation = translated((9_000_000, HERE, false), 17, ("192.0.2.7:9", "10.0.0.2:53"), (US.1, US.2));
    worker.owners.take(vec![Event::read(&translation).unwrap()]);
    worker.packets(&[10]);
    for at in (100..=3_400).step_by(100) {
        worker.tick(at);
    }
    assert_eq!(worker.quality, Match::Forwarded);
    assert_eq!(worker.bytes, BTreeMap::from([(crate::attribution::OwnerId::FORWARDED.0, 100)]));
}

#[test]
fn frames_of_one_tuple_are_each_senders_in_its_turn_and_nobodys_when_those_are_too_many() {
    let mut worker = Worker::new();
    for (at, how, pid) in [
        (1_000, How::Framed, 11),
        (1_010, How::Framed, 12),
        (1_020, How::Framed, 11),
        (1_030, How::Several, 12),
        (1_040, How::Framed, 12),
    ] {
        worker.news(at, how, pid, Some(US));
    }
    worker.packets(&[1_001, 1_002, 1_011, 1_021, 1_031, 1_032, 1_041]);
    worker.tick(1_042);
    // 0: of no pid
    assert_eq!(worker.credited(), [(11, 300), (12, 200), (0, 200)]);
}

//! Programs that have a port one after the other, as far as looking at it from time to time tells.
use weir_shared::process::MatchQuality::{Exact, Unknown};

use super::*;
use crate::attribution::{OwnerId, PortHold};
use crate::window::OpenEnd;

const FIRST: OwnerId = OwnerId(20);
const SECOND_ONE: OwnerId = OwnerId(21);
const CLOSED: OwnerId = OwnerId(5);

/// What is found at the end after each datagram, and what each then has: the first, the second, nobody.
const TURNS: [(OwnerId, [u64; 3]); 9] = [
    (FIRST, [1, 0, 0]),
    (FIRST, [2, 0, 0]),
    (SECOND_ONE, [2, 0, 1]),
    (SECOND_ONE, [2, 1, 1]),
    (SECOND_ONE, [2, 2, 1]),
    (CLOSED, [2, 2, 2]),
    (FIRST, [2, 2, 3]),
    (FIRST, [3, 2, 3]),
    (CLOSED, [3, 2, 4]),
];

#[test]
fn a_port_is_its_holders_only_between_two_times_that_it_is_found_there() {
    let mut pipeline = pipeline(100);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    let frame = datagram([10, 0, 0, 1], [198, 51, 100, 7], 5353, 100);
    let mut began = 0;
    for (turn, (found, expected)) in (0u64..).zip(TURNS) {
        pipeline.packet(Sample { time: START + turn * 2 * SECOND, wire_length: 142, data: &frame });
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
        let ends = traffic.take_open_ends();
        assert_eq!(ends.len(), 1, "turn {turn}");
        assert!(ends[0].began > began, "a later question must not be taken for the earlier one");
        began = ends[0].began;
        if found == CLOSED {
            traffic.assign(&ends[0], found, Unknown);
        } else {
            traffic.assign_for_now(&ends[0], (found, Exact), None);
        }
        let bytes = |owner| {
            let account = traffic.interfaces["eth0"].owners.get(owner);
            account.map_or(0, |account| account.total.traffic.tx.bytes / 142)
        };
        assert_eq!([FIRST, SECOND_ONE, OwnerId::UNKNOWN].map(bytes), expected, "turn {turn}");
        assert_eq!(traffic.attributed_bytes("eth0"), (expected[0] + expected[1]) * 142);
    }
}

#[test]
fn it_is_looked_for_again_twice_a_second_and_not_while_it_is_looked_for() {
    let mut pipeline = pipeline(100);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    let frame = datagram([10, 0, 0, 1], [198, 51, 100, 7], 5353, 100);
    let mut asked = Vec::new();
    for tenth in 0..40u64 {
        pipeline.packet(Sample { time: START + tenth * SECOND / 10, wire_length: 142, data: &frame });
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
        for end in traffic.take_open_ends() {
            asked.push(tenth);
            if tenth < 20 {
                traffic.assign_for_now(&end, (FIRST, Exact), None);
            }
        }
    }
    assert_eq!(asked, [0, 5, 10, 15, 20], "and the last one was not answered");
}

const TENTH: u64 = SECOND / 10;

/// One unconnected sender; all its datagrams are as long.
struct Story {
    pipeline: Pipeline,
    traffic: Traffic,
    frame: Vec<u8>,
}

impl Story {
    fn new() -> Self {
        let mut traffic = Traffic::new(Settings::default());
        traffic.interface_opened(1, "eth0", COUNTED);
        let frame = datagram([10, 0, 0, 1], [198, 51, 100, 7], 5353, 100);
        Self { pipeline: pipeline(100), traffic, frame }
    }

    /// A row of so many datagrams, the last at this tenth of a second.
    fn send(&mut self, tenth: u64, datagrams: u64) {
        for _ in 0..datagrams {
            let sample = Sample { time: START + tenth * TENTH, wire_length: 142, data: &self.frame };
            self.pipeline.packet(sample);
        }
        tell(&mut self.pipeline, &mut self.traffic, 100, usize::MAX);
    }

    /// Nothing comes until this tenth.
    fn rest(&mut self, tenth: u64) {
        self.pipeline.reached(START + tenth * TENTH);
        tell(&mut self.pipeline, &mut self.traffic, 100, usize::MAX);
    }

    fn asked(&mut self) -> OpenEnd {
        let ends = self.traffic.take_open_ends();
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends[0]
    }

    fn find(&mut self, tenth: u64, owner: OwnerId, socket: u64) {
        self.send(tenth, 1);
        let end = self.asked();
        self.traffic.assign_for_now(&end, (owner, Exact), Some(PortHold::of(socket)));
    }

    /// Datagrams of the first, the second and nobody.
    fn accounts(&self) -> [u64; 3] {
        [FIRST, SECOND_ONE, OwnerId::UNKNOWN].map(|owner| {
            let account = self.traffic.interfaces["eth0"].owners.get(owner);
            account.map_or(0, |account| account.total.traffic.tx.bytes / 142)
        })
    }
}

#[test]
fn what_comes_while_the_holder_is_looked_for_is_known_the_next_time() {
    let mut story = Story::new();
    story.send(0, 3);
    let asked = story.asked();
    story.send(1, 2);
    story.send(12, 2);
    story.traffic.assign_for_now(&asked, (FIRST, Exact), Some(PortHold::of(7)));
    assert_eq!(story.accounts(), [3, 0, 4], "they may be the next one's");
    story.find(20, FIRST, 7);
    assert_eq!(story.accounts(), [8, 0, 0]);
    assert_eq!(story.traffic.attributed_bytes("eth0"), 8 * 142);
}

#[test]
fn what_came_last_is_the_holders_whose_socket_was_closed_after_it() {
    for (closed, expected) in [(23, [6, 0, 0]), (21, [1, 0, 5])] {
        let mut story = Story::new();
        story.find(20, FIRST, 7);
        story.send(22, 5);
        assert!(story.traffic.take_open_ends().is_empty());
        story.rest(30);
        let end = story.asked();
        assert_eq!(end.hold, Some(PortHold::of(7)));
        story.traffic.assign_until(&end, START + closed * TENTH);
        assert_eq!(story.accounts(), expected);
        story.rest(60);
        assert!(story.traffic.take_open_ends().is_empty(), "nothing is left to know");
        story.find(70, SECOND_ONE, 8);
        story.find(80, SECOND_ONE, 8);
        assert_eq!(story.accounts()[..2], [expected[0], 1], "of the next one's first row nothing is known");
    }
}

#[test]
fn a_program_that_comes_back_with_another_socket_has_not_had_the_port_meanwhile() {
    let mut story = Story::new();
    story.find(10, FIRST, 7);
    story.send(12, 5);
    story.find(20, FIRST, 8);
    assert_eq!(story.accounts(), [1, 0, 6]);
}

#[test]
fn a_row_that_may_have_packets_from_before_is_nobodys() {
    let mut story = Story::new();
    story.find(10, FIRST, 7);
    story.find(20, SECOND_ONE, 8);
    story.send(21, 5);
    story.send(22, 1);
    story.find(30, SECOND_ONE, 8);
    assert_eq!(story.accounts(), [1, 2, 6]);
}

#[test]
fn what_is_told_late_of_a_socket_that_was_closed_is_its_holders_too() {
    let mut story = Story::new();
    story.find(20, FIRST, 7);
    story.send(22, 5);
    story.rest(30);
    let until = START + 33 * TENTH;
    let end = story.asked();
    story.traffic.assign_until(&end, until);
    for (tenth, rest, expected) in [(33, 40, [7, 0, 0]), (46, 60, [7, 0, 1])] {
        story.send(tenth, 1);
        story.rest(rest);
        let end = story.asked();
        assert_eq!(end.hold, Some(PortHold::of(7)));
        story.traffic.assign_until(&end, until);
        assert_eq!(story.accounts(), expected);
    }
}

//! Programs that have a port one after the other, as far as looking at it from time to time tells.
use weir_shared::process::MatchQuality::{Exact, Unknown};

use super::*;
use crate::attribution::OwnerId;

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
            traffic.assign_for_now(&ends[0], found, Exact);
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
                traffic.assign_for_now(&end, FIRST, Exact);
            }
        }
    }
    assert_eq!(asked, [0, 5, 10, 15, 20], "and the last one was not answered");
}

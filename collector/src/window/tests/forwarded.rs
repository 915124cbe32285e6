//! Flows of network namespaces behind this machine.
use super::*;
use crate::attribution::OwnerId;
use crate::flows::key::Key;
use crate::flows::record::{Match, OwnerMark};
use crate::worker::packets::{LineDirection, LineFlow};

const INSIDE: [u8; 4] = [10, 0, 5, 2];
const OUTSIDE: [u8; 4] = [198, 51, 100, 7];

/// A question of 100 bytes and an answer of 300 a step, on the interface that leads inside or the one that leads out;
/// the owner inside is told after the third step. What owners have then: number, received and sent payload.
fn story(leads_inside: bool) -> Vec<(OwnerId, u64, u64)> {
    let (mut pipeline, mut traffic) = behind();
    for step in 0..6u64 {
        step_of(&mut pipeline, &mut traffic, leads_inside, step);
        if step == 2 {
            let slot = pipeline.take_new_flows()[0];
            pipeline.set_owner(slot, true, OwnerMark { owner: 7, quality: Match::Exact, passes: false });
        }
    }
    rows(&traffic)
}

fn behind() -> (Pipeline, Traffic) {
    let own = OwnAddresses::new(vec!["10.0.0.1".parse().unwrap()], Some([2, 0, 0, 0, 0, 1]));
    let mut pipeline = Pipeline::new(1, own, PipelineSettings::default()).unwrap();
    pipeline.watch_new_flows();
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    traffic.owner_told(7, OwnerId(20));
    (pipeline, traffic)
}

fn step_of(pipeline: &mut Pipeline, traffic: &mut Traffic, leads_inside: bool, step: u64) {
    exchange(pipeline, leads_inside, (100, 300), step);
    tell(pipeline, traffic, 100, usize::MAX);
}

fn exchange(pipeline: &mut Pipeline, leads_inside: bool, (asked, answered): (usize, usize), step: u64) {
    let question = datagram(INSIDE, OUTSIDE, 1234, asked);
    let mut answer = datagram(OUTSIDE, INSIDE, 9999, answered);
    answer[36..38].copy_from_slice(&1234u16.to_be_bytes());
    for (mut frame, came_in) in [(question, leads_inside), (answer, !leads_inside)] {
        if !came_in {
            frame[..12].rotate_left(6);
        }
        let wire_length = u32::try_from(frame.len()).unwrap();
        pipeline.packet(Sample { time: START + step * SECOND / 10, wire_length, data: &frame });
    }
}

fn rows(traffic: &Traffic) -> Vec<(OwnerId, u64, u64)> {
    let query =
        super::super::owner_lists::OwnerQuery { interface: "", search: "", of_session: false, rows: 9 };
    let rows = traffic.owners(&query, &Numbers).rows;
    let number = |row: &weir_shared::process::OwnerRow| OwnerId(row.owner.pid.unwrap());
    rows.iter().map(|row| (number(row), row.rx_payload_bytes, row.tx_payload_bytes)).collect()
}

/// Whose pid is its number.
pub(super) struct Numbers;

impl crate::attribution::Directory for Numbers {
    fn owner(&self, id: OwnerId) -> weir_shared::process::Owner {
        weir_shared::process::Owner { pid: Some(id.0), ..Default::default() }
    }

    fn find(&self, _: u32, _: jiff::Timestamp) -> Vec<OwnerId> {
        Vec::new()
    }
}

#[test]
fn a_process_behind_this_machine_has_its_flow_where_it_comes_in() {
    assert_eq!(story(true), [(OwnerId(20), 1_800, 600)]);
}

#[test]
fn where_its_flow_goes_out_it_is_passing_through_so_that_it_counts_once() {
    assert_eq!(story(false), [(OwnerId::FORWARDED, 0, 0)]);
}

#[test]
fn the_end_that_an_interface_leads_to_is_asked_about_once_and_found_takes_what_came_before() {
    for (leads_inside, end) in [(true, (INSIDE, 1234)), (false, (OUTSIDE, 9999))] {
        let (mut pipeline, mut traffic) = behind();
        let mut asked = Vec::new();
        for step in 0..6 {
            step_of(&mut pipeline, &mut traffic, leads_inside, step);
            asked.extend(traffic.take_open_ends());
            if step == 3 {
                traffic.assign(&asked[0], OwnerId(30), weir_shared::process::MatchQuality::Exact);
                assert!(!traffic.is_open(&asked[0]));
            }
        }
        let [asked] = asked.as_slice() else { panic!("{asked:?}") };
        assert!(asked.end.is_forwarded && asked.end.local == (std::net::IpAddr::from(end.0), end.1));
        let moved = if leads_inside { (OwnerId(30), 1_800, 600) } else { (OwnerId(30), 600, 1_800) };
        assert_eq!(rows(&traffic), [moved]);
    }
}

#[test]
fn an_owner_found_after_the_window_has_ended_has_what_its_flow_moved_before() {
    let (mut pipeline, mut traffic) = behind();
    step_of(&mut pipeline, &mut traffic, true, 0);
    let asked = traffic.take_open_ends();
    pipeline.reached(START + 60 * SECOND);
    tell(&mut pipeline, &mut traffic, 100, usize::MAX);
    assert!(traffic.take_closed().is_some());
    traffic.assign(&asked[0], OwnerId(30), weir_shared::process::MatchQuality::Exact);
    assert_eq!(rows(&traffic), [(OwnerId(30), 300, 100)]);
}

#[test]
fn who_is_behind_a_translated_address_is_named_there_and_counts_where_its_own_is_seen() {
    for passes in [false, true] {
        let own = OwnAddresses::new(vec![INSIDE.into()], Some([2, 0, 0, 0, 0, 1]));
        let mut pipeline = Pipeline::new(1, own, PipelineSettings::default()).unwrap();
        pipeline.watch_new_flows();
        let mut traffic = Traffic::new(Settings::default());
        traffic.interface_opened(1, "eth0", COUNTED);
        traffic.owner_told(7, OwnerId(20));
        for step in 0..6u64 {
            step_of(&mut pipeline, &mut traffic, false, step);
            if step == 2 {
                let slot = pipeline.take_new_flows()[0];
                pipeline.set_owner(slot, true, OwnerMark { owner: 7, quality: Match::Exact, passes });
            }
        }
        let owner = if passes { OwnerId::FORWARDED } else { OwnerId(20) };
        assert_eq!(rows(&traffic), [(owner, 1_800, 600)]);
        let key = Key::between(17, (INSIDE.into(), 1234), (OUTSIDE.into(), 9999));
        let slot = pipeline.find_flow(&key).unwrap();
        let line = LineFlow {
            id: 1,
            slot,
            generation: pipeline.generation(slot).unwrap(),
            source: (INSIDE.into(), 1234),
            direction: LineDirection::Forwarded,
        };
        let holders_of = |line| traffic.holders_of(&line).unwrap().map(|held| held.map(|(owner, _)| owner));
        assert_eq!(holders_of(line), [Some(OwnerId(20)), None]);
        assert_eq!(
            holders_of(LineFlow { source: (OUTSIDE.into(), 9999), ..line }),
            [None, Some(OwnerId(20))]
        );
        assert_eq!(traffic.holders_of(&LineFlow { generation: line.generation + 1, ..line }), None);
    }
}

#[test]
fn where_both_sides_move_the_same_the_first_packet_says_where_a_flow_leads() {
    for (leads_inside, owner) in [(true, OwnerId(20)), (false, OwnerId::FORWARDED)] {
        let (mut pipeline, mut traffic) = behind();
        exchange(&mut pipeline, leads_inside, (100, 100), 0);
        let slot = pipeline.take_new_flows()[0];
        pipeline.set_owner(slot, true, OwnerMark { owner: 7, quality: Match::Exact, passes: false });
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
        assert_eq!(rows(&traffic).iter().map(|row| row.0).collect::<Vec<_>>(), [owner]);
    }
}

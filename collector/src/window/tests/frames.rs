//! Frames that programs here send past the IP stack, whatever they bear for addresses.
use super::forwarded::Numbers;
use super::*;
use crate::attribution::OwnerId;
use crate::flows::record::{Match, OwnerMark};

const SENDER: OwnerId = OwnerId(20);

/// One datagram a step that this machine sends between these addresses, and an answer to each where `answered`; who sent
/// them is told after the step `told_after`. What owners have of it in packets received and sent.
fn story(from: [u8; 4], to: [u8; 4], answered: bool, told_after: u64) -> Vec<(OwnerId, u64, u64)> {
    let own = OwnAddresses::new(vec!["10.0.0.1".parse().unwrap()], Some([2, 0, 0, 0, 0, 1]));
    let mut pipeline = Pipeline::new(1, own, PipelineSettings::default()).unwrap();
    pipeline.watch_new_flows();
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    traffic.owner_told(7, SENDER);
    for step in 0..6u64 {
        let mut sent = datagram(from, to, 1234, 100);
        sent[..12].rotate_left(6);
        let mut answer = datagram(to, from, 9999, 200);
        answer[36..38].copy_from_slice(&1234u16.to_be_bytes());
        for frame in [Some(sent), answered.then_some(answer)].into_iter().flatten() {
            let wire_length = u32::try_from(frame.len()).unwrap();
            pipeline.packet(Sample { time: START + step * SECOND / 10, wire_length, data: &frame });
        }
        if step == told_after {
            let slot = pipeline.take_new_flows()[0];
            let mark = OwnerMark { owner: 7, quality: Match::Frames, passes: false };
            let low = pipeline.key_of(slot).unwrap().low().0 == std::net::IpAddr::from(from);
            pipeline.set_owner(slot, low, mark);
        }
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
        assert!(traffic.take_open_ends().iter().all(|end| traffic.is_open(end)));
    }
    rows(&traffic)
}

fn rows(traffic: &Traffic) -> Vec<(OwnerId, u64, u64)> {
    let query =
        super::super::owner_lists::OwnerQuery { interface: "", search: "", of_session: false, rows: 9 };
    let rows = traffic.owners(&query, &Numbers).rows.into_iter();
    rows.map(|row| (OwnerId(row.owner.pid.unwrap()), row.traffic.rx.packets, row.traffic.tx.packets))
        .collect()
}

#[test]
fn a_question_to_everybody_without_an_own_address_is_its_senders() {
    for told_after in [0, 2] {
        assert_eq!(story([0; 4], [255; 4], false, told_after), [(SENDER, 0, 6)], "{told_after}");
    }
}

#[test]
fn frames_in_another_machines_name_are_their_senders_and_so_are_answers() {
    for told_after in [0, 2] {
        assert_eq!(story([10, 9, 9, 9], [198, 51, 100, 7], false, told_after), [(SENDER, 0, 6)]);
    }
    // answers come in where the frames go out
    assert_eq!(story([10, 9, 9, 9], [198, 51, 100, 7], true, 0), [(SENDER, 6, 6)]);
}

#[test]
fn frames_of_no_flow_are_their_senders_up_to_what_was_captured() {
    let mut pipeline = pipeline(16);
    let mut traffic = Traffic::new(Settings::default());
    traffic.interface_opened(1, "eth0", COUNTED);
    traffic.owner_told(7, SENDER);
    pipeline.set_own(OwnAddresses::new(Vec::new(), Some([2, 0, 0, 0, 0, 2])));
    for second in 0..2 {
        for _ in 0..4 {
            pipeline.packet(Sample { time: START + second * SECOND, wire_length: 60, data: &arp() });
        }
        // three of each four; the last of the first window is told too early, and of more bytes than there are
        traffic.frames_sent(1, 7, Tally { packets: 3, bytes: 180 });
        traffic.frames_sent(1, 99, Tally { packets: 1, bytes: 60 });
        pipeline.reached(START + (second + 1) * SECOND);
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
    }
    while let Some(window) = traffic.take_closed() {
        assert_sums(&window.interfaces[0]);
    }
    assert_eq!(rows(&traffic), [(SENDER, 0, 6), (OwnerId::NO_FLOW, 0, 2)]);
    traffic.frames_sent(1, 7, Tally { packets: 5, bytes: 300 });
    pipeline.packet(Sample { time: START + 2 * SECOND, wire_length: 60, data: &arp() });
    for second in 3..6 {
        pipeline.packet(Sample { time: START + second * SECOND, wire_length: 60, data: &arp() });
        tell(&mut pipeline, &mut traffic, 100, usize::MAX);
    }
    // what one window had no room for is the next one's, and no later one's
    assert_eq!(rows(&traffic), [(SENDER, 0, 8), (OwnerId::NO_FLOW, 0, 3)]);
}

//! States, round trips, retransmissions and windows of one connection.
use super::*;

#[test]
fn a_round_trip_is_measured_from_the_syn_to_the_initiators_ack() {
    let mut talk = Talk::new(443);
    talk.segment(true, 999, 2, &[]).after(30 * MILLISECOND).segment(false, 4999, 0x12, &[]);
    talk.after(12 * MILLISECOND).segment(true, 1000, 0x10, &[]);
    talk.after(500 * MILLISECOND).segment(true, 1000, 0x10, &[]);
    assert_eq!(talk.tcp().round_trip_micros, 42_000);
    let counters = talk.pipeline.counters();
    assert_eq!((counters.handshakes, counters.round_trip_micros), (1, 42_000));
}

#[test]
fn the_windows_highest_round_trip_is_its_own() {
    let mut talk = Talk::new(443);
    talk.segment(true, 999, 2, &[]).after(30 * MILLISECOND).segment(false, 4999, 0x12, &[]);
    talk.segment(true, 1000, 0x10, &[]).told();
    talk.pipeline.reached(START + 25 * SECOND);
    talk.told();
    let highest: Vec<_> = talk.windows.iter().map(|window| window.highest_round_trip_micros).collect();
    assert_eq!(highest, [30_000, 0]);
}

#[test]
fn a_handshake_with_a_repeated_segment_is_not_measured() {
    for repeated in [(true, 999, 2), (false, 4999, 0x12)] {
        let mut talk = Talk::new(443);
        talk.segment(true, 999, 2, &[]);
        if !repeated.0 {
            talk.segment(false, 4999, 0x12, &[]);
        }
        talk.after(SECOND).segment(repeated.0, repeated.1, repeated.2, &[]);
        talk.segment(false, 4999, 0x12, &[]).segment(true, 1000, 0x10, &[]);
        assert_eq!(talk.pipeline.counters().handshakes, 0, "{repeated:?}");
        assert_eq!(talk.tcp().round_trip_micros, 0);
    }
}

#[test]
fn a_handshake_that_was_seen_from_its_answer_on_is_not_measured() {
    let mut talk = Talk::new(443);
    talk.segment(false, 4999, 0x12, &[]).after(MILLISECOND).segment(true, 1000, 0x10, &[]);
    assert_eq!((talk.tcp().round_trip_micros, talk.state()), (0, "established"));
    let identity = talk.rows[0].identity.unwrap();
    assert_eq!(
        (identity.initiator_port, identity.responder_port),
        (50_000, 443),
        "the answer's source responds"
    );
}

#[test]
fn states_follow_the_connection() {
    let mut talk = Talk::new(443);
    assert_eq!(talk.segment(true, 999, 2, &[]).state(), "new");
    assert_eq!(talk.segment(false, 4999, 0x12, &[]).state(), "half-open");
    assert_eq!(talk.segment(true, 1000, 0x10, &[]).state(), "established");
    assert_eq!(talk.segment(true, 1000, 0x11, &[]).state(), "closing");
    assert_eq!(talk.segment(false, 5000, 0x10, &[]).state(), "closing");
    assert_eq!(talk.segment(false, 5000, 0x11, &[]).state(), "closed");
    assert_eq!(talk.segment(true, 1001, 0x10, &[]).state(), "closed");
}

#[test]
fn a_reset_ends_any_state_and_counts() {
    for before in 0..4 {
        let mut talk = Talk::new(443);
        let steps = [(true, 999, 2), (false, 4999, 0x12), (true, 1000, 0x10), (true, 1000, 0x11)];
        for (from_client, sequence, flags) in &steps[..=before] {
            talk.segment(*from_client, *sequence, *flags, &[]);
        }
        talk.segment(false, 5000, 0x14, &[]);
        assert_eq!((talk.state(), talk.tcp().resets), ("reset", 1), "after {} segments", before + 1);
        assert_eq!(talk.pipeline.counters().rst, 1);
    }
}

#[test]
fn a_segment_sent_again_counts_and_new_ones_do_not_also_where_numbers_wrap() {
    for start in [1000, u32::MAX - 150] {
        let mut talk = Talk::new(80);
        talk.segment(true, start, 0x10, &[1; 100]);
        for number in 1..4 {
            talk.segment(true, start.wrapping_add(number * 100), 0x10, &[1; 100]);
        }
        assert_eq!(talk.tcp().retransmitted_segments, 0, "from {start}");
        talk.segment(true, start.wrapping_add(300), 0x10, &[1; 100]);
        talk.segment(true, start.wrapping_add(100), 0x10, &[1; 100]);
        assert_eq!(talk.tcp().retransmitted_segments, 2, "from {start}");
        assert_eq!(talk.pipeline.counters().retransmitted_segments, 2);
    }
}

#[test]
fn segments_that_were_overtaken_are_no_retransmissions_and_lost_ones_that_come_again_are() {
    // the handshake takes 20 ms
    let connected = || {
        let mut talk = Talk::new(80);
        talk.segment(true, 999, 2, &[]).after(20 * MILLISECOND);
        talk.segment(false, 4999, 0x12, &[]).segment(true, 1000, 0x10, &[]);
        talk.segment(false, 5000, 0x10, &[1; 100]);
        talk
    };
    let mut talk = connected();
    for start in [5300, 5200, 5100, 5500, 5400, 5600] {
        talk.after(MILLISECOND).segment(false, start, 0x10, &[1; 100]);
    }
    assert_eq!(talk.tcp().retransmitted_segments, 0);
    let mut talk = connected();
    talk.segment(false, 5200, 0x10, &[1; 100]).segment(false, 5300, 0x10, &[1; 100]);
    talk.after(21 * MILLISECOND).segment(false, 5100, 0x10, &[1; 100]);
    assert_eq!(talk.tcp().retransmitted_segments, 1);
    // the same bytes at once once more
    talk.segment(false, 5100, 0x10, &[1; 100]).segment(false, 5300, 0x10, &[1; 100]);
    assert_eq!(talk.tcp().retransmitted_segments, 3);
    assert_eq!(talk.pipeline.counters().retransmitted_segments, 3);
}

#[test]
fn a_syn_sent_again_counts_although_the_first_was_kept_nowhere() {
    let mut talk = Talk::new(443);
    talk.segment(true, 999, 2, &[]).segment(true, 999, 2, &[]).segment(true, 999, 2, &[]);
    assert_eq!((talk.tcp().retransmitted_segments, talk.state()), (2, "new"));
}

#[test]
fn acknowledgements_and_keep_alives_are_no_retransmissions() {
    let mut talk = Talk::new(443);
    talk.handshake().segment(true, 1000, 0x18, &[1; 10]);
    for _ in 0..3 {
        talk.segment(true, 1010, 0x10, &[]).segment(true, 1009, 0x10, &[0]).segment(true, 1009, 0x10, &[]);
    }
    assert_eq!(talk.tcp().retransmitted_segments, 0);
}

#[test]
fn a_zero_window_counts_and_that_of_a_reset_or_syn_does_not() {
    let mut talk = Talk::new(443);
    talk.segment_of(true, (999, 2, 0), &[]).segment_of(false, (4999, 0x12, 0), &[]);
    talk.segment_of(true, (1000, 0x10, 0), &[]).segment_of(false, (5000, 0x10, 0), &[]);
    talk.segment_of(false, (5000, 0x14, 0), &[]);
    assert_eq!(talk.tcp().zero_windows, 2);
    assert_eq!(talk.pipeline.counters().zero_windows, 2);
}

#[test]
fn flags_are_counted_as_the_contract_says() {
    let mut talk = Talk::new(443);
    for flags in [0x02, 0xc2, 0x12, 0x11, 0x01, 0x14, 0x04, 0x10] {
        talk.segment(true, 1, flags, &[]);
    }
    let counters = talk.pipeline.counters();
    assert_eq!([counters.syn, counters.syn_ack, counters.fin, counters.rst], [2, 1, 2, 2]);
}

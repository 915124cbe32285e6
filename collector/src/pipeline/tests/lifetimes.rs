//! When a flow's record ends and the next begins.
use super::*;

fn generations(talk: &mut Talk) -> usize {
    talk.told();
    let mut seen: Vec<_> = talk.rows.iter().map(|row| (row.slot, row.generation)).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}

#[test]
fn a_syn_after_an_end_is_a_new_flow() {
    for end in [&[(true, 0x11), (false, 0x11)][..], &[(true, 0x11)], &[(false, 0x14)]] {
        let mut talk = Talk::new(443);
        talk.handshake();
        for (from_client, flags) in end {
            talk.segment(*from_client, if *from_client { 1000 } else { 5000 }, *flags, &[]);
        }
        assert_eq!(generations(&mut talk), 1);
        talk.after(MILLISECOND).segment(true, 70_000, 2, &[]);
        assert_eq!(generations(&mut talk), 2, "{end:?}");
        assert_eq!(talk.state(), "new");
        let identity = talk.last_row().identity.unwrap();
        assert_eq!(identity.first_seen, START + MILLISECOND);
    }
}

#[test]
fn the_next_flow_of_a_5_tuple_inherits_neither_name_nor_counts() {
    let mut talk = Talk::new(443);
    let hello = crate::frames::Hello { name: Some("first.example"), share: 32, grease: false };
    talk.handshake().segment(true, 1000, 0x18, &hello.record()).segment(false, 5000, 0x14, &[]).told();
    talk.rows.clear();
    talk.segment(true, 70_000, 2, &[]).segment(false, 80_000, 0x12, &[]);
    let row = talk.last_row();
    assert_eq!(
        row.tcp.unwrap(),
        TcpNews { state: crate::flows::record::TcpState::HalfOpen, ..TcpNews::default() }
    );
    assert_eq!((row.forward.packets, row.backward.packets), (1, 1));
    assert_eq!(talk.flow_name(), None);
}

#[test]
fn a_syn_inside_a_connection_is_no_new_flow() {
    let mut talk = Talk::new(443);
    talk.handshake().segment(true, 70_000, 2, &[]);
    assert_eq!(generations(&mut talk), 1);
}

#[test]
fn time_outs_follow_the_captures_time() {
    let (tcp, udp) = (true, false);
    for (is_tcp, closed, pause, flows) in [
        (tcp, false, 900, 1),
        (tcp, false, 901, 2),
        (tcp, true, 10, 1),
        (tcp, true, 11, 2),
        (udp, false, 120, 1),
        (udp, false, 121, 2),
    ] {
        let mut talk = Talk::new(9999);
        let send = |talk: &mut Talk| {
            if is_tcp {
                talk.segment(true, 1000, 0x10, &[]);
            } else {
                talk.datagram(true, &[0; 4]);
            }
        };
        send(&mut talk);
        if closed {
            talk.segment(true, 1000, 0x11, &[]).segment(false, 5000, 0x11, &[]);
        }
        talk.told().after(pause * SECOND);
        send(&mut talk);
        assert_eq!(generations(&mut talk), flows, "tcp {is_tcp}, closed {closed}, {pause} s");
    }
}

#[test]
fn a_file_counts_a_5_tuple_once_whatever_ends_it() {
    let mut talk = Talk::with(Settings { mode: Mode::File, ..Settings::default() }, 443);
    for _ in 0..3 {
        talk.handshake().segment(true, 1000, 0x14, &[]).after(2000 * SECOND);
    }
    assert_eq!(talk.pipeline.flow_counts().tcp, 1);
    assert_eq!(talk.pipeline.counters().evicted_flows, 0);
}

#[test]
fn ended_flows_leave_the_table_by_themselves() {
    let mut talk = Talk::new(9999);
    for port in 1..=100 {
        talk.ports.0 = port;
        talk.datagram(true, &[]);
    }
    assert_eq!(talk.pipeline.table.len(), 100);
    talk.pipeline.reached(talk.time + 200 * SECOND);
    assert_eq!(talk.pipeline.table.len(), 0);
}

#[test]
fn what_a_tiny_table_evicts_is_told_first() {
    let settings = Settings { max_flows: 3, ..Settings::default() };
    for mode in [Mode::Live, Mode::File] {
        let mut talk = Talk::with(Settings { mode, ..settings.clone() }, 9999);
        for port in 1..=50 {
            talk.ports.0 = port;
            talk.datagram(true, &[]).datagram(false, &[]);
        }
        talk.pipeline.reached(talk.time + 20 * SECOND);
        talk.told();
        let packets: u64 = talk.rows.iter().map(|row| row.forward.packets + row.backward.packets).sum();
        let counters = talk.pipeline.counters();
        assert_eq!((packets, counters.untold.packets), (100, 0), "{mode:?}");
        assert_eq!((counters.evicted_flows, talk.pipeline.flow_counts().udp), (47, 50), "{mode:?}");
    }
}

//! Where packets go as seen from this machine, and to which flow fragments belong.
use super::*;
use crate::flows::record::{FlowDirection, FlowKind};

const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const OTHER: [u8; 4] = [198, 51, 100, 9];
const GROUP: [u8; 4] = [224, 0, 0, 251];

/// Ingress, egress, local, forwarded in and out; then sent; and the flow's direction.
fn course(source: [u8; 4], destination: [u8; 4], mac: Option<[u8; 6]>) -> ([u64; 5], u64, FlowDirection) {
    let mut talk = Talk::new(9);
    let own = OwnAddresses::new(vec![CLIENT.into(), [10, 0, 0, 7].into()], mac);
    talk.pipeline.set_own(own);
    talk.frame(&ethernet(0x0800, &ipv4(source, destination, 17, &udp(1, 2, b""))));
    let counters = talk.pipeline.counters();
    let direction = talk.last_row().identity.unwrap().direction;
    (counters.directions.map(|tally| tally.packets), counters.sent.packets, direction)
}

#[test]
fn directions_follow_own_addresses_and_what_was_sent_follows_the_interface() {
    use FlowDirection::{Egress, Forwarded, Ingress, Local};
    for (what, source, destination, mac, expected) in [
        ("in", SERVER, CLIENT, None, ([1, 0, 0, 0, 0], 0, Ingress)),
        ("out", CLIENT, SERVER, None, ([0, 1, 0, 0, 0], 1, Egress)),
        ("both ends here", CLIENT, [10, 0, 0, 7], None, ([0, 0, 1, 0, 0], 0, Local)),
        ("loopback", [127, 0, 0, 1], [127, 0, 0, 53], None, ([0, 0, 1, 0, 0], 0, Local)),
        ("neither end here", SERVER, OTHER, None, ([0, 0, 0, 1, 0], 0, Forwarded)),
        ("neither, sent by us", SERVER, OTHER, Some(OWN_MAC), ([0, 0, 0, 0, 1], 1, Forwarded)),
        ("to a group", SERVER, GROUP, None, ([1, 0, 0, 0, 0], 0, Ingress)),
        ("to a group from us", CLIENT, GROUP, None, ([0, 1, 0, 0, 0], 1, Egress)),
        ("broadcast", SERVER, [255; 4], None, ([1, 0, 0, 0, 0], 0, Ingress)),
        ("ours, sent by another", CLIENT, SERVER, Some([9; 6]), ([0, 1, 0, 0, 0], 0, Egress)),
    ] {
        assert_eq!(course(source, destination, mac), expected, "{what}");
    }
}

#[test]
fn new_own_addresses_turn_flows_that_are_known() {
    let mut talk = Talk::new(9);
    talk.datagram(true, b"");
    talk.pipeline.set_own(OwnAddresses::new(vec![SERVER.into()], None));
    talk.datagram(true, b"");
    let [ingress, egress, ..] = talk.pipeline.counters().directions.map(|tally| tally.packets);
    assert_eq!((ingress, egress), (1, 1));
}

/// Part `place` (in units of eight bytes) of datagram number 9.
fn fragment(place: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = ipv4(CLIENT, SERVER, 17, payload);
    packet[6..8].copy_from_slice(&(place | if more { 0x2000 } else { 0 }).to_be_bytes());
    ethernet(0x0800, &packet)
}

/// Packets told of flows and of remnants.
fn packets_by_kind(talk: &mut Talk) -> (u64, u64) {
    talk.told();
    let kinds: std::collections::HashMap<_, _> = talk
        .rows
        .iter()
        .filter_map(|row| row.identity.map(|identity| ((row.slot, row.generation), identity.kind)))
        .collect();
    let of = |kind| {
        let rows = talk.rows.iter().filter(|row| kinds[&(row.slot, row.generation)] == kind);
        rows.map(|row| row.forward.packets + row.backward.packets).sum()
    };
    (of(FlowKind::Flow), of(FlowKind::Remnant))
}

#[test]
fn later_fragments_count_to_the_flow_of_their_first_while_they_may_come() {
    for (mode, pause, expected) in
        [(Mode::Live, 0, (3, 0)), (Mode::Live, 30, (3, 0)), (Mode::Live, 31, (1, 2)), (Mode::File, 0, (1, 2))]
    {
        let mut talk = Talk::with(Settings { mode, ..Settings::default() }, 9);
        talk.frame(&fragment(0, true, &udp(1, 2, &[0; 24]))).after(pause * SECOND);
        talk.frame(&fragment(4, true, &[0; 32])).frame(&fragment(8, false, &[0; 8]));
        talk.pipeline.reached(talk.time + 100 * SECOND);
        assert_eq!(packets_by_kind(&mut talk), expected, "{mode:?} after {pause} s");
        let counters = talk.pipeline.counters();
        assert_eq!((counters.first_fragments, counters.later_fragments), (1, 2));
    }
}

#[test]
fn a_later_fragment_never_counts_to_the_next_flow_in_the_slot() {
    let mut talk = Talk::with(Settings { max_flows: 1, ..Settings::default() }, 9);
    talk.frame(&fragment(0, true, &udp(1, 2, &[0; 24])));
    talk.ports.0 = 77;
    talk.datagram(true, b"").frame(&fragment(4, false, &[0; 32]));
    assert_eq!(packets_by_kind(&mut talk), (2, 1));
}

#[test]
fn memory_of_fragments_is_bounded_and_forgets_the_oldest() {
    let mut talk = Talk::new(9);
    for number in 0..3000u16 {
        let mut first = fragment(0, true, &udp(1, 2, &[0; 24]));
        first[18..20].copy_from_slice(&number.to_be_bytes());
        talk.frame(&first);
    }
    for number in [0u16, 2999] {
        let mut later = fragment(4, false, &[0; 32]);
        later[18..20].copy_from_slice(&number.to_be_bytes());
        talk.frame(&later);
    }
    assert_eq!(packets_by_kind(&mut talk), (3001, 1));
}

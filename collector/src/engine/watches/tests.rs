use std::cell::Cell;

use tokio::sync::mpsc;

use super::*;
use crate::flows::record::Tally;
use crate::worker::packets::PacketLine;

const FLOW: LineFlow = LineFlow {
    id: 1,
    slot: 5,
    generation: 1,
    source: (std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 40_000),
    direction: LineDirection::Egress,
};

/// A list with room for so many batches.
fn list(batches: usize) -> (Watches, mpsc::Receiver<PacketBatch>) {
    let (sender, receiver) = mpsc::channel(batches);
    let mut watches = Watches::default();
    let request =
        WatchRequest { interface: String::new(), program: None, most_packets_per_second: 9, batches: sender };
    assert_eq!(watches.add(request), 1);
    (watches, receiver)
}

/// Lines of these detail texts; those in capitals have a flow.
fn lines(text: &str) -> Vec<Line> {
    let line = |letter: char| Line {
        header: PacketHeader { detail: letter.to_string(), ..header() },
        flow: letter.is_uppercase().then_some(FLOW),
    };
    text.chars().map(line).collect()
}

fn header() -> PacketHeader {
    PacketLine {
        id: 1,
        time: 0,
        source: None,
        destination: None,
        protocol: 6,
        application: String::new(),
        wire_bytes: 60,
        captured_bytes: 60,
        direction: LineDirection::Egress,
        vlan: 0,
        tcp_flags: 0,
        detail: String::new(),
        source_mac: None,
        destination_mac: None,
        header: Vec::new(),
        link_type: 1,
        flow: None,
    }
    .into_header("eth0")
}

fn totals(packets: u64) -> PacketTotals {
    PacketTotals { matched: Tally { packets, bytes: 60 * packets }, ..PacketTotals::default() }
}

fn owner() -> OwnerReference {
    OwnerReference {
        name: "curl".to_owned(),
        pid: Some(7),
        started: None,
        quality: shared::process::MatchQuality::Exact,
    }
}

/// What the reader has got: each line's text, `+` behind those with an owner, and the last count of packets.
fn read(reader: &mut mpsc::Receiver<PacketBatch>) -> (String, u64) {
    let (mut text, mut packets) = (String::new(), 0);
    while let Ok(batch) = reader.try_recv() {
        for line in batch.packets {
            text.push_str(&line.detail);
            text.push_str(if line.owner.is_some() { "+" } else { "" });
        }
        packets = batch.totals.packets;
    }
    (text, packets)
}

#[test]
fn lines_wait_in_their_order_until_it_is_known_whose_the_first_is() {
    let (mut watches, mut reader) = list(8);
    let start = Instant::now();
    let known = Cell::new(false);
    let name = |_: &LineFlow| match known.get() {
        true => Named::Owner(Some(owner())),
        false => Named::NotYet(None),
    };
    watches.take_in(1, lines("aB"), totals(2), start);
    watches.deliver(start, name);
    watches.take_in(1, lines("c"), totals(3), start + ASKING);
    watches.deliver(start + ASKING, name);
    assert_eq!(read(&mut reader), (String::new(), 0));
    assert_eq!(watches.patience(), Some(ASKING));
    known.set(true);
    watches.deliver(start + 2 * ASKING, name);
    assert_eq!(read(&mut reader), ("aB+c".to_owned(), 3));
    assert_eq!(watches.patience(), None);
}

#[test]
fn a_line_whose_owner_is_not_found_comes_without_one_when_its_time_is_over() {
    let (mut watches, mut reader) = list(8);
    let start = Instant::now();
    watches.take_in(1, lines("A"), totals(1), start);
    watches.deliver(start + PATIENCE - ASKING, |_| Named::NotYet(None));
    assert_eq!(read(&mut reader).0, "");
    watches.deliver(start + PATIENCE, |_| Named::NotYet(None));
    assert_eq!(read(&mut reader), ("A".to_owned(), 1));
    watches.take_in(1, lines("B"), totals(2), start);
    watches.deliver(start + PATIENCE, |_| Named::NotYet(Some(owner())));
    assert_eq!(read(&mut reader).0, "B+", "of both ends the one that is known");
}

#[test]
fn more_lines_than_may_wait_go_on_and_none_is_lost() {
    let (mut watches, mut reader) = list(64);
    let start = Instant::now();
    let mut all = 0;
    for _ in 0..40 {
        all += 64;
        watches.take_in(1, lines(&"A".repeat(64)), totals(all), start);
        watches.deliver(start, |_| Named::NotYet(None));
    }
    let (gone, packets) = read(&mut reader);
    assert_eq!((gone.len() as u64, packets), (all - MOST_WAITING as u64, all - MOST_WAITING as u64));
    watches.worker_died();
    assert_eq!(read(&mut reader).0.len(), MOST_WAITING);
}

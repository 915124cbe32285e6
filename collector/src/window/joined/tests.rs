use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use weir_shared::net::{Direction, Endpoint, Transport};
use weir_shared::process::{Owner, OwnerRow};
use weir_shared::report::{Count, FlowRow, HostRow, Others, Ranked, RxTx};

use super::*;

fn received(bytes: u64) -> RxTx {
    RxTx { rx: Count { packets: 1, bytes }, tx: Count::default() }
}

fn end(last: u8) -> Endpoint {
    Endpoint { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port: 443 }
}

fn flow(initiator: u8, responder: u8, bytes: u64) -> FlowRow {
    FlowRow {
        interface: "eth0".to_owned(),
        protocol: Transport::Tcp,
        initiator: end(initiator),
        responder: end(responder),
        application: "https".to_owned(),
        name: String::new(),
        direction: Direction::Ingress,
        traffic: received(bytes),
        per_second: RxTx::default(),
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        round_trip_micros: None,
        retransmitted_segments: 1,
        zero_windows: 0,
        resets: 0,
        state: "established".to_owned(),
        initiator_owner: None,
        responder_owner: None,
    }
}

fn host(last: u8, bytes: u64) -> HostRow {
    HostRow {
        interface: "eth0".to_owned(),
        address: end(last).address,
        name: String::new(),
        traffic: received(bytes),
        per_second: RxTx::default(),
        protocols: vec![format!("p{bytes}")],
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
    }
}

fn owner(pid: u32, bytes: u64) -> OwnerRow {
    let owner = Owner { name: "curl".to_owned(), pid: Some(pid), ..Owner::default() };
    OwnerRow { owner, traffic: received(bytes), ..OwnerRow::default() }
}

/// The largest two of three, each list with the third as its others.
fn part(name: &str, flows: [FlowRow; 2], hosts: [HostRow; 2], owners: [OwnerRow; 2]) -> InterfaceWindow {
    let others = Others { rows: 1, traffic: received(1), session_traffic: RxTx::default() };
    let captured = flows.iter().fold(received(1), |mut sum, row| {
        sum += row.traffic;
        sum
    });
    let addresses = RankedAddresses {
        rows: hosts
            .iter()
            .map(|row| AddressRow { address: row.address, name: String::new(), count: row.traffic.rx })
            .collect(),
        other_rows: 1,
        others: received(1).rx,
    };
    let application = [("https".to_owned(), captured.rx)].into();
    InterfaceWindow {
        interface: name.to_owned(),
        in_totals: true,
        captured,
        directions: Directions { ingress: captured.rx, ..Directions::default() },
        network: NetworkMix { ipv4: captured.rx, ..NetworkMix::default() },
        transport: TransportMix { tcp: captured.rx, ..TransportMix::default() },
        application,
        truncated_packets: 2,
        highest_rx_bytes_per_second: captured.rx.bytes,
        flows: Ranked { rows: flows.into(), others },
        hosts: Ranked { rows: hosts.into(), others },
        sources: addresses.clone(),
        destinations: addresses,
        owners: Ranked { rows: owners.into(), others },
        ..InterfaceWindow::default()
    }
}

fn two_parts() -> [InterfaceWindow; 2] {
    [
        part(
            "eth0",
            [flow(1, 2, 900), flow(1, 3, 500)],
            [host(2, 900), host(3, 500)],
            [owner(7, 900), owner(8, 500)],
        ),
        part(
            "eth0",
            [flow(3, 1, 600), flow(1, 4, 400)],
            [host(3, 600), host(4, 400)],
            [owner(8, 600), owner(9, 400)],
        ),
    ]
}

fn sum<T: Row>(list: &Ranked<T>) -> u64 {
    list.rows.iter().map(|row| row.traffic().rx.bytes).sum::<u64>() + list.others.traffic.rx.bytes
}

#[test]
fn an_interface_that_came_back_within_a_window_is_one_part_whose_lists_sum_to_its_total() {
    let [first, second] = two_parts();
    let parts = by_interface(vec![
        first,
        part("eth1", [flow(1, 2, 5), flow(1, 3, 4)], [host(2, 5), host(3, 4)], [owner(1, 5), owner(2, 4)]),
        second,
    ]);
    let names: Vec<&str> = parts.iter().map(|part| part.interface.as_str()).collect();
    assert_eq!(names, ["eth0", "eth1"]);
    let joined = &parts[0];
    assert_eq!(joined.captured.rx, Count { packets: 6, bytes: 2_402 });
    let mixes =
        [joined.directions.ingress, joined.network.ipv4, joined.transport.tcp, joined.application["https"]];
    assert_eq!(mixes, [joined.captured.rx; 4]);
    assert_eq!([sum(&joined.flows), sum(&joined.hosts), sum(&joined.owners)], [2_402; 3]);
    let addresses =
        |list: &RankedAddresses| list.rows.iter().map(|row| row.count.bytes).sum::<u64>() + list.others.bytes;
    assert_eq!([addresses(&joined.sources), addresses(&joined.destinations)], [2_402; 2]);
    assert_eq!((joined.truncated_packets, joined.highest_rx_bytes_per_second), (4, 1_401));
}

#[test]
fn rows_of_both_parts_are_one_and_the_lists_stay_as_long_as_they_were() {
    let joined = by_interface(two_parts().into()).remove(0);
    let flows: Vec<_> = joined.flows.rows.iter().map(|row| (row.initiator, row.traffic.rx.bytes)).collect();
    assert_eq!(
        flows,
        [(end(1), 1_100), (end(1), 900)],
        "the second part took the responder for the initiator"
    );
    assert_eq!(joined.flows.rows[0].retransmitted_segments, 2);
    let hosts: Vec<_> = joined.hosts.rows.iter().map(|row| (row.address, row.traffic.rx.bytes)).collect();
    assert_eq!(hosts, [(end(3).address, 1_100), (end(2).address, 900)]);
    assert_eq!(joined.hosts.rows[0].protocols, ["p500", "p600"]);
    let owners: Vec<_> = joined.owners.rows.iter().map(|row| (row.owner.pid, row.traffic.rx.bytes)).collect();
    assert_eq!(owners, [(Some(8), 1_100), (Some(7), 900)]);
    assert_eq!(joined.owners.others.rows, 3);
}

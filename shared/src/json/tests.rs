use serde_json::Value;

use super::csv::Columns;
use super::*;
use crate::process::{Owner, OwnerRow};
use crate::report::Count;

fn host(name: &str) -> HostRow {
    HostRow {
        interface: "eth0".to_owned(),
        address: "192.0.2.1".parse().unwrap(),
        name: name.to_owned(),
        traffic: RxTx { rx: Count { packets: 1, bytes: 100 }, tx: Count { packets: 2, bytes: 300 } },
        per_second: RxTx { rx: Count { packets: 1, bytes: 10 }, tx: Count::default() },
        protocols: vec!["tcp".to_owned(), "https".to_owned()],
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
    }
}

fn owner_row() -> OwnerRow {
    OwnerRow {
        owner: Owner { name: "curl".to_owned(), pid: Some(7), ..Owner::default() },
        ..OwnerRow::default()
    }
}

fn flow() -> FlowRow {
    let end = Endpoint { address: "2001:db8::1".parse().unwrap(), port: 443 };
    FlowRow {
        interface: "eth0".to_owned(),
        protocol: Transport::Tcp,
        initiator: end,
        responder: end,
        application: "https".to_owned(),
        name: String::new(),
        direction: Direction::Egress,
        traffic: RxTx::default(),
        per_second: RxTx::default(),
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        round_trip_micros: None,
        retransmitted_segments: 0,
        zero_windows: 0,
        resets: 0,
        state: "new".to_owned(),
        initiator_owner: None,
        responder_owner: None,
    }
}

#[test]
fn the_hosts_document_has_the_agreed_keys() {
    let others = Others {
        rows: 3,
        traffic: RxTx { rx: Count { packets: 1, bytes: 9 }, tx: Count::default() },
        ..Others::default()
    };
    let list = Ranked { rows: vec![host("a.example")], others };
    let document = serde_json::to_string(&hosts_document(Timestamp::UNIX_EPOCH, &list)).unwrap();
    assert_eq!(
        document,
        concat!(
            r#"{"since":"1970-01-01T00:00:00Z","hosts":[{"interface":"eth0","address":"192.0.2.1","#,
            r#""name":"a.example","protocols":["tcp","https"],"rx_bytes":100,"tx_bytes":300,"rx_packets":1,"#,
            r#""tx_packets":2,"rx_bits_per_second":80,"tx_bits_per_second":0,"rx_packets_per_second":1,"#,
            r#""tx_packets_per_second":0,"first_seen":"1970-01-01T00:00:00Z","#,
            r#""last_seen":"1970-01-01T00:00:00Z"}],"others":{"rows":3,"rx_bytes":9,"tx_bytes":0,"#,
            r#""rx_packets":1,"tx_packets":0}}"#
        )
    );
}

fn assert_columns_are_keys<T: Columns + Serialize>(row: &T) {
    let Value::Object(object) = serde_json::to_value(row).unwrap() else { panic!("not an object") };
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    let mut columns = T::HEADER.to_vec();
    keys.sort_unstable();
    columns.sort_unstable();
    assert_eq!(columns, keys);
    assert_eq!(row.cells().len(), T::HEADER.len());
}

#[test]
fn csv_columns_are_the_keys_of_json() {
    assert_columns_are_keys(&HostItem::from(&host("")));
    assert_columns_are_keys(&FlowItem::from(&flow()));
    assert_columns_are_keys(&OwnerItem::from(&owner_row()));
    let day = DayRow {
        date: jiff::civil::date(2026, 1, 2),
        interface: "eth0".to_owned(),
        kernel: KernelCounters::default(),
        in_totals: true,
    };
    assert_columns_are_keys(&day);
}

#[test]
fn csv_ends_with_the_others_and_disarms_formulas() {
    let others = OthersItem { rows: 2, traffic: Traffic { rx_bytes: 5, ..Traffic::default() } };
    let mut out = Vec::new();
    let rows = [HostItem::from(&host("=cmd|' /C calc'!A0")), HostItem::from(&host("a,\"b"))];
    csv::write(&mut out, &rows, Some(&others)).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[1].starts_with("eth0,192.0.2.1,'=cmd|' /C calc'!A0,tcp https,100,"), "{text}");
    assert!(lines[2].starts_with("eth0,192.0.2.1,\"a,\"\"b\","), "{text}");
    assert_eq!(lines[3], "others,,,,5,0,0,0,,,,,,");
}

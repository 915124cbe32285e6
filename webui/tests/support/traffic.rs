//! Windows with traffic whose sums are known.
use jiff::{SignedDuration, Timestamp};
use weir_shared::alert::{Alert, AlertState, Severity};
use weir_shared::health::CaptureState;
use weir_shared::journal::{JournalEntry, JournalRecord};
use weir_shared::live::{Live, LiveInterface, SecondSeries, Update};
use weir_shared::net::{Direction, Endpoint, Transport};
use weir_shared::process::{MatchQuality, Owner, OwnerRow, ParentProcess};
use weir_shared::report::{
    AddressRow, Count, FlowRow, HostRow, InterfaceWindow, KernelCounters, Ledger, Others, Ranked,
    RankedAddresses, RxTx, Window,
};
use weir_shared::session::{Session, SessionInterface};

/// A midnight, in UTC.
pub fn start() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

pub fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

pub fn count(bytes: u64) -> Count {
    Count { packets: bytes / 100, bytes }
}

pub fn both(rx: u64, tx: u64) -> RxTx {
    RxTx { rx: count(rx), tx: count(tx) }
}

/// A host by number: 192.168.A.B.
pub fn address(number: u32) -> std::net::IpAddr {
    std::net::Ipv4Addr::from(0xc0a8_0000 | (number & 0xffff)).into()
}

pub fn host(number: u32, traffic: RxTx, window: (Timestamp, Timestamp)) -> HostRow {
    HostRow {
        interface: "eth0".to_owned(),
        address: address(number),
        name: if number.is_multiple_of(2) { format!("host{number}.example") } else { String::new() },
        traffic,
        per_second: RxTx::default(),
        protocols: vec!["tcp".to_owned(), "https".to_owned()],
        first_seen: window.0,
        last_seen: window.1,
    }
}

pub fn flow(number: u32, traffic: RxTx, window: (Timestamp, Timestamp)) -> FlowRow {
    FlowRow {
        interface: "eth0".to_owned(),
        protocol: if number.is_multiple_of(3) { Transport::Udp } else { Transport::Tcp },
        initiator: Endpoint {
            address: "10.0.0.1".parse().unwrap(),
            port: u16::try_from(40_000 + number % 20_000).unwrap(),
        },
        responder: Endpoint { address: address(number), port: 443 },
        application: "https".to_owned(),
        name: format!("host{number}.example"),
        direction: Direction::Egress,
        traffic,
        per_second: RxTx::default(),
        first_seen: window.0,
        last_seen: window.1,
        round_trip_micros: Some(1_500),
        retransmitted_segments: 1,
        zero_windows: 0,
        resets: 0,
        state: "established".to_owned(),
        initiator_owner: Some(process(number).reference()),
        responder_owner: None,
    }
}

/// A process by number: curl where that is even, else nginx. Every third is in a container.
pub fn process(number: u32) -> Owner {
    let even = number.is_multiple_of(2);
    Owner {
        name: if even { "curl" } else { "nginx" }.to_owned(),
        pid: Some(10_000 + number),
        started: Some(start()),
        executable: if even { "/usr/bin/curl" } else { "/usr/sbin/nginx" }.to_owned(),
        command_line: format!("request {number}"),
        user: if even { "alice" } else { "www-data" }.to_owned(),
        unit: if even { String::new() } else { "nginx.service".to_owned() },
        container: if number.is_multiple_of(3) { "docker 0123456789ab".to_owned() } else { String::new() },
        parents: vec![ParentProcess { pid: 1, name: "systemd".to_owned() }],
        alive: true,
        quality: MatchQuality::Exact,
        reason: String::new(),
    }
}

pub fn owner(owner: Owner, traffic: RxTx, window: (Timestamp, Timestamp)) -> OwnerRow {
    OwnerRow {
        interface: "eth0".to_owned(),
        owner,
        traffic,
        rx_payload_bytes: traffic.rx.bytes / 2,
        tx_payload_bytes: traffic.tx.bytes / 2,
        per_second: RxTx::default(),
        protocols: vec!["tcp".to_owned(), "https".to_owned()],
        first_seen: window.0,
        last_seen: window.1,
        over_threshold: false,
        session_traffic: RxTx::default(),
    }
}

/// A window of ten seconds in which each of `hosts` sent 1,000 bytes and got 500, and others 300 and 200. The process of
/// the same number talked to it.
pub fn window(start: Timestamp, hosts: &[u32]) -> Window {
    let end = start + SignedDuration::from_secs(10);
    let each = both(1_000, 500);
    let rest = both(300, 200);
    let number = u64::try_from(hosts.len()).unwrap();
    let total = both(number * 1_000 + 300, number * 500 + 200);
    let addresses = |bytes: u64, others: u64| RankedAddresses {
        rows: hosts
            .iter()
            .map(|&host| AddressRow { address: address(host), name: String::new(), count: count(bytes) })
            .collect(),
        other_rows: 1,
        others: count(others),
    };
    let mut interface = InterfaceWindow {
        interface: "eth0".to_owned(),
        in_totals: true,
        captured: total,
        kernel: KernelCounters {
            rx_packets: total.rx.packets,
            rx_bytes: total.rx.bytes,
            tx_packets: total.tx.packets,
            tx_bytes: total.tx.bytes,
        },
        ledger: Ledger { kernel_bytes: total.sum().bytes, outside_bytes: -5, ..Ledger::default() },
        highest_packets_per_second: number,
        flows: Ranked {
            rows: hosts.iter().map(|&number| flow(number, each, (start, end))).collect(),
            others: Others { rows: 2, traffic: rest, ..Others::default() },
        },
        hosts: Ranked {
            rows: hosts.iter().map(|&number| host(number, each, (start, end))).collect(),
            others: Others { rows: 2, traffic: rest, ..Others::default() },
        },
        owners: Ranked {
            rows: hosts.iter().map(|&number| owner(process(number), each, (start, end))).collect(),
            others: Others { rows: 2, traffic: rest, ..Others::default() },
        },
        sources: addresses(1_000, 300),
        destinations: addresses(500, 200),
        ..InterfaceWindow::default()
    };
    interface.transport.tcp = total.sum();
    interface.network.ipv4 = total.sum();
    interface.tcp_flags.syn = number;
    interface.application.insert("https".to_owned(), total.sum());
    Window { start, length_millis: 10_000, interfaces: vec![interface] }
}

/// A session that is running.
pub fn session(id: u64, name: &str) -> Session {
    Session {
        id,
        name: name.to_owned(),
        begin: at(10),
        end: None,
        gap_millis: 0,
        traffic: both(1_000, 300),
        interfaces: vec![SessionInterface {
            interface: "eth0".to_owned(),
            captured: both(1_000, 300),
            kernel: KernelCounters { rx_bytes: 1_001, ..KernelCounters::default() },
        }],
        owners: Ranked::default(),
    }
}

pub fn entry(sequence: u64, record: JournalRecord) -> JournalEntry {
    JournalEntry { sequence, previous_sequence: sequence.saturating_sub(1), record }
}

/// Entry `sequence` is the window that began ten seconds times `sequence` after [`start`].
pub fn window_entry(sequence: u64, hosts: &[u32]) -> JournalEntry {
    let start = at(i64::try_from(sequence).unwrap() * 10);
    entry(sequence, JournalRecord::Window(Box::new(window(start, hosts))))
}

pub fn alert(id: u64, state: AlertState) -> Alert {
    Alert {
        id,
        time: at(5),
        kind: "capture_lost".to_owned(),
        state,
        severity: Severity::Warning,
        subject: "eth0".to_owned(),
        subjects: vec!["eth0".to_owned()],
        message: "12 packets were lost on eth0".to_owned(),
        evidence: serde_json::json!({ "lost_packets": 12 }).as_object().cloned().unwrap(),
    }
}

pub fn update(bytes: u64) -> Update {
    let end = (at(0), at(1));
    Update {
        time: at(1),
        interfaces: vec![LiveInterface {
            interface: "eth0".to_owned(),
            state: CaptureState::Up,
            reason: String::new(),
            in_totals: true,
            primary: true,
            second: both(bytes, bytes / 2),
            average_per_second: both(100, 50),
            average_windows: 60,
            today: KernelCounters::default(),
            month: KernelCounters::default(),
            captured: both(bytes, bytes),
            dropped_packets: 0,
            ledger: Ledger::default(),
            hosts: Ranked { rows: vec![host(2, both(10, 20), end)], others: Others::default() },
            flows: Ranked { rows: vec![flow(2, both(10, 20), end)], others: Others::default() },
            owners: Ranked::default(),
        }],
        last_window: Some(window(at(0), &[1, 2])),
        losses: [("capture_dropped_packets".to_owned(), 3)].into(),
        degraded: Vec::new(),
        last_sequence: 7,
        open_alerts: 1,
        window_millis: 10_000,
        owners: Ranked::default(),
        active_owners: 0,
        session: None,
        process_threshold_bytes_per_second: 1 << 20,
        recent_seconds: vec![SecondSeries {
            interface: "eth0".to_owned(),
            start: at(0),
            seconds: vec![both(1, 2), both(3, 4), both(bytes, bytes / 2)],
        }],
    }
}

pub fn snapshot(sequence: u64, bytes: u64) -> Live {
    let seconds = vec![SecondSeries {
        interface: "eth0".to_owned(),
        start: at(0),
        seconds: vec![both(1, 2), both(3, 4)],
    }];
    Live::Snapshot { sequence, now: update(bytes), seconds }
}

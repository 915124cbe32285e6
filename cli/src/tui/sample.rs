//! A small machine with everything that a picture can show.
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use shared::alert::{Alert, AlertState, Event, Severity};
use shared::health::{Attribution, CaptureState, Degraded, Losses, Status};
use shared::journal::{JournalEntry, JournalRecord};
use shared::live::{LiveInterface, Update};
use shared::net::{Direction, Endpoint, Transport};
use shared::packets::{PacketBatch, PacketHeader, PacketSummary};
use shared::process::{MatchQuality, Owner, OwnerRow, ParentProcess};
use shared::report::{Count, FlowRow, HostRow, KernelCounters, Ledger, Others, Ranked, RxTx};
use shared::session::Session;
use weir_shared as shared;

use super::message::Message;
use super::state::{Note, State};

pub(super) const MEBIBYTE: u64 = 1 << 20;

/// `seconds` after midnight of the first day.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(super) fn moved(rx: u64, tx: u64) -> RxTx {
    RxTx { rx: Count { packets: rx / 1_000, bytes: rx }, tx: Count { packets: tx / 1_000, bytes: tx } }
}

pub(super) fn process(name: &str, pid: u32, rate: RxTx, traffic: RxTx) -> OwnerRow {
    let known = pid > 0;
    OwnerRow {
        interface: String::new(),
        owner: Owner {
            name: name.to_owned(),
            pid: known.then_some(pid),
            started: known.then(|| at(10)),
            executable: format!("/usr/bin/{name}"),
            command_line: format!("{name} --flag \x1b[2Jevil"),
            user: "alice".to_owned(),
            parents: vec![ParentProcess { pid: 1, name: "systemd".to_owned() }],
            alive: true,
            quality: if known { MatchQuality::Exact } else { MatchQuality::Unknown },
            ..Owner::default()
        },
        traffic,
        rx_payload_bytes: 0,
        tx_payload_bytes: 0,
        per_second: rate,
        protocols: vec!["tcp".to_owned(), "https".to_owned()],
        first_seen: at(20),
        last_seen: at(30),
        over_threshold: rate.rx.bytes > MEBIBYTE || rate.tx.bytes > MEBIBYTE,
        session_traffic: moved(7_000, 8_000),
    }
}

pub(super) fn owners() -> Ranked<OwnerRow> {
    let mut nginx = process("nginx", 900, moved(0, 0), moved(5_000_000, 90_000_000));
    nginx.owner.alive = false;
    nginx.owner.unit = "nginx.service".to_owned();
    let kernel = process("kernel", 0, moved(500, 500), moved(10_000, 10_000));
    let rows = vec![
        process("curl", 4_242, moved(3 * MEBIBYTE, 20_000), moved(900_000_000, 1_000_000)),
        process("ssh\u{202e}d", 77, moved(2_000, 3_000), moved(40_000, 50_000)),
        nginx,
        kernel,
    ];
    Ranked {
        rows,
        others: Others { rows: 3, traffic: moved(70_000, 7_000), session_traffic: moved(900, 100) },
    }
}

pub(super) fn end(address: &str, port: u16) -> Endpoint {
    Endpoint { address: address.parse().unwrap(), port }
}

fn flow(interface: &str, port: u16) -> FlowRow {
    FlowRow {
        interface: interface.to_owned(),
        protocol: Transport::Tcp,
        initiator: end("192.0.2.1", port),
        responder: end("198.51.100.7", 443),
        application: "https".to_owned(),
        name: "example.org".to_owned(),
        direction: Direction::Egress,
        traffic: moved(1_000_000, 2_000),
        per_second: moved(u64::from(port), 1_000),
        first_seen: at(20),
        last_seen: at(30),
        round_trip_micros: Some(12_345),
        retransmitted_segments: 2,
        zero_windows: 0,
        resets: 0,
        state: "established".to_owned(),
        initiator_owner: Some(process("curl", 4_242, moved(0, 0), moved(0, 0)).owner.reference()),
        responder_owner: None,
    }
}

fn host(interface: &str) -> HostRow {
    HostRow {
        interface: interface.to_owned(),
        address: "198.51.100.7".parse().unwrap(),
        name: "evil\x1b[31m.example".to_owned(),
        traffic: moved(1_000_000, 2_000),
        per_second: moved(50_000, 1_000),
        protocols: vec!["tcp".to_owned()],
        first_seen: at(20),
        last_seen: at(30),
    }
}

fn interface(name: &str, in_totals: bool) -> LiveInterface {
    LiveInterface {
        interface: name.to_owned(),
        state: CaptureState::Up,
        reason: String::new(),
        in_totals,
        primary: in_totals,
        second: moved(3_000_000, 30_000),
        average_per_second: moved(1_000, 1_000),
        average_windows: 60,
        today: KernelCounters::default(),
        month: KernelCounters::default(),
        captured: moved(1_200_000_000, 34_000_000),
        dropped_packets: 0,
        ledger: Ledger::default(),
        hosts: Ranked { rows: vec![host(name)], others: Others::default() },
        flows: Ranked { rows: vec![flow(name, 50_000), flow(name, 50_001)], others: Others::default() },
        owners: Ranked {
            rows: vec![process("only", 5, moved(1, 1), moved(1, 1))],
            others: Others::default(),
        },
    }
}

pub(super) fn update() -> Update {
    Update {
        time: at(3_600),
        interfaces: vec![interface("eth0", true), interface("lo", false)],
        last_window: None,
        losses: Losses::from([("records".to_owned(), 12)]),
        degraded: vec![Degraded { part: "names".to_owned(), reason: "for the test".to_owned() }],
        last_sequence: 9,
        open_alerts: 1,
        window_millis: 10_000,
        recent_seconds: Vec::new(),
        owners: owners(),
        active_owners: 2,
        session: None,
        process_threshold_bytes_per_second: MEBIBYTE,
    }
}

pub(super) fn session() -> Session {
    Session {
        id: 1,
        name: "evening".to_owned(),
        begin: at(3_000),
        end: None,
        gap_millis: 0,
        traffic: moved(11_000, 22_000),
        interfaces: Vec::new(),
        owners: Ranked::default(),
    }
}

pub(super) fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        started: at(60),
        uptime_seconds: 3_540,
        capture: Vec::new(),
        ledger: Ledger::default(),
        attribution: Attribution { grade: "proc".to_owned(), reason: "no BTF".to_owned() },
        degraded: Vec::new(),
        losses: Losses::new(),
        last_sequence: 9,
        journal_id: "j".to_owned(),
        window_seconds: 10.0,
        host_name: "gate".to_owned(),
        time_zone: "UTC".to_owned(),
        process_threshold_bytes_per_second: MEBIBYTE,
    }
}

pub(super) fn alert(seconds: i64) -> Note {
    Note::alert(Alert {
        id: 3,
        time: at(seconds),
        kind: "process_bandwidth".to_owned(),
        state: AlertState::Start,
        severity: Severity::Critical,
        subject: "curl 4242".to_owned(),
        subjects: Vec::new(),
        message: "curl moves 3.00 MiB/s, over 1.00 MiB/s".to_owned(),
        evidence: serde_json::Map::from_iter([("rate".to_owned(), 3.into())]),
    })
}

pub(super) fn event(seconds: i64, kind: &str) -> Note {
    let event = Event {
        time: at(seconds),
        kind: kind.to_owned(),
        subject: "evening".to_owned(),
        message: format!("{kind} by alice"),
    };
    let entry = JournalEntry { sequence: 1, previous_sequence: 0, record: JournalRecord::Event(event) };
    Note::of(entry).unwrap()
}

pub(super) fn batch(count: u64) -> PacketBatch {
    let packet = PacketHeader {
        time: at(3_600),
        interface: "eth0".to_owned(),
        source: Some(end("192.0.2.1", 50_000)),
        destination: Some(end("198.51.100.7", 443)),
        protocol: Transport::Tcp,
        application: "https".to_owned(),
        wire_bytes: 60,
        captured_bytes: 60,
        direction: Direction::Egress,
        vlan: 0,
        tcp_flags: 2,
        detail: String::new(),
        source_mac: "02:00:00:00:00:01".to_owned(),
        destination_mac: "02:00:00:00:00:02".to_owned(),
        header: vec![0xde, 0xad],
        link_type: 1,
        owner: Some(process("curl", 4_242, moved(0, 0), moved(0, 0)).owner.reference()),
    };
    let packets = (0..count).map(|_| packet.clone()).collect();
    let totals = PacketSummary { packets: 1_000, not_sent: 990, ..PacketSummary::default() };
    PacketBatch { packets, totals }
}

/// A second's step at one o'clock, with the first update on the screen.
pub(super) fn state() -> State {
    let mut state = State::new(at(3_600), TimeZone::UTC, SignedDuration::from_secs(1));
    state.status = Some(status());
    state.page = 10;
    state.receive(Message::Live(Box::new(update())));
    state.receive(Message::Note(Box::new(alert(3_500))));
    state.receive(Message::Note(Box::new(event(3_550, "session_started"))));
    state
}

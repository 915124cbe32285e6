//! A thread that answers commands with fixed values, and a journal.
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use shared::alert::{Alert, AlertState, Severity};
use shared::health::{Attribution, DayRow, InterfaceInfo, Losses, Status};
use shared::journal::JournalRecord;
use shared::live::{Live, Update};
use shared::packets::{PacketBatch, PacketSummary};
use shared::report::{Gap, HostRow, KernelCounters, Ledger, Others, Ranked, RxTx};
use tokio::sync::broadcast;
use weir_shared as shared;

use crate::engine::Input;
use crate::engine::command::{Command, Handle, SessionError, SessionRequest, Since, Subscription};
use crate::journal::{Journal, Limits};

pub(super) struct Engine {
    pub handle: Handle,
    /// Who changed something, as events would name them.
    pub by: Arc<Mutex<Vec<String>>>,
    updates: broadcast::Sender<Arc<Live>>,
}

impl Engine {
    pub(super) fn start(folder: &Path) -> Self {
        let journal = Arc::new(Journal::open(folder, Limits::new(16, 7)).unwrap());
        let (engine, inputs) = sync_channel(64);
        let (updates, _) = broadcast::channel(4);
        let publisher = updates.clone();
        let by: Arc<Mutex<Vec<String>>> = Arc::default();
        let changed_by = Arc::clone(&by);
        std::thread::spawn(move || {
            for input in inputs {
                #[allow(
                    irrefutable_let_patterns,
                    reason = "the engine's other inputs are none of these tests'"
                )]
                if let Input::Command(command) = input {
                    if let Command::Session(SessionRequest { by, .. }, _)
                    | Command::SetProcessThreshold(_, by, _) = &command
                    {
                        changed_by.lock().unwrap().push(by.clone());
                    }
                    answer(command, &publisher);
                }
            }
        });
        Self { handle: Handle { engine, journal }, by, updates }
    }

    pub(super) fn publish(&self, sequence: u64) {
        self.updates.send(Arc::new(Live::Update { sequence, now: update() })).unwrap();
    }

    pub(super) fn append_gap(&self) {
        let gap = Gap {
            start: Timestamp::now(),
            end: Timestamp::now(),
            interface: String::new(),
            reason: "lab".to_owned(),
            kernel: KernelCounters::default(),
        };
        self.handle.journal.append(&[JournalRecord::Gap(gap)]).unwrap();
    }

    pub(super) fn append_alert(&self) {
        let alert = Alert {
            id: 1,
            time: Timestamp::now(),
            kind: "capture_lost".to_owned(),
            state: AlertState::Start,
            severity: Severity::Warning,
            subject: "eth0".to_owned(),
            subjects: Vec::new(),
            message: "lab".to_owned(),
            evidence: serde_json::Map::new(),
        };
        self.handle.journal.append(&[JournalRecord::Alert(Box::new(alert))]).unwrap();
    }
}

fn answer(command: Command, updates: &broadcast::Sender<Arc<Live>>) {
    match command {
        Command::Status(reply) => reply.send(status()).unwrap(),
        Command::Interfaces(reply) => reply.send(interfaces()).unwrap(),
        Command::Hosts(query, reply) => {
            let asked = format!("{} {} {}", query.interface, query.limit, query.search);
            let answer = Since { since: Timestamp::UNIX_EPOCH, list: hosts(&asked) };
            reply.send(answer).unwrap();
        }
        Command::Flows(query, reply) => {
            let others = Others { rows: query.limit as u64, ..Others::default() };
            let list = Ranked { rows: Vec::new(), others };
            reply.send(Since { since: Timestamp::UNIX_EPOCH, list }).unwrap();
        }
        Command::Processes(query, reply) => {
            let others = Others { rows: query.limit as u64, ..Others::default() };
            let list = Ranked { rows: Vec::new(), others };
            reply.send(Since { since: Timestamp::UNIX_EPOCH, list }).unwrap();
        }
        Command::Session(_, reply) => reply.send(Err(SessionError::None)).unwrap(),
        Command::Sessions(reply) => reply.send(Vec::new()).unwrap(),
        Command::SetProcessThreshold(_, _, reply) => reply.send(7).unwrap(),
        Command::Days(reply) => {
            let list = (1..=3).map(day).collect();
            reply.send(Since { since: Timestamp::UNIX_EPOCH, list }).unwrap();
        }
        Command::Subscribe(reply) => {
            let snapshot = Live::Snapshot { sequence: 0, now: update(), seconds: Vec::new() };
            reply.send(Subscription { snapshot, updates: updates.subscribe() }).unwrap();
        }
        Command::Watch(request) => {
            let totals = PacketSummary { packets: 3, bytes: 180, not_sent: 3, ..PacketSummary::default() };
            request.batches.try_send(PacketBatch { packets: Vec::new(), totals }).unwrap();
        }
    }
}

fn update() -> Update {
    Update {
        time: Timestamp::UNIX_EPOCH,
        interfaces: Vec::new(),
        last_window: None,
        losses: Losses::new(),
        degraded: Vec::new(),
        last_sequence: 0,
        open_alerts: 0,
        window_millis: 10_000,
        recent_seconds: Vec::new(),
        owners: Ranked::default(),
        active_owners: 0,
        session: None,
        process_threshold_bytes_per_second: 0,
    }
}

fn status() -> Status {
    Status {
        version: "0".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        uptime_seconds: 1,
        capture: Vec::new(),
        ledger: Ledger::default(),
        attribution: Attribution { grade: "off".to_owned(), reason: String::new() },
        degraded: Vec::new(),
        losses: Losses::new(),
        last_sequence: 0,
        journal_id: "lab".to_owned(),
        window_seconds: 10.0,
        host_name: "lab".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        process_threshold_bytes_per_second: 0,
    }
}

pub(super) fn interfaces() -> Vec<InterfaceInfo> {
    vec![InterfaceInfo {
        name: "eth0".to_owned(),
        index: 2,
        kind: "ethernet".to_owned(),
        up: true,
        addresses: vec!["192.0.2.1/24".to_owned()],
        mac: "02:00:00:00:00:01".to_owned(),
        mtu_bytes: 1500,
        primary: true,
        captured: true,
        in_totals: true,
        reason: "default route".to_owned(),
        parent: String::new(),
    }]
}

/// One host whose name is what was asked.
pub(super) fn hosts(asked: &str) -> Ranked<HostRow> {
    let row = HostRow {
        interface: "eth0".to_owned(),
        address: "192.0.2.9".parse().unwrap(),
        name: asked.to_owned(),
        traffic: RxTx::default(),
        per_second: RxTx::default(),
        protocols: vec!["tcp".to_owned()],
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
    };
    Ranked { rows: vec![row], others: Others::default() }
}

fn day(day: i8) -> DayRow {
    DayRow {
        date: jiff::civil::date(2026, 1, day),
        interface: "eth0".to_owned(),
        kernel: KernelCounters::default(),
        in_totals: true,
    }
}

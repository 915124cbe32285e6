//! The collector's gRPC service over a thread that answers commands with fixed values.
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use jiff::Timestamp;
use shared::health::{Attribution, CaptureState, CaptureStatus, Degraded, InterfaceInfo, Losses, Status};
use shared::live::{Live, Update};
use shared::net::{Direction, Endpoint, Transport};
use shared::packets::{PacketBatch, PacketHeader, PacketSummary};
use shared::report::{Count, FlowRow, HostRow, KernelCounters, Ledger, Others, Ranked, RxTx};
use shared::socket::{SocketGroup, bind};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use weir_collector::engine::Input;
use weir_collector::engine::command::{Command, Handle, Since, Subscription};
use weir_collector::journal::{Journal, Limits};
use weir_collector::rpc::{Socket, serve};
use weir_shared as shared;

use crate::owners;

pub(crate) struct Lab {
    pub(crate) folder: tempfile::TempDir,
    updates: broadcast::Sender<Arc<Live>>,
    stop: CancellationToken,
    server: Option<std::thread::JoinHandle<()>>,
}

impl Lab {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (updates, _) = broadcast::channel(4);
        let handle = engine(folder.path(), updates.clone());
        let bound = bind(&folder.path().join("c.sock"), 0o600, &SocketGroup::Own).unwrap();
        let stop = CancellationToken::new();
        let token = stop.clone();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let listeners = vec![(bound.listener, Socket::Collector { group: None })];
            runtime.block_on(serve(listeners, handle, token)).unwrap();
        });
        Self { folder, updates, stop, server: Some(server) }
    }

    /// One more live update, for whoever subscribed.
    pub(crate) fn publish(&self) {
        let update = Live::Update { sequence: 1, now: update() };
        drop(self.updates.send(Arc::new(update)));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

fn engine(folder: &Path, updates: broadcast::Sender<Arc<Live>>) -> Handle {
    let journal = Arc::new(Journal::open(folder, Limits::new(16, 7)).unwrap());
    let (sender, inputs) = sync_channel(64);
    std::thread::spawn(move || {
        // lists stay open until the engine ends
        let mut watching: Vec<mpsc::Sender<PacketBatch>> = Vec::new();
        for input in inputs {
            #[allow(irrefutable_let_patterns, reason = "the engine's other inputs are none of these tests'")]
            if let Input::Command(command) = input {
                answer(command, &updates, &mut watching);
            }
        }
    });
    Handle::new(sender, journal)
}

fn answer(
    command: Command,
    updates: &broadcast::Sender<Arc<Live>>,
    watching: &mut Vec<mpsc::Sender<PacketBatch>>,
) {
    let since = Timestamp::UNIX_EPOCH;
    match command {
        Command::Status(reply) => reply.send(status()).unwrap(),
        Command::Interfaces(reply) => reply.send(vec![interface()]).unwrap(),
        Command::Hosts(_, reply) => {
            let others = Others {
                rows: 4,
                traffic: RxTx { rx: Count::default(), tx: count(1, 7) },
                ..Others::default()
            };
            reply.send(Since { since, list: Ranked { rows: vec![host()], others } }).unwrap();
        }
        Command::Flows(_, reply) => {
            let list = Ranked { rows: vec![flow()], others: Others::default() };
            reply.send(Since { since, list }).unwrap();
        }
        Command::Processes(query, reply) => {
            reply.send(Since { since, list: owners::owners(query.of) }).unwrap();
        }
        Command::Session(request, reply) => reply.send(owners::change(request.change)).unwrap(),
        Command::Sessions(reply) => {
            reply
                .send(vec![owners::session("night", None), owners::session("day", Some(owners::minute()))])
                .unwrap();
        }
        Command::SetProcessThreshold(_, _, reply) => reply.send(1 << 20).unwrap(),
        Command::Days(reply) => reply.send(Since { since, list: Vec::new() }).unwrap(),
        Command::Subscribe(reply) => {
            let snapshot = Live::Snapshot { sequence: 0, now: update(), seconds: Vec::new() };
            reply.send(Subscription { snapshot, updates: updates.subscribe() }).unwrap();
        }
        Command::Watch(request) => {
            request.batches.try_send(batch()).unwrap();
            watching.push(request.batches);
        }
    }
}

fn count(packets: u64, bytes: u64) -> Count {
    Count { packets, bytes }
}

fn end(address: &str, port: u16) -> Endpoint {
    Endpoint { address: address.parse().unwrap(), port }
}

fn status() -> Status {
    let kernel = KernelCounters { rx_bytes: 10, ..KernelCounters::default() };
    let ledger = Ledger { kernel_bytes: 10, unattributed_bytes: 10, ..Ledger::default() };
    Status {
        version: "0.1.0".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        uptime_seconds: 61,
        capture: vec![CaptureStatus {
            interface: "eth0".to_owned(),
            state: CaptureState::Up,
            reason: String::new(),
            captured: count(1, 10),
            dropped_packets: 0,
            kernel,
            ledger,
        }],
        ledger,
        attribution: Attribution { grade: "off".to_owned(), reason: String::new() },
        degraded: vec![Degraded { part: "capture".to_owned(), reason: "for the test".to_owned() }],
        losses: Losses::new(),
        last_sequence: 0,
        journal_id: "lab".to_owned(),
        window_seconds: 10.0,
        host_name: "lab".to_owned(),
        time_zone: "UTC".to_owned(),
        process_threshold_bytes_per_second: 2 << 20,
    }
}

fn interface() -> InterfaceInfo {
    InterfaceInfo {
        name: "eth0".to_owned(),
        index: 2,
        kind: "ethernet".to_owned(),
        up: true,
        addresses: vec!["192.0.2.1/24".to_owned()],
        mac: String::new(),
        mtu_bytes: 1500,
        primary: true,
        captured: true,
        in_totals: true,
        reason: "default route".to_owned(),
        parent: String::new(),
    }
}

fn host() -> HostRow {
    HostRow {
        interface: "eth0".to_owned(),
        address: "198.51.100.7".parse().unwrap(),
        name: "evil\x1b[2J.example".to_owned(),
        traffic: RxTx { rx: count(1_000, 1_500_000), tx: count(10, 999) },
        per_second: RxTx { rx: count(10, 10_000), tx: Count::default() },
        protocols: vec!["tcp".to_owned(), "https".to_owned()],
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
    }
}

fn flow() -> FlowRow {
    FlowRow {
        interface: "eth0".to_owned(),
        protocol: Transport::Tcp,
        initiator: end("192.0.2.1", 50_000),
        responder: end("198.51.100.7", 443),
        application: "https".to_owned(),
        name: String::new(),
        direction: Direction::Egress,
        traffic: RxTx::default(),
        per_second: RxTx::default(),
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        round_trip_micros: Some(1_200),
        retransmitted_segments: 0,
        zero_windows: 0,
        resets: 0,
        state: "established".to_owned(),
        initiator_owner: Some(owners::curl()),
        responder_owner: None,
    }
}

fn update() -> Update {
    Update {
        time: Timestamp::UNIX_EPOCH,
        interfaces: Vec::new(),
        last_window: None,
        losses: Losses::from([("records".to_owned(), 12)]),
        degraded: vec![Degraded { part: "capture".to_owned(), reason: "no interface is up".to_owned() }],
        last_sequence: 0,
        open_alerts: 1,
        window_millis: 10_000,
        recent_seconds: Vec::new(),
        owners: Ranked::default(),
        active_owners: 0,
        session: None,
        process_threshold_bytes_per_second: 0,
    }
}

/// Two lines of a thousand packets that matched.
fn batch() -> PacketBatch {
    let packet = PacketHeader {
        time: Timestamp::UNIX_EPOCH,
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
        source_mac: String::new(),
        destination_mac: String::new(),
        header: vec![1, 2, 3, 4],
        link_type: 1,
        owner: Some(owners::curl()),
    };
    let totals = PacketSummary {
        packets: 1_000,
        bytes: 4_000,
        not_sent: 998,
        duration_millis: 2_000,
        protocols: [("tcp".to_owned(), count(700, 3_000)), ("udp".to_owned(), count(300, 1_000))].into(),
        top_sources: Vec::new(),
        top_destinations: Vec::new(),
    };
    PacketBatch { packets: vec![packet.clone(), packet], totals }
}

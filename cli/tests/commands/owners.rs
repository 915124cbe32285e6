//! Fixed owners, and what the engine would say about sessions.
use jiff::Timestamp;
use shared::process::{MatchQuality, Owner, OwnerReference, OwnerRow, ParentProcess, Scope};
use shared::report::{Count, Others, Ranked, RxTx};
use shared::session::Session;
use weir_collector::engine::command::{SessionChange, SessionError, SessionOutcome};
use weir_shared as shared;

fn moved(rx: u64, tx: u64) -> RxTx {
    RxTx { rx: Count { packets: 10, bytes: rx }, tx: Count { packets: 10, bytes: tx } }
}

pub(crate) fn curl() -> OwnerReference {
    OwnerReference {
        name: "curl".to_owned(),
        pid: Some(4_242),
        started: Some(Timestamp::UNIX_EPOCH),
        quality: MatchQuality::Exact,
    }
}

pub(crate) fn owners(of: Scope) -> Ranked<OwnerRow> {
    let traffic = if of == Scope::Session { moved(1_000, 2_000) } else { moved(3_000_000, 40_000) };
    let process = Owner {
        name: "curl".to_owned(),
        pid: Some(4_242),
        started: Some(Timestamp::UNIX_EPOCH),
        executable: "/usr/bin/curl".to_owned(),
        command_line: "curl https://evil\x1b[2J.example".to_owned(),
        user: "alice".to_owned(),
        unit: "user@1000.service".to_owned(),
        parents: vec![ParentProcess { pid: 99, name: "bash".to_owned() }],
        alive: true,
        quality: MatchQuality::Exact,
        ..Owner::default()
    };
    let unknown = Owner {
        name: "unknown".to_owned(),
        reason: "its socket was gone".to_owned(),
        alive: true,
        ..Owner::default()
    };
    let over = OwnerRow { over_threshold: true, ..row(process, traffic) };
    let rows = vec![over, row(unknown, moved(500, 0))];
    Ranked { rows, others: Others { rows: 3, traffic: moved(70, 7), ..Others::default() } }
}

fn row(owner: Owner, traffic: RxTx) -> OwnerRow {
    OwnerRow {
        interface: String::new(),
        owner,
        traffic,
        rx_payload_bytes: 1,
        tx_payload_bytes: 2,
        per_second: moved(2_000_000, 10_000),
        protocols: vec!["tcp".to_owned(), "https".to_owned()],
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        over_threshold: false,
        session_traffic: RxTx::default(),
    }
}

pub(crate) fn session(name: &str, end: Option<Timestamp>) -> Session {
    Session {
        id: 7,
        name: name.to_owned(),
        begin: Timestamp::UNIX_EPOCH,
        end,
        gap_millis: 2_000,
        traffic: moved(1_000, 2_000),
        interfaces: Vec::new(),
        owners: Ranked::default(),
    }
}

/// When a session of a minute ended.
pub(crate) fn minute() -> Timestamp {
    Timestamp::from_second(60).unwrap()
}

/// `taken` is what another session has; everything else succeeds.
pub(crate) fn change(change: SessionChange) -> Result<SessionOutcome, SessionError> {
    let begin = Timestamp::UNIX_EPOCH;
    let ended = Some(session("evening", Some(minute())));
    match change {
        SessionChange::Start(name) if name == "taken" => {
            Err(SessionError::Running { name: "evening".to_owned(), begin })
        }
        SessionChange::Start(name) => Ok(SessionOutcome { ended: None, running: Some(session(&name, None)) }),
        SessionChange::Stop => Ok(SessionOutcome { ended, running: None }),
        SessionChange::Reset => Ok(SessionOutcome { ended, running: Some(session("evening", None)) }),
    }
}

//! Monitoring sessions: at most one runs, and ends by people only.
use std::collections::VecDeque;

use jiff::Timestamp;
use shared::alert::Event;
use shared::journal::JournalRecord;
use shared::process::OwnerRow;
use shared::report::{KernelCounters, Ranked, RxTx};
use shared::session::{LONGEST_NAME, Session, SessionInterface};
use weir_shared as shared;

use super::Engine;
use super::command::{SessionChange, SessionError, SessionOutcome, SessionRequest};
use crate::window::owner_lists::OwnerQuery;

/// Ended sessions that are kept here; history has them all.
const MOST_ENDED: usize = 50;
/// Owners of a session, the largest.
const SESSION_OWNERS: usize = 500;

/// Counts of an interface when the session began.
#[derive(Clone, Debug)]
struct Baseline {
    interface: String,
    captured: RxTx,
    kernel: KernelCounters,
}

#[derive(Debug)]
struct Running {
    id: u64,
    name: String,
    begin: Timestamp,
    baselines: Vec<Baseline>,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    running: Option<Running>,
    /// Newest first.
    ended: VecDeque<Session>,
}

impl Engine {
    pub(super) fn change_session(
        &mut self,
        now: Timestamp,
        request: &SessionRequest,
    ) -> Result<SessionOutcome, SessionError> {
        match &request.change {
            SessionChange::Start(name) => {
                if let Some(running) = &self.sessions.running {
                    return Err(SessionError::Running { name: running.name.clone(), begin: running.begin });
                }
                let name = checked_name(name, now)?;
                self.begin_session(name.clone(), now);
                self.event(
                    now,
                    "session_started",
                    &name,
                    format!("Session `{name}` was started by {}.", request.by),
                );
                Ok(SessionOutcome { ended: None, running: self.running_session(true) })
            }
            SessionChange::Stop => {
                let ended = self.end_session(now).ok_or(SessionError::None)?;
                let name = ended.name.clone();
                self.event(
                    now,
                    "session_stopped",
                    &name,
                    format!("Session `{name}` was stopped by {}.", request.by),
                );
                Ok(SessionOutcome { ended: Some(ended), running: None })
            }
            SessionChange::Reset => {
                let ended = self.end_session(now).ok_or(SessionError::None)?;
                let name = ended.name.clone();
                self.begin_session(name.clone(), now);
                self.event(
                    now,
                    "session_reset",
                    &name,
                    format!("Session `{name}` was reset by {}.", request.by),
                );
                Ok(SessionOutcome { ended: Some(ended), running: self.running_session(true) })
            }
        }
    }

    fn begin_session(&mut self, name: String, now: Timestamp) {
        let baselines = self.captures.iter().map(|capture| self.baseline(&capture.name)).collect();
        self.traffic.begin_session();
        let id = u64::try_from(now.as_millisecond()).unwrap_or(0);
        self.sessions.running = Some(Running { id, name, begin: now, baselines });
    }

    fn end_session(&mut self, now: Timestamp) -> Option<Session> {
        let mut session = self.running_session(true)?;
        self.sessions.running = None;
        session.end = Some(now);
        self.backlog.push(JournalRecord::Session(Box::new(session.clone())));
        self.sessions.ended.push_front(session.clone());
        self.sessions.ended.truncate(MOST_ENDED);
        Some(session)
    }

    fn baseline(&self, interface: &str) -> Baseline {
        let capture = self.captures.iter().find(|capture| capture.name == interface);
        let mut captured = capture.map(|capture| capture.before).unwrap_or_default();
        if let Some(id) = capture.and_then(|capture| capture.id) {
            captured += self.traffic.totals(id).captured;
        }
        let kernel = self.accounts.get(interface).map(|account| account.kernel).unwrap_or_default();
        Baseline { interface: interface.to_owned(), captured, kernel }
    }

    /// The running session as it stands; its owners only where they are wanted.
    pub(super) fn running_session(&self, with_owners: bool) -> Option<Session> {
        let running = self.sessions.running.as_ref()?;
        let mut traffic = RxTx::default();
        let mut interfaces = Vec::new();
        for capture in self.captures.iter() {
            let now = self.baseline(&capture.name);
            let then = running.baselines.iter().find(|baseline| baseline.interface == capture.name);
            let part = grown(now, then);
            if capture.in_totals {
                traffic += part.captured;
            }
            interfaces.push(part);
        }
        let owners: Ranked<OwnerRow> = if with_owners { self.session_owners() } else { Ranked::default() };
        Some(Session {
            id: running.id,
            name: running.name.clone(),
            begin: running.begin,
            end: None,
            gap_millis: 0,
            traffic,
            interfaces,
            owners,
        })
    }

    /// The running one first, then those that ended, newest first.
    pub(super) fn sessions(&self) -> Vec<Session> {
        self.running_session(true).into_iter().chain(self.sessions.ended.iter().cloned()).collect()
    }

    pub(super) fn event(&mut self, time: Timestamp, kind: &str, subject: &str, message: String) {
        tracing::info!(kind, subject, "{message}");
        self.backlog.push(JournalRecord::Event(Event {
            time,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            message,
        }));
    }

    fn session_owners(&self) -> Ranked<OwnerRow> {
        let query = OwnerQuery { interface: "", search: "", of_session: true, rows: SESSION_OWNERS };
        self.traffic.owners(&query, self.directory())
    }

    /// When the running session began.
    pub(super) fn session_begin(&self) -> Option<Timestamp> {
        self.sessions.running.as_ref().map(|running| running.begin)
    }
}

fn checked_name(name: &str, now: Timestamp) -> Result<String, SessionError> {
    let name = name.trim();
    if name.is_empty() {
        return Ok(now.strftime("%Y-%m-%d %H:%M:%S").to_string());
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(SessionError::Name(shared::text::escape(name).into_owned()));
    }
    Ok(name.to_owned())
}

fn grown(now: Baseline, then: Option<&Baseline>) -> SessionInterface {
    let (captured, kernel) = then.map(|then| (then.captured, then.kernel)).unwrap_or_default();
    let since = |now: u64, then: u64| now.saturating_sub(then);
    let count = |now: shared::report::Count, then: shared::report::Count| shared::report::Count {
        packets: since(now.packets, then.packets),
        bytes: since(now.bytes, then.bytes),
    };
    SessionInterface {
        interface: now.interface,
        captured: RxTx { rx: count(now.captured.rx, captured.rx), tx: count(now.captured.tx, captured.tx) },
        kernel: KernelCounters {
            rx_packets: since(now.kernel.rx_packets, kernel.rx_packets),
            rx_bytes: since(now.kernel.rx_bytes, kernel.rx_bytes),
            tx_packets: since(now.kernel.tx_packets, kernel.tx_packets),
            tx_bytes: since(now.kernel.tx_bytes, kernel.tx_bytes),
        },
    }
}

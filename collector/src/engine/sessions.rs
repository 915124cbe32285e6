//! Monitoring sessions: at most one runs, and people alone end it. A crash ends none; what passed meanwhile is its gap.
use std::collections::VecDeque;

use jiff::Timestamp;
use shared::alert::Event;
use shared::error::ErrorChain;
use shared::journal::JournalRecord;
use shared::process::OwnerRow;
use shared::report::{Ranked, RxTx};
use shared::session::{LONGEST_NAME, Session, SessionInterface};
use weir_shared as shared;

use super::captures::Capture;
use super::command::{SessionChange, SessionError, SessionOutcome, SessionRequest, Since, local};
use super::{Engine, session_owners};
use crate::kept::{Contents, MOST_ENDED};
use crate::window::Traffic;
use crate::window::owner_lists::OwnerQuery;

/// Owners of a session, the largest.
const SESSION_OWNERS: usize = 500;

#[derive(Debug)]
struct Running {
    /// What it held when this collector started, or nothing: id, name, begin and gap are the session's.
    carried: Session,
    /// Its owners, apart: a live update shows the session without them, every second.
    owners: Ranked<OwnerRow>,
    /// Counts of each interface when the session began, or this collector did.
    baselines: Vec<SessionInterface>,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    running: Option<Running>,
    /// Newest first.
    ended: VecDeque<Session>,
}

impl Sessions {
    /// Goes on with what an earlier collector left.
    pub(super) fn resume(contents: &Contents, traffic: &mut Traffic, now: Timestamp) -> Self {
        let running = contents.running.clone().map(|(mut carried, saved)| {
            let away = u64::try_from(now.duration_since(saved).as_millis()).unwrap_or(0);
            carried.gap_millis = carried.gap_millis.saturating_add(away);
            let owners = session_owners::carried(std::mem::take(&mut carried.owners));
            traffic.begin_session();
            Running { carried, owners, baselines: Vec::new() }
        });
        Self { running, ended: contents.ended.iter().cloned().collect() }
    }
}

impl Engine {
    pub(super) fn change_session(
        &mut self,
        now: Timestamp,
        request: &SessionRequest,
    ) -> Result<SessionOutcome, SessionError> {
        let by = &request.by;
        match &request.change {
            SessionChange::Start(name) => {
                if let Some(Running { carried, .. }) = &self.sessions.running {
                    return Err(SessionError::Running { name: carried.name.clone(), begin: carried.begin });
                }
                let name = checked_name(name, now)?;
                self.begin_session(&name, now);
                self.save_session(now);
                self.event(now, "session_started", &name, format!("Session `{name}` was started by {by}."));
                Ok(SessionOutcome { ended: None, running: self.running_session(true) })
            }
            SessionChange::Stop => {
                let ended = self.end_session(now).ok_or(SessionError::None)?;
                self.keep_ended(&ended, now);
                let name = &ended.name;
                self.event(now, "session_stopped", name, format!("Session `{name}` was stopped by {by}."));
                Ok(SessionOutcome { ended: Some(ended), running: None })
            }
            SessionChange::Reset => {
                let ended = self.end_session(now).ok_or(SessionError::None)?;
                let name = &ended.name;
                self.begin_session(name, now);
                self.keep_ended(&ended, now);
                self.event(now, "session_reset", name, format!("Session `{name}` was reset by {by}."));
                Ok(SessionOutcome { running: self.running_session(true), ended: Some(ended) })
            }
        }
    }

    fn begin_session(&mut self, name: &str, now: Timestamp) {
        self.traffic.begin_session();
        let baselines = self.captures.iter().map(|capture| self.counts(capture)).collect();
        // above every earlier one's, also when the clock was set back
        let last = self.sessions.ended.front().map_or(0, |session| session.id);
        let id = u64::try_from(now.as_millisecond()).unwrap_or(0).max(last.saturating_add(1));
        let carried = Session {
            id,
            name: name.to_owned(),
            begin: now,
            end: None,
            gap_millis: 0,
            traffic: RxTx::default(),
            interfaces: Vec::new(),
            owners: Ranked::default(),
        };
        self.sessions.running = Some(Running { carried, owners: Ranked::default(), baselines });
    }

    fn end_session(&mut self, now: Timestamp) -> Option<Session> {
        let mut session = self.running_session(true)?;
        self.sessions.running = None;
        self.traffic.end_session();
        session.end = Some(now.max(session.begin));
        self.backlog.push(JournalRecord::Session(Box::new(session.clone())));
        self.sessions.ended.push_front(session.clone());
        self.sessions.ended.truncate(MOST_ENDED);
        Some(session)
    }

    fn keep_ended(&self, ended: &Session, now: Timestamp) {
        let next = self.running_session(true);
        if let Err(error) = self.kept.end(ended, next.as_ref(), now) {
            tracing::error!(error = %ErrorChain(&error), "the ended session was not written; the journal has it");
        }
    }

    /// With each window, so that a crash costs a session no more than that.
    pub(super) fn save_session(&self, now: Timestamp) {
        let Some(session) = self.running_session(true) else { return };
        if let Err(error) = self.kept.save(&session, now) {
            tracing::error!(error = %ErrorChain(&error), "the running session was not written; tried again with the next window");
        }
    }

    /// What an interface has counted since this collector started.
    fn counts(&self, capture: &Capture) -> SessionInterface {
        let kernel = self.accounts.get(&capture.name).map(|account| account.kernel).unwrap_or_default();
        SessionInterface { interface: capture.name.clone(), captured: self.captured(capture), kernel }
    }

    /// The running session as it stands; its owners only where they are wanted.
    pub(super) fn running_session(&self, with_owners: bool) -> Option<Session> {
        let Running { carried, owners, baselines } = self.sessions.running.as_ref()?;
        let mut session = carried.clone();
        for capture in self.captures.iter() {
            let now = self.counts(capture);
            let then = baselines.iter().find(|baseline| baseline.interface == capture.name);
            let part = grown(now, then);
            if capture.in_totals {
                session.traffic += part.captured;
            }
            match session.interfaces.iter_mut().find(|known| known.interface == part.interface) {
                Some(known) => {
                    known.captured += part.captured;
                    known.kernel += part.kernel;
                }
                None => session.interfaces.push(part),
            }
        }
        if with_owners {
            session.owners = self.session_owners(owners);
        }
        Some(session)
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

    fn session_owners(&self, carried: &Ranked<OwnerRow>) -> Ranked<OwnerRow> {
        let query = OwnerQuery { interface: "", search: "", of_session: true, rows: SESSION_OWNERS };
        session_owners::joined(carried, self.traffic.owners(&query, self.directory()), SESSION_OWNERS)
    }

    /// What owners moved since the running session began; of one interface, since this collector started where that was
    /// later. Nothing where none runs.
    pub(super) fn owners_of_session(&self, query: &OwnerQuery<'_>) -> Since<Ranked<OwnerRow>> {
        let list = self.traffic.owners(query, self.directory());
        let Some(Running { carried, owners, .. }) = &self.sessions.running else {
            return Since { since: self.started, list };
        };
        if !query.interface.is_empty() {
            return Since { since: carried.begin.max(self.started), list };
        }
        let earlier = session_owners::found(owners, query.search);
        Since { since: carried.begin, list: session_owners::joined(&earlier, list, query.rows) }
    }

    /// Adds to a live list over interfaces what its owners moved in the running session before this collector started.
    pub(super) fn add_earlier_of_session(&self, list: &mut Ranked<OwnerRow>) {
        let Some(Running { owners, .. }) = &self.sessions.running else { return };
        session_owners::add_earlier(owners, list);
    }
}

fn checked_name(name: &str, now: Timestamp) -> Result<String, SessionError> {
    let name = name.trim();
    if name.is_empty() {
        return Ok(local(now));
    }
    if name.chars().count() > LONGEST_NAME || shared::text::escape(name) != name {
        return Err(SessionError::Name(shared::text::escape(name).into_owned()));
    }
    Ok(name.to_owned())
}

fn grown(now: SessionInterface, then: Option<&SessionInterface>) -> SessionInterface {
    let Some(then) = then else { return now };
    SessionInterface {
        captured: now.captured.since(then.captured),
        kernel: now.kernel.since(then.kernel),
        interface: now.interface,
    }
}

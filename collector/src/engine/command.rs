//! What others may ask of the engine, and the handle they ask through.
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use shared::health::{DayRow, InterfaceInfo, Status};
use shared::live::Live;
use shared::packets::PacketBatch;
use shared::process::{OwnerRow, Scope};
use shared::report::{FlowRow, HostRow, Ranked};
use shared::session::Session;
use tokio::sync::{broadcast, mpsc, oneshot};
use weir_shared as shared;

use crate::journal::Journal;
use crate::worker::filter::Program;

/// A list's limits: an interface ("" for all), how many rows, and part of an address or name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    pub interface: String,
    pub limit: usize,
    pub search: String,
    pub of: Scope,
}

/// A live packet list that somebody has open.
#[derive(Debug)]
pub struct WatchRequest {
    /// "" for every captured interface.
    pub interface: String,
    /// None matches everything.
    pub program: Option<Program>,
    pub most_packets_per_second: u32,
    /// Closed by the receiver when the list is closed.
    pub batches: mpsc::Sender<PacketBatch>,
}

/// The first message of a subscription and what follows it. A reader that lags must subscribe again.
#[derive(Debug)]
pub struct Subscription {
    pub snapshot: Live,
    pub updates: broadcast::Receiver<Arc<Live>>,
}

/// Rows and since when they count.
#[derive(Debug)]
pub struct Since<T> {
    pub since: jiff::Timestamp,
    pub list: T,
}

/// What somebody does to the session; `by` names them in the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    pub change: SessionChange,
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// An empty name is made of the time.
    Start(String),
    Stop,
    Reset,
}

/// What became of it: the session that ended, the one that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOutcome {
    pub ended: Option<Session>,
    pub running: Option<Session>,
}

/// Why a session was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("session `{name}` is running since {}; stop or reset it first", local(*begin))]
    Running { name: String, begin: jiff::Timestamp },
    #[error("no session is running; start one first")]
    None,
    #[error("`{0}` is not a name: 1 to 64 printable characters are allowed")]
    Name(String),
}

/// In this machine's time zone, to the second.
pub(super) fn local(time: jiff::Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[derive(Debug)]
pub enum Command {
    Status(oneshot::Sender<Status>),
    Interfaces(oneshot::Sender<Vec<InterfaceInfo>>),
    Hosts(ListQuery, oneshot::Sender<Since<Ranked<HostRow>>>),
    Flows(ListQuery, oneshot::Sender<Since<Ranked<FlowRow>>>),
    Processes(ListQuery, oneshot::Sender<Since<Ranked<OwnerRow>>>),
    Session(SessionRequest, oneshot::Sender<Result<SessionOutcome, SessionError>>),
    Sessions(oneshot::Sender<Vec<Session>>),
    /// Bytes a second in either direction, 0 for off, and who sets it; answered with the one before.
    SetProcessThreshold(u64, String, oneshot::Sender<u64>),
    Days(oneshot::Sender<Since<Vec<DayRow>>>),
    Subscribe(oneshot::Sender<Subscription>),
    Watch(WatchRequest),
}

/// Why the engine did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("the collector is busy; ask again")]
    Busy,
    #[error("the collector is stopping")]
    Stopping,
}

/// Asks the engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) engine: SyncSender<super::Input>,
    pub journal: Arc<Journal>,
}

impl Handle {
    pub const fn new(engine: SyncSender<super::Input>, journal: Arc<Journal>) -> Self {
        Self { engine, journal }
    }

    pub async fn status(&self) -> Result<Status, AskError> {
        self.ask(Command::Status).await
    }

    pub async fn interfaces(&self) -> Result<Vec<InterfaceInfo>, AskError> {
        self.ask(Command::Interfaces).await
    }

    pub async fn hosts(&self, query: ListQuery) -> Result<Since<Ranked<HostRow>>, AskError> {
        self.ask(|reply| Command::Hosts(query, reply)).await
    }

    pub async fn flows(&self, query: ListQuery) -> Result<Since<Ranked<FlowRow>>, AskError> {
        self.ask(|reply| Command::Flows(query, reply)).await
    }

    pub async fn processes(&self, query: ListQuery) -> Result<Since<Ranked<OwnerRow>>, AskError> {
        self.ask(|reply| Command::Processes(query, reply)).await
    }

    pub async fn session(
        &self,
        request: SessionRequest,
    ) -> Result<Result<SessionOutcome, SessionError>, AskError> {
        self.ask(|reply| Command::Session(request, reply)).await
    }

    /// The running one first, then those that ended, newest first.
    pub async fn sessions(&self) -> Result<Vec<Session>, AskError> {
        self.ask(Command::Sessions).await
    }

    pub async fn set_process_threshold(&self, bytes_per_second: u64, by: String) -> Result<u64, AskError> {
        self.ask(|reply| Command::SetProcessThreshold(bytes_per_second, by, reply)).await
    }

    pub async fn days(&self) -> Result<Since<Vec<DayRow>>, AskError> {
        self.ask(Command::Days).await
    }

    pub async fn subscribe(&self) -> Result<Subscription, AskError> {
        self.ask(Command::Subscribe).await
    }

    /// Batches come on the request's channel until its receiver is dropped.
    pub fn watch(&self, request: WatchRequest) -> Result<(), AskError> {
        self.send(Command::Watch(request))
    }

    fn send(&self, command: Command) -> Result<(), AskError> {
        self.engine.try_send(super::Input::Command(command)).map_err(|error| match error {
            TrySendError::Full(_) => AskError::Busy,
            TrySendError::Disconnected(_) => AskError::Stopping,
        })
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, AskError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply))?;
        answer.await.map_err(|_| AskError::Stopping)
    }
}

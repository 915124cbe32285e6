//! The worker's loop: waits for packets, commands and the tick, and never for anything else.
mod commands;
mod connecting;
mod telling;
mod waiting;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::prctl;
use nix::unistd::Pid;
use weir_shared::error::complain;

use super::outbox::{LinkError, Outbox};
use super::owners::{Handed, Owners};
use super::records::{BUILD, MOST_MESSAGE_BYTES, Record, RecordError};
use super::sandbox::{self, SandboxError};
use super::tap::Interface;
use super::timeline::{Clocks, Timeline};
use super::watch::Watches;
use crate::flows::key::Key;
pub use connecting::Connection;
pub(super) use connecting::FirstPackets;
use connecting::Pace;
use telling::records_in_a_tick;
use waiting::Ready;

/// How often what was counted is told while there is something to tell.
const TICK: Duration = Duration::from_millis(100);
/// How often a quiet worker says how far time has come.
const SECOND: u64 = 1_000_000_000;
/// A second that has ended is told so much later, when nothing of it can be on its way any more.
const AFTER_SECOND: u64 = 30_000_000;
/// With more answers than these unsent no further command is read.
const MOST_ANSWERS: usize = 128;

/// Why the worker ended before it was told to.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("the capture worker is started by weir-collector only")]
    Usage,
    #[error("the sandbox could not be set up")]
    Sandbox(#[from] SandboxError),
    #[error("read random numbers")]
    Random(#[source] io::Error),
    #[error("name the process")]
    Name(#[source] Errno),
    #[error("read the clocks")]
    Clock(#[source] Errno),
    #[error("wait for packets")]
    Poll(#[source] Errno),
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl From<RecordError> for WorkerError {
    fn from(error: RecordError) -> Self {
        Self::Link(error.into())
    }
}

/// The worker's process: the link to the collector is descriptor 0, `parent` the collector's process id. Exits with 78
/// where the sandbox could not be set up.
pub fn main(parent: Option<&str>, owners: Option<&str>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        complain(format_args!("weir-collector: capture worker: {panic}"));
        std::process::abort(); // the collector starts another; a half-known state is worth nothing
    }));
    match work(parent, owners) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let source =
                std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            complain(format_args!("weir-collector: capture worker: {error}{source}"));
            ExitCode::from(if matches!(error, WorkerError::Sandbox(_)) { 78 } else { 1 })
        }
    }
}

fn work(parent: Option<&str>, owners: Option<&str>) -> Result<(), WorkerError> {
    let parent = parent.and_then(|text| text.parse().ok()).map(Pid::from_raw).ok_or(WorkerError::Usage)?;
    prctl::set_name(c"weir-capture").map_err(WorkerError::Name)?;
    let seed = seed().map_err(WorkerError::Random)?;
    let (owners, without_owners) = owners.map(map_owners).unwrap_or_default();
    let stdin = io::stdin();
    let confinement = sandbox::confine_worker(parent)?;
    let now = Clocks::read().map_err(WorkerError::Clock)?;
    let mut worker = Worker {
        outbox: Outbox::new(stdin.as_fd()),
        socket: stdin.as_fd(),
        pace: Pace::new(),
        buffer: vec![0; MOST_MESSAGE_BYTES],
        interfaces: BTreeMap::new(),
        watches: Watches::default(),
        owners,
        timeline: Timeline::new(now),
        seed,
        may_capture: confinement.may_capture,
        finishing: false,
        busy: false,
        tick: Instant::now(),
        telling: BTreeMap::new(),
        telling_watches: false,
        turn: 0,
        sent: 0,
    };
    worker.outbox.tell(&Record::Ready { build: BUILD.to_owned(), confinement, without_owners })?;
    worker.run()
}

/// Without it packets are counted all the same; why there is none is told.
fn map_owners(argument: &str) -> (Option<Owners>, String) {
    let Some(handed) = Handed::from_argument(argument) else {
        return (None, "no ring was handed down".to_owned());
    };
    match Owners::open(handed) {
        Ok(owners) => (Some(owners), String::new()),
        Err(error) => (None, error.to_string()),
    }
}

/// Keys the flow tables' hashes: who sends packets must not be able to guess them.
fn seed() -> io::Result<[u64; 2]> {
    let mut random = std::fs::File::open("/dev/urandom")?;
    let mut halves = [[0u8; 8]; 2];
    for half in &mut halves {
        random.read_exact(half)?;
    }
    Ok(halves.map(u64::from_ne_bytes))
}

struct Worker<'a> {
    socket: BorrowedFd<'a>,
    /// Of connections that are told at once.
    pace: Pace,
    outbox: Outbox<'a>,
    buffer: Vec<u8>,
    interfaces: BTreeMap<u16, Interface>,
    watches: Watches,
    owners: Option<Owners>,
    timeline: Timeline,
    seed: [u64; 2],
    may_capture: bool,
    finishing: bool,
    /// Something came in since the last tick, or waits to be told.
    busy: bool,
    /// When the next tick is due.
    tick: Instant,
    /// Records that each interface may still tell in this tick.
    telling: BTreeMap<u16, u32>,
    telling_watches: bool,
    /// Which interface tells first, each in turn.
    turn: usize,
    /// Messages sent at the last tick.
    sent: u64,
}

impl Worker<'_> {
    fn run(&mut self) -> Result<(), WorkerError> {
        loop {
            let ready = self.wait()?;
            self.follow_clock()?;
            self.tell_connections(&ready.connecting)?;
            self.read(&ready);
            if ready.command && !self.command()? {
                return Ok(());
            }
            self.outbox.flush()?;
            if Instant::now() >= self.tick {
                self.tick()?;
            } else {
                self.tell()?;
            }
            self.remove_ended()?;
            if self.finishing && self.interfaces.is_empty() && self.outbox.has_room() {
                self.outbox.tell(&Record::Done)?;
                return Ok(()); // the socket had room for what came before; where it has none the end says as much
            }
        }
    }

    fn follow_clock(&mut self) -> Result<(), WorkerError> {
        let now = Clocks::read().map_err(WorkerError::Clock)?;
        if let Some(nanoseconds) = self.timeline.advance(now) {
            self.outbox.tell(&Record::ClockJump { nanoseconds })?;
            for interface in self.interfaces.values_mut() {
                interface.jump(&self.timeline);
            }
        }
        Ok(())
    }

    fn read(&mut self, ready: &Ready) {
        let was_busy = self.busy;
        if let Some(owners) = &mut self.owners {
            owners.read();
        }
        let owners = self.owners.as_ref();
        for (id, flags) in &ready.interfaces {
            if let Some(interface) = self.interfaces.get_mut(id) {
                if flags.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
                    interface.error_seen();
                }
                self.busy |= interface.read(&self.timeline, &mut self.watches, owners);
            }
        }
        let asking = self
            .interfaces
            .iter_mut()
            .filter(|(id, _)| !ready.interfaces.iter().any(|(read, _)| read == *id));
        for (_, interface) in asking.filter(|(_, interface)| interface.patience().is_some()) {
            self.busy |= interface.read(&self.timeline, &mut self.watches, owners);
        }
        if self.busy && !was_busy {
            // the clock of ticks starts with the first packet after a quiet time
            self.tick = self.tick.min(Instant::now() + TICK);
        }
    }

    fn tick(&mut self) -> Result<(), WorkerError> {
        for interface in self.interfaces.values_mut() {
            // a deleted interface is seen here at the latest, and a block that poll did not announce
            if !self.busy {
                self.busy |= interface.read(&self.timeline, &mut self.watches, self.owners.as_ref());
            }
            interface.tick(&self.timeline);
        }
        self.follow_owners();
        self.watches.tick(self.timeline.now());
        self.telling =
            self.interfaces.iter().map(|(id, interface)| (*id, records_in_a_tick(interface))).collect();
        self.telling_watches = true;
        self.turn = self.turn.wrapping_add(1);
        self.tell()?;
        if self.outbox.sent() == self.sent && self.outbox.has_room() && !self.busy {
            self.outbox.tell(&Record::Alive)?;
        }
        self.sent = self.outbox.sent();
        self.busy = self.watches.has_news() || self.interfaces.values().any(Interface::has_news);
        let wait = if self.busy { TICK } else { self.until_next_second() };
        self.tick = Instant::now() + wait;
        Ok(())
    }

    fn follow_owners(&mut self) {
        let Some(owners) = &mut self.owners else { return };
        owners.read();
        let looked_for =
            self.interfaces.values().flat_map(|interface| interface.looked_for(&self.timeline, owners));
        let has = |key: &Key| self.interfaces.values().any(|interface| interface.has_flow(key));
        owners.are_seen(looked_for.filter(has).collect());
        for interface in self.interfaces.values_mut() {
            interface.follow(&self.timeline, owners);
        }
        owners.tick(self.timeline.now(), self.interfaces.values().filter_map(Interface::next_change).min());
    }

    fn until_next_second(&self) -> Duration {
        let into_second = self.timeline.now().wrapping_sub(AFTER_SECOND) % SECOND;
        Duration::from_nanos(SECOND - into_second)
    }
}

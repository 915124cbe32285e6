//! One thread owns windows, totals and the journal's writing end; others send it `Input` and read what it publishes.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use shared::health::Degraded;
use weir_shared as shared;

use crate::attribution::{Attribution, ebpf};
use crate::capture::lengths::SnapLength;
use crate::counters::{self, CounterSource, Counters, Reading};
use crate::detect::{self, Alerts, Detector, WorkerFacts};
use crate::interface::{Link, Selection, Watcher};
use crate::journal::{self, Journal};
use crate::kept::{self, Kept};
use crate::window::Traffic;
use crate::worker::supervise::{Event, WorkerHandle};

mod answers;
mod backlog;
mod captures;
pub mod command;
mod configured;
mod live;
mod owners;
mod records;
mod second;
mod session_owners;
mod sessions;
mod watches;

use backlog::Backlog;
use captures::Captures;
use live::Publisher;
use owners::Owners;
use second::Accounts;
use sessions::Sessions;
use watches::Watches;

const TICK: Duration = Duration::from_secs(1);
/// So many milliseconds after a second has ended: by then the worker has told what flows moved in it.
const TOLD: u64 = 350;

/// What the engine's thread takes in, one at a time.
#[derive(Debug)]
pub enum Input {
    Command(command::Command),
    Worker(Event),
    Links(Vec<Link>),
    /// A new configuration that passed its checks.
    Configured(Box<Settings>),
    Stop,
}

/// What of the configuration the engine acts on, at the start and when it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub capture: CaptureSettings,
    pub journal: journal::Limits,
    /// Bytes a second, where nobody has set another while it runs.
    pub process_threshold: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    pub selection: Selection,
    pub filter: String,
    pub snap_length: SnapLength,
    pub buffer_mib: u16,
    pub promiscuous: bool,
}

/// What the engine is made of.
#[derive(Debug)]
pub struct Parts {
    pub settings: Settings,
    pub window: Duration,
    pub attribution: Attribution,
    /// Kernel programs that tell the worker who owns which flow.
    pub programs: ebpf::Outcome,
    pub traffic: Traffic,
    pub counters: Counters,
    pub journal: Arc<Journal>,
    pub kept: (Kept, kept::Contents),
    pub worker: WorkerHandle,
    pub watcher: Watcher,
}

/// Owns all state; runs on a thread of its own.
#[derive(Debug)]
pub struct Engine {
    started: Timestamp,
    settings: Settings,
    window: Duration,
    links: Vec<Link>,
    captures: Captures,
    traffic: Traffic,
    counters: Counters,
    counter_source: Box<dyn CounterSource>,
    /// Counters are not what they should be, since the start.
    counters_degraded: Option<Degraded>,
    /// They could not be read at the last tick.
    counters_trouble: Option<String>,
    readings: Vec<Reading>,
    /// By interface name, over all its openings.
    accounts: Accounts,
    journal: Arc<Journal>,
    backlog: Backlog,
    detectors: Vec<Box<dyn Detector>>,
    alerts: Alerts,
    worker: WorkerHandle,
    worker_facts: WorkerFacts,
    watcher: Watcher,
    watches: Watches,
    publisher: Publisher,
    sessions: Sessions,
    /// Captured interfaces that were said to be gone.
    away: BTreeSet<String>,
    kept: Kept,
    owners: Owners,
    /// Bytes a second in either direction over which a process raises an alert; 0: off.
    process_threshold: u64,
    /// By somebody, and not by the configuration.
    threshold_was_set: bool,
    refused_records: u64,
    /// News of owners that found no room; told again when their sockets move on.
    owner_events_lost: u64,
    stopping: bool,
}

/// Until the next second has been told; a tick that came late does not make the next one early.
fn until_tick(now: Timestamp) -> Duration {
    let into_second = u64::try_from(now.as_millisecond().rem_euclid(1_000)).unwrap_or(0);
    let wait = Duration::from_millis((1_000 + TOLD - into_second) % 1_000);
    if wait < TICK / 2 { wait + TICK } else { wait }
}

impl Engine {
    pub fn new(parts: Parts) -> Self {
        let Parts {
            settings,
            window,
            attribution,
            programs,
            mut traffic,
            counters,
            journal,
            worker,
            watcher,
            ..
        } = parts;
        let (kept, contents) = parts.kept;
        let configured_threshold = settings.process_threshold;
        let now = Timestamp::now();
        // alert ids stay above those of every earlier run: there are never more alerts than journal entries
        let (counter_source, counters_degraded) = counters::open_source();
        let sessions = Sessions::resume(&contents, &mut traffic, now);
        let first_alert = journal.last_sequence().borrow().saturating_add(1);
        Self {
            started: now,
            settings,
            window,
            links: Vec::new(),
            captures: Captures::default(),
            traffic,
            counters,
            counter_source,
            counters_degraded,
            counters_trouble: None,
            readings: Vec::new(),
            accounts: Accounts::new(),
            backlog: Backlog::new(Arc::clone(&journal)),
            journal,
            detectors: detect::all(),
            alerts: Alerts::new(first_alert),
            worker,
            worker_facts: WorkerFacts { running: true, ..WorkerFacts::default() },
            watcher,
            watches: Watches::default(),
            publisher: Publisher::default(),
            sessions,
            away: BTreeSet::new(),
            kept,
            owners: Owners::new(attribution, programs),
            process_threshold: contents.process_threshold.unwrap_or(configured_threshold),
            threshold_was_set: contents.process_threshold.is_some(),
            refused_records: 0,
            owner_events_lost: 0,
            stopping: false,
        }
    }

    /// Until told to stop, or until nobody can tell it anything any more.
    pub fn run(mut self, inputs: &Receiver<Input>) {
        let mut tick = Instant::now();
        while !self.stopping {
            let mut wait = tick.saturating_duration_since(Instant::now());
            let patience = [self.owners.patience(), self.watches.patience()];
            wait = patience.into_iter().flatten().fold(wait, Duration::min);
            match inputs.recv_timeout(wait) {
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.find_owners();
            self.name_packets();
            if Instant::now() >= tick {
                self.tick();
                tick = Instant::now() + until_tick(Timestamp::now());
            }
        }
        self.finish(inputs);
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Command(command) => self.answer(command),
            Input::Worker(event) => self.worker_event(event),
            Input::Links(links) => self.links_changed(links),
            Input::Configured(settings) => self.configured(*settings),
            Input::Stop => self.stopping = true,
        }
    }
}

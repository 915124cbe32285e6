//! What the engine publishes of itself: the live view once a second, and the status when asked.
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use shared::health::{CaptureStatus, Degraded, Losses, Status};
use shared::live::{Live, LiveInterface, Update};
use shared::report::{Ledger, RxTx, Window};
use tokio::sync::broadcast;
use weir_shared as shared;

use super::Engine;
use super::captures::Capture;
use super::command::Subscription;
use crate::window::owner_lists::LiveOwners;

/// Rows of each live list; more are fetched with the list calls.
const LIVE_ROWS: usize = 50;
/// Owners over interfaces.
const LIVE_OWNERS: usize = 200;
/// Newest seconds in an update: a late one tells of more than one.
const RECENT_SECONDS: usize = 5;
/// A reader that lags by more gets a fresh snapshot.
const UPDATES_KEPT: usize = 16;

/// Numbers the updates and hands them to whoever listens.
#[derive(Debug)]
pub(super) struct Publisher {
    updates: broadcast::Sender<Arc<Live>>,
    sequence: u64,
    last_window: Option<Window>,
}

impl Default for Publisher {
    fn default() -> Self {
        Self { updates: broadcast::Sender::new(UPDATES_KEPT), sequence: 0, last_window: None }
    }
}

impl Publisher {
    fn has_readers(&self) -> bool {
        self.updates.receiver_count() > 0
    }

    pub(super) fn window_closed(&mut self, window: Window) {
        self.last_window = Some(window);
    }
}

impl Engine {
    /// Called once a second; costs nothing while nobody listens.
    pub(super) fn publish(&mut self, now: Timestamp, window_closed: bool) {
        self.publisher.sequence = self.publisher.sequence.saturating_add(1);
        if self.publisher.has_readers() {
            let mut update = self.update(now, window_closed);
            let ids = self.captures.iter().filter_map(|capture| capture.id);
            update.recent_seconds = ids.map(|id| self.traffic.seconds(id, RECENT_SECONDS)).collect();
            let live = Live::Update { sequence: self.publisher.sequence, now: update };
            // an error says that the last reader has just left
            drop(self.publisher.updates.send(Arc::new(live)));
        }
    }

    pub(super) fn subscription(&mut self, now: Timestamp) -> Subscription {
        let updates = self.publisher.updates.subscribe();
        let ids = self.captures.iter().filter_map(|capture| capture.id);
        let seconds = ids.map(|id| self.traffic.seconds(id, usize::MAX)).collect();
        let now = self.update(now, true);
        Subscription { snapshot: Live::Snapshot { sequence: self.publisher.sequence, now, seconds }, updates }
    }

    fn update(&mut self, now: Timestamp, with_window: bool) -> Update {
        self.traffic.look(LIVE_ROWS);
        let LiveOwners { list: mut owners, active } =
            self.traffic.live_owners("", LIVE_OWNERS, self.directory());
        self.add_earlier_of_session(&mut owners);
        Update {
            time: now,
            interfaces: self.captures.asked_for().map(|capture| self.live_interface(capture)).collect(),
            last_window: if with_window { self.publisher.last_window.clone() } else { None },
            losses: self.losses(),
            degraded: self.degraded(),
            last_sequence: self.last_sequence(),
            open_alerts: u32::try_from(self.alerts.open()).unwrap_or(u32::MAX),
            window_millis: self.window_millis(),
            recent_seconds: Vec::new(),
            owners,
            active_owners: u32::try_from(active).unwrap_or(u32::MAX),
            session: self.running_session(false),
            process_threshold_bytes_per_second: self.process_threshold,
        }
    }

    fn live_interface(&self, capture: &Capture) -> LiveInterface {
        let status = self.capture_status(capture);
        let mut live = LiveInterface {
            interface: status.interface,
            state: status.state,
            reason: status.reason,
            in_totals: capture.in_totals,
            primary: capture.primary,
            second: RxTx::default(),
            average_per_second: RxTx::default(),
            average_windows: 0,
            today: self.counters.today(&capture.name),
            month: self.counters.month(&capture.name),
            captured: self.captured(capture),
            dropped_packets: status.dropped_packets,
            ledger: status.ledger,
            hosts: Default::default(),
            flows: Default::default(),
            owners: Default::default(),
        };
        if let Some(id) = capture.id {
            let totals = self.traffic.totals(id);
            live.second = self.traffic.last_second(id).1;
            (live.average_per_second, live.average_windows) =
                (totals.average_per_second, totals.average_windows);
            live.hosts = self.traffic.live_hosts(id, LIVE_ROWS);
            live.flows = self.traffic.live_flows(id, LIVE_ROWS, self.directory());
            live.owners = self.traffic.live_owners(&capture.name, LIVE_ROWS, self.directory()).list;
        }
        live
    }

    /// Over all openings of an interface.
    pub(super) fn captured(&self, capture: &Capture) -> RxTx {
        let mut captured = capture.before;
        if let Some(id) = capture.id {
            captured += self.traffic.totals(id).captured;
        }
        captured
    }

    pub(super) fn capture_status(&self, capture: &Capture) -> CaptureStatus {
        let mut dropped = capture.dropped_before;
        let account = self.accounts.get(&capture.name);
        if let Some(id) = capture.id {
            dropped = dropped.saturating_add(self.traffic.totals(id).dropped_packets);
        }
        CaptureStatus {
            interface: capture.name.clone(),
            state: capture.state,
            reason: capture.reason.clone(),
            captured: self.captured(capture).sum(),
            dropped_packets: dropped,
            kernel: account.map(|account| account.kernel).unwrap_or_default(),
            ledger: account.map(|account| account.ledger.total()).unwrap_or_default(),
        }
    }

    pub(super) fn status(&self, now: Timestamp) -> Status {
        let capture: Vec<CaptureStatus> =
            self.captures.asked_for().map(|capture| self.capture_status(capture)).collect();
        let uptime = now.duration_since(self.started).as_secs();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            uptime_seconds: u64::try_from(uptime).unwrap_or(0),
            ledger: self.ledger_of_totals(),
            attribution: self.owners.programs.status(self.owners.attribution.status()),
            degraded: self.degraded(),
            losses: self.losses(),
            last_sequence: self.last_sequence(),
            journal_id: self.journal.opened().map(|opened| opened.journal_id).unwrap_or_default(),
            window_seconds: f64::from(self.window_millis()) / 1_000.0,
            host_name: host_name(),
            time_zone: time_zone(),
            process_threshold_bytes_per_second: self.process_threshold,
            capture,
        }
    }

    /// Over the interfaces that count in totals, so that no byte counts twice.
    fn ledger_of_totals(&self) -> Ledger {
        let counted = self.captures.iter().filter(|capture| capture.in_totals);
        counted
            .filter_map(|capture| self.accounts.get(&capture.name))
            .map(|account| account.ledger.total())
            .fold(Ledger::default(), |sum, ledger| Ledger {
                kernel_bytes: sum.kernel_bytes.saturating_add(ledger.kernel_bytes),
                attributed_bytes: sum.attributed_bytes.saturating_add(ledger.attributed_bytes),
                unattributed_bytes: sum.unattributed_bytes.saturating_add(ledger.unattributed_bytes),
                lost_bytes: sum.lost_bytes.saturating_add(ledger.lost_bytes),
                outside_bytes: sum.outside_bytes.saturating_add(ledger.outside_bytes),
            })
    }

    /// Every loss that could not be avoided, by the hand-over that lost; zero included.
    pub(super) fn losses(&self) -> Losses {
        let mut losses = Losses::new();
        let mut add = |name: &str, count: u64| {
            let sum = losses.entry(name.to_owned()).or_default();
            *sum = sum.saturating_add(count);
        };
        for capture in self.captures.iter() {
            add("capture_dropped_packets", self.capture_status(capture).dropped_packets);
            let totals = capture.id.map(|id| self.traffic.totals(id)).unwrap_or_default();
            add("evicted_flows", totals.evicted_flows);
            add("lost_names", totals.lost_names);
        }
        add("journal_records", self.backlog.lost);
        add("refused_records", self.refused_records);
        add("owner_events_lost", self.owner_events_lost);
        add("suppressed_alerts", self.alerts.suppressed);
        add("owners_not_asked_for", self.owners.unasked);
        for (name, count) in self.owners.attribution.losses() {
            add(&name, count);
        }
        losses
    }

    pub(super) fn degraded(&self) -> Vec<Degraded> {
        let mut degraded = self.journal.degraded();
        degraded.extend(self.backlog.degraded());
        degraded.extend(self.counters.degraded());
        degraded.extend(self.kept.degraded());
        if !self.owners.programs.at_work {
            degraded.extend(self.owners.attribution.degraded()); // what kernel programs tell needs none of it
        }
        degraded.extend(self.counters_degraded.clone());
        let trouble = self.counters_trouble.clone();
        degraded.extend(trouble.map(|reason| Degraded { part: "counters".to_owned(), reason }));
        degraded.extend(self.watcher.degraded());
        let now = Instant::now();
        let troubles =
            self.captures.iter().filter_map(|capture| Some((&capture.name, capture.trouble(now)?)));
        degraded.extend(troubles.map(|(name, reason)| Degraded {
            part: "capture".to_owned(),
            reason: format!("{name}: {reason}"),
        }));
        degraded
    }

    fn last_sequence(&self) -> u64 {
        *self.journal.last_sequence().borrow()
    }

    pub(super) fn window_millis(&self) -> u32 {
        u32::try_from(self.window.as_millis()).unwrap_or(u32::MAX)
    }
}

fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

fn time_zone() -> String {
    jiff::tz::TimeZone::system().iana_name().unwrap_or("local").to_owned()
}

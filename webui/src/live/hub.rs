//! The newest state of the collector, and the fan-out of its updates. A reader that is slow misses updates and gets a whole
//! snapshot later; the task that feeds the hub never waits for it.
use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use tokio::sync::broadcast;
use weir_shared::client::Collector;
use weir_shared::health::{CaptureState, Degraded, Status};
use weir_shared::live::{Live, SecondSeries, Update};
use weir_shared::report::Window;

use super::frame;
use super::seconds::Seconds;
use crate::store::scope::routes;

/// Updates that a reader may be behind before it gets a snapshot instead.
const BEHIND: usize = 8;
/// Journal entries that may wait to be stored before that is said.
const MOST_WAITING: u64 = 10;

/// Whether the collector is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    Up { since: Timestamp },
    Down { since: Timestamp, reason: String },
}

/// What pages show before their script has connected.
#[derive(Clone, Debug, Default)]
pub struct Now {
    pub host_name: String,
    pub time_zone: String,
    /// Primary first.
    pub interfaces: Vec<(String, CaptureState)>,
    pub losses: u64,
    pub open_alerts: u32,
    pub degraded: Vec<Degraded>,
}

/// Interfaces that count in totals.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// None where no interface does; then all are meant.
    pub names: Vec<String>,
    /// Packets pass between them, so that the same ones stand in the lists of two.
    pub forwards: bool,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub {
    inner: Arc<RwLock<Inner>>,
    frames: broadcast::Sender<Arc<str>>,
}

#[derive(Debug)]
struct Inner {
    link: LinkState,
    collector: Option<Collector>,
    status: Option<Status>,
    sequence: u64,
    update: Option<Update>,
    last_window: Option<Window>,
    seconds: Seconds,
    /// Why the history cannot be written.
    history_trouble: Option<String>,
    /// How far the journal has been stored; None before that is known.
    stored_sequence: Option<u64>,
    /// Entries of the journal that could not be stored since this program started.
    passed_over: u64,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Hub {
    pub fn new() -> Self {
        let link = LinkState::Down { since: Timestamp::now(), reason: "not connected yet".to_owned() };
        Self {
            inner: Arc::new(RwLock::new(Inner {
                link,
                collector: None,
                status: None,
                sequence: 0,
                update: None,
                last_window: None,
                seconds: Seconds::default(),
                history_trouble: None,
                stored_sequence: None,
                passed_over: 0,
            })),
            frames: broadcast::Sender::new(BEHIND),
        }
    }

    /// The link came up, over this connection.
    pub fn link_up(&self, collector: Collector, status: Option<Status>) {
        let Ok(mut inner) = self.inner.write() else { return };
        inner.collector = Some(collector);
        inner.status = status.or_else(|| inner.status.take());
        inner.link = LinkState::Up { since: Timestamp::now() };
        self.send(inner.link_frame());
    }

    /// The link went down, or an attempt failed for this reason. The time stays that of the first failure.
    pub fn link_down(&self, reason: String) {
        let Ok(mut inner) = self.inner.write() else { return };
        let since = match &inner.link {
            LinkState::Down { since, .. } => *since,
            LinkState::Up { .. } => Timestamp::now(),
        };
        let down = LinkState::Down { since, reason };
        inner.collector = None;
        if inner.link != down {
            inner.link = down;
            self.send(inner.link_frame());
        }
    }

    pub fn link(&self) -> LinkState {
        self.inner.read().map_or_else(
            |_| LinkState::Down { since: Timestamp::now(), reason: "the live view failed".to_owned() },
            |inner| inner.link.clone(),
        )
    }

    /// The connection while the link is up.
    pub fn collector(&self) -> Option<Collector> {
        self.inner.read().ok()?.collector.clone()
    }

    /// Why the history cannot be written, and how far the journal has been stored; None: as before. Open pages are told
    /// at once.
    pub fn history(&self, trouble: Option<String>, stored_sequence: Option<u64>) {
        let Ok(mut inner) = self.inner.write() else { return };
        let changed = inner.history_trouble != trouble;
        inner.history_trouble = trouble;
        inner.stored_sequence = stored_sequence.or(inner.stored_sequence);
        if changed {
            self.send(inner.link_frame());
        }
    }

    /// An entry of the journal could not be stored; the history goes on behind it.
    pub fn passed_over(&self, sequence: u64) {
        let Ok(mut inner) = self.inner.write() else { return };
        inner.passed_over = inner.passed_over.saturating_add(1);
        inner.stored_sequence = Some(sequence);
        self.send(inner.link_frame());
    }

    /// How many entries of the journal could not be stored since this program started.
    pub fn count_passed_over(&self) -> u64 {
        self.inner.read().map_or(0, |inner| inner.passed_over)
    }

    /// Why the newest windows are not in the history yet; None where they are.
    pub fn behind(&self) -> Option<String> {
        self.inner.read().ok()?.behind()
    }

    /// Takes what the collector said last and passes it on.
    pub fn publish(&self, live: Live) {
        let Ok(mut inner) = self.inner.write() else { return };
        let (sequence, mut now, whole) = match live {
            Live::Snapshot { sequence, now, seconds } => {
                inner.seconds.replace(seconds);
                (sequence, now, true)
            }
            Live::Update { sequence, now } => {
                inner
                    .seconds
                    .retain(|name| now.interfaces.iter().any(|interface| interface.interface == name));
                inner.seconds.add(&now.recent_seconds);
                (sequence, now, false)
            }
        };
        let window = now.last_window.take();
        let recent = std::mem::take(&mut now.recent_seconds);
        inner.sequence = sequence;
        inner.update = Some(now);
        let heard = self.frames.receiver_count() > 0;
        let text = if heard && !whole { inner.frame("update", window.as_ref(), &recent) } else { None };
        inner.last_window = window.or_else(|| inner.last_window.take());
        let text = text.or_else(|| if whole && heard { inner.snapshot() } else { None });
        drop(inner);
        self.send(text);
    }

    /// A snapshot for a new or a slow reader, and what follows it. None before the collector has said anything.
    pub fn subscribe(&self) -> (Option<Arc<str>>, broadcast::Receiver<Arc<str>>) {
        let Ok(inner) = self.inner.read() else { return (None, self.frames.subscribe()) };
        // under the lock, so that no update falls between the two
        let receiver = self.frames.subscribe();
        let first = inner.snapshot().or_else(|| inner.link_frame());
        (first, receiver)
    }

    pub fn now(&self) -> Now {
        let Ok(inner) = self.inner.read() else { return Now::default() };
        let mut now = Now::default();
        if let Some(status) = &inner.status {
            now.host_name.clone_from(&status.host_name);
            now.time_zone.clone_from(&status.time_zone);
        }
        if let Some(update) = &inner.update {
            let mut interfaces: Vec<_> = update.interfaces.iter().collect();
            interfaces.sort_by_key(|interface| (!interface.primary, !interface.in_totals));
            now.interfaces =
                interfaces.iter().map(|interface| (interface.interface.clone(), interface.state)).collect();
            now.losses = update.losses.values().fold(0, |sum, count| sum.saturating_add(*count));
            now.open_alerts = update.open_alerts;
        }
        now.degraded = inner.degraded();
        now
    }

    /// What "all interfaces" means now.
    pub fn in_totals(&self) -> Scope {
        let Ok(inner) = self.inner.read() else { return Scope::default() };
        let interfaces = inner.update.iter().flat_map(|update| &update.interfaces);
        let windows = inner.last_window.iter().flat_map(|window| &window.interfaces);
        let counted: Vec<_> = windows.filter(|window| window.in_totals).collect();
        Scope {
            names: interfaces
                .filter(|interface| interface.in_totals)
                .map(|interface| interface.interface.clone())
                .collect(),
            forwards: routes(&counted),
        }
    }

    /// Without readers a frame is for nobody.
    fn send(&self, frame: Option<Arc<str>>) {
        if let Some(frame) = frame
            && self.frames.receiver_count() > 0
            && self.frames.send(frame).is_err()
        {
            tracing::trace!("the last reader left");
        }
    }
}

impl Inner {
    fn snapshot(&self) -> Option<Arc<str>> {
        self.frame("snapshot", self.last_window.as_ref(), &self.seconds.all())
    }

    fn frame(
        &self,
        kind: &'static str,
        window: Option<&Window>,
        seconds: &[SecondSeries],
    ) -> Option<Arc<str>> {
        let degraded = self.degraded();
        let shown = frame::Shown {
            sequence: self.sequence,
            link: &self.link,
            update: self.update.as_ref()?,
            last_window: window,
            degraded: &degraded,
            seconds,
        };
        frame::whole(kind, &shown)
    }

    fn link_frame(&self) -> Option<Arc<str>> {
        frame::link(&self.link, &self.degraded())
    }

    /// Trouble of the collector's parts, and this program's own.
    fn degraded(&self) -> Vec<Degraded> {
        let told = self.update.iter().flat_map(|update| update.degraded.iter().cloned());
        let passed_over = (self.passed_over > 0).then(|| {
            format!(
                "entries of the journal that could not be stored since the start of weir-webui: {}; each is a gap in \
                 the history, whose row says why",
                self.passed_over
            )
        });
        let own = [self.history_trouble.clone(), self.behind(), passed_over].into_iter().flatten();
        told.chain(own.map(|reason| Degraded { part: "history".to_owned(), reason })).collect()
    }

    /// Why the newest windows are not in the history yet.
    fn behind(&self) -> Option<String> {
        let last = self.update.as_ref()?.last_sequence;
        let waiting = last.saturating_sub(self.stored_sequence?);
        let up = matches!(self.link, LinkState::Up { .. });
        (up && waiting > MOST_WAITING).then(|| {
            format!("the last {waiting} entries of the collector's journal are not stored yet; it keeps them meanwhile")
        })
    }
}

//! The newest state of the collector, and the fan-out of its updates. A reader that is slow misses updates and gets a whole
//! snapshot later; the task that feeds the hub never waits for it.
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, RwLock};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast;
use weir_shared::client::Collector;
use weir_shared::health::{CaptureState, Degraded, Status};
use weir_shared::live::{Live, SecondSeries, Update};
use weir_shared::report::{RxTx, Window};

use super::frame;
use crate::store::scope::routes;

/// Updates that a reader may be behind before it gets a snapshot instead.
const BEHIND: usize = 8;
/// Seconds a snapshot carries of each interface.
const SECONDS: usize = 300;
/// Interfaces of which seconds are kept.
const MOST_INTERFACES: usize = 256;

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
    seconds: HashMap<String, Seconds>,
}

/// The last seconds of one interface.
#[derive(Debug)]
struct Seconds {
    next: Timestamp,
    values: VecDeque<RxTx>,
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
                seconds: HashMap::new(),
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
        self.send(frame::link(&inner.link));
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
            self.send(frame::link(&inner.link));
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

    /// Takes what the collector said last and passes it on.
    pub fn publish(&self, live: Live) {
        let Ok(mut inner) = self.inner.write() else { return };
        let (sequence, mut now, whole) = match live {
            Live::Snapshot { sequence, now, seconds } => {
                inner.seconds = seconds.into_iter().take(MOST_INTERFACES).map(Seconds::of).collect();
                (sequence, now, true)
            }
            Live::Update { sequence, now } => {
                inner.add_seconds(&now);
                (sequence, now, false)
            }
        };
        let window = now.last_window.take();
        let heard = self.frames.receiver_count() > 0;
        let text = if whole || !heard {
            None
        } else {
            let update =
                frame::Shown { sequence, link: &inner.link, update: &now, last_window: window.as_ref() };
            frame::update(&update)
        };
        inner.sequence = sequence;
        inner.update = Some(now);
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
        let first = inner.snapshot().or_else(|| frame::link(&inner.link));
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
            now.degraded.clone_from(&update.degraded);
        }
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
        let update = self.update.as_ref()?;
        let mut seconds: Vec<SecondSeries> =
            self.seconds.iter().map(|(name, seconds)| seconds.series(name)).collect();
        seconds.sort_by(|a, b| a.interface.cmp(&b.interface));
        let shown = frame::Shown {
            sequence: self.sequence,
            link: &self.link,
            update,
            last_window: self.last_window.as_ref(),
        };
        frame::snapshot(&shown, &seconds)
    }

    fn add_seconds(&mut self, now: &Update) {
        self.seconds.retain(|name, _| now.interfaces.iter().any(|interface| interface.interface == *name));
        for interface in now.interfaces.iter().take(MOST_INTERFACES) {
            self.seconds
                .entry(interface.interface.clone())
                .or_insert_with(|| Seconds { next: whole_second(now.time), values: VecDeque::new() })
                .push(interface.second);
        }
    }
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

impl Seconds {
    fn of(series: SecondSeries) -> (String, Self) {
        let length = i64::try_from(series.seconds.len()).unwrap_or(0);
        let next = series.start.checked_add(SignedDuration::from_secs(length)).unwrap_or(series.start);
        let mut values: VecDeque<RxTx> = series.seconds.into();
        while values.len() > SECONDS {
            values.pop_front();
        }
        (series.interface, Self { next, values })
    }

    fn push(&mut self, second: RxTx) {
        if self.values.len() == SECONDS {
            self.values.pop_front();
        }
        self.values.push_back(second);
        self.next = self.next.checked_add(SignedDuration::from_secs(1)).unwrap_or(self.next);
    }

    fn series(&self, name: &str) -> SecondSeries {
        let length = i64::try_from(self.values.len()).unwrap_or(0);
        SecondSeries {
            interface: name.to_owned(),
            start: self.next.checked_sub(SignedDuration::from_secs(length)).unwrap_or(self.next),
            seconds: self.values.iter().copied().collect(),
        }
    }
}

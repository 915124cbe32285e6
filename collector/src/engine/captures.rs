//! Which interfaces are captured: what the configuration wants against what the machine has, over the deaths and returns
//! of both. Pure decisions; the engine sends what they ask for.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shared::health::CaptureState;
use shared::report::RxTx;
use weir_shared as shared;

use crate::interface::{Choice, Link};

/// After a capture could not be opened it is tried again so much later.
const RETRY: Duration = Duration::from_secs(5);

/// A first opening that takes longer is worth a word; before, it is what every start looks like.
const OPENING: Duration = Duration::from_secs(3);

/// What was captured last may be on its way for so long after an interface was let go.
const LETTING_GO: Duration = Duration::from_secs(2);

/// One interface that is captured, was, or should be.
#[derive(Clone, Debug)]
pub(super) struct Capture {
    pub(super) name: String,
    pub(super) index: Option<u32>,
    /// Of the present opening; an id comes again only after all others.
    pub(super) id: Option<u16>,
    pub(super) state: CaptureState,
    pub(super) reason: String,
    pub(super) in_totals: bool,
    pub(super) in_owner_totals: bool,
    pub(super) primary: bool,
    pub(super) mac: Option<[u8; 6]>,
    /// Captured by openings that have ended.
    pub(super) before: RxTx,
    pub(super) dropped_before: u64,
    /// It has been open at least once: its absence is a loss.
    pub(super) was_open: bool,
    /// Since then the configuration no longer asks for it: it is kept for its sums only.
    let_go: Option<Instant>,
    /// Opened for the first time then, and not yet told whether that went well.
    opening: Option<Instant>,
    retry_at: Option<Instant>,
    wanted: bool,
}

/// What the worker is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Open { id: u16, name: String },
    Close { id: u16 },
}

#[derive(Debug, Default)]
pub(super) struct Captures {
    captures: BTreeMap<String, Capture>,
    /// Told to close, not yet closed: what they still tell counts to these names.
    closing: BTreeMap<u16, String>,
    last_id: u16,
}

impl Captures {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Capture> {
        self.captures.values()
    }

    /// Those that are captured or should be.
    pub(super) fn asked_for(&self) -> impl Iterator<Item = &Capture> {
        self.captures.values().filter(|capture| capture.let_go.is_none())
    }

    /// Its absence, from the next `reconcile` on, is as it should be.
    pub(super) fn let_go(&mut self, name: &str, now: Instant) {
        if let Some(capture) = self.captures.get_mut(name) {
            capture.let_go = Some(now);
        }
    }

    pub(super) fn by_id(&self, id: u16) -> Option<&Capture> {
        self.captures.values().find(|capture| capture.id == Some(id))
    }

    fn by_id_mut(&mut self, id: u16) -> Option<&mut Capture> {
        self.captures.values_mut().find(|capture| capture.id == Some(id))
    }

    /// Brings the captures in line with the links and the selection's choices.
    pub(super) fn reconcile(&mut self, links: &[Link], choices: &[Choice], now: Instant) -> Vec<Change> {
        for capture in self.captures.values_mut() {
            capture.wanted = false;
        }
        let mut changes = Vec::new();
        for choice in choices {
            let link = choice.index.and_then(|index| links.iter().find(|link| link.index == index));
            match link {
                Some(link) if choice.captured => changes.extend(self.want(choice, link, now)),
                None => self.missing(choice),
                Some(_) => {}
            }
        }
        changes.extend(self.close_unwanted());
        changes
    }

    fn want(&mut self, choice: &Choice, link: &Link, now: Instant) -> Vec<Change> {
        let capture = self
            .captures
            .entry(choice.name.clone())
            .or_insert_with(|| Capture { opening: Some(now), ..Capture::new(&choice.name) });
        capture.wanted = true;
        capture.let_go = None;
        capture.in_totals = choice.in_totals;
        capture.in_owner_totals = choice.in_owner_totals;
        capture.primary = link.primary;
        capture.mac = parse_mac(&link.mac);
        let other_link = capture.index.replace(link.index) != Some(link.index);
        let mut changes = Vec::new();
        if other_link || (capture.id.is_none() && capture.retry_at.is_none()) {
            changes.extend(capture.close(&mut self.closing));
            changes.extend(self.open(&choice.name));
        }
        changes
    }

    fn open(&mut self, name: &str) -> Option<Change> {
        let id = self.fresh_id()?;
        let capture = self.captures.get_mut(name)?;
        capture.id = Some(id);
        capture.retry_at = None;
        Some(Change::Open { id, name: name.to_owned() })
    }

    /// Comes again only after all others, so that a late record never meets a new opening.
    fn fresh_id(&mut self) -> Option<u16> {
        for _ in 0..=u16::MAX {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.by_id(self.last_id).is_none() && !self.closing.contains_key(&self.last_id) {
                return Some(self.last_id);
            }
        }
        None
    }

    /// A configured name that no interface has.
    fn missing(&mut self, choice: &Choice) {
        let capture = self.captures.entry(choice.name.clone()).or_insert_with(|| Capture::new(&choice.name));
        capture.wanted = true;
        capture.let_go = None;
        capture.index = None;
        capture.opening = None;
        capture.state = CaptureState::Gone;
        capture.reason.clone_from(&choice.reason);
    }

    fn close_unwanted(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for capture in self.captures.values_mut().filter(|capture| !capture.wanted) {
            changes.extend(capture.close(&mut self.closing));
            capture.retry_at = None;
            capture.index = None;
            capture.state = CaptureState::Gone;
            "The interface is gone, down, or no longer wanted.".clone_into(&mut capture.reason);
        }
        self.captures.retain(|_, capture| capture.wanted || capture.was_open);
        changes
    }

    /// Everything is to be opened anew, by the next `reconcile`.
    pub(super) fn close_all(&mut self) -> Vec<Change> {
        let closing = &mut self.closing;
        let closed = self.captures.values_mut().filter_map(|capture| {
            capture.retry_at = None;
            capture.close(closing)
        });
        closed.collect()
    }

    pub(super) fn opened(&mut self, id: u16) -> Option<&Capture> {
        let capture = self.by_id_mut(id)?;
        capture.opening = None;
        capture.state = CaptureState::Up;
        capture.was_open = true;
        capture.reason.clear();
        Some(capture)
    }

    /// It could not be opened; it is tried again later.
    pub(super) fn failed(&mut self, id: u16, reason: String, now: Instant) {
        if let Some(capture) = self.by_id_mut(id) {
            capture.id = None;
            capture.opening = None;
            capture.state = CaptureState::Error;
            capture.reason = reason;
            capture.retry_at = now.checked_add(RETRY);
        }
    }

    /// The worker lost it. It is opened again when the kernel shows the interface again, or after a while.
    pub(super) fn gone(&mut self, id: u16, reason: String, now: Instant) {
        if let Some(capture) = self.by_id_mut(id) {
            capture.id = None;
            capture.state = CaptureState::Gone;
            capture.reason = reason;
            capture.retry_at = now.checked_add(RETRY);
        }
    }

    /// What that opening captured, kept when it ends.
    pub(super) fn settle(&mut self, id: u16, captured: RxTx, dropped: u64) {
        let capture = match self.closing.remove(&id) {
            Some(name) => self.captures.get_mut(&name),
            None => self.by_id_mut(id),
        };
        if let Some(capture) = capture {
            capture.before += captured;
            capture.dropped_before = capture.dropped_before.saturating_add(dropped);
        }
    }

    /// Those whose time to be tried again has come and that still have a link.
    pub(super) fn retry(&mut self, now: Instant) -> Vec<Change> {
        let due: Vec<String> = self
            .captures
            .values()
            .filter(|capture| capture.wanted && capture.index.is_some())
            .filter(|capture| capture.retry_at.is_some_and(|at| at <= now))
            .map(|capture| capture.name.clone())
            .collect();
        due.iter().filter_map(|name| self.open(name)).collect()
    }

    /// The worker died: its successor opens the same ids again and says so for each. Returns them.
    pub(super) fn worker_died(&mut self) -> Vec<u16> {
        let mut ended: Vec<u16> = self.closing.keys().copied().collect();
        for capture in self.captures.values_mut().filter(|capture| capture.id.is_some()) {
            ended.extend(capture.id);
            capture.opening = None;
            capture.state = CaptureState::Error;
            "The capture worker ended and is being started again.".clone_into(&mut capture.reason);
        }
        ended
    }
}

impl Capture {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            index: None,
            id: None,
            state: CaptureState::Error,
            reason: "Being opened.".to_owned(),
            in_totals: false,
            in_owner_totals: false,
            primary: false,
            mac: None,
            before: RxTx::default(),
            dropped_before: 0,
            was_open: false,
            let_go: None,
            opening: None,
            retry_at: None,
            wanted: false,
        }
    }

    /// Its absence is not as it should be.
    pub(super) fn is_missed(&self) -> bool {
        self.was_open && self.let_go.is_none() && self.state == CaptureState::Gone
    }

    /// What the kernel counts there is to be found in what was captured.
    pub(super) fn is_explained(&self, now: Instant) -> bool {
        self.let_go.is_none_or(|since| now.saturating_duration_since(since) < LETTING_GO)
    }

    /// Why it is not captured, where that is not as it should be.
    pub(super) fn trouble(&self, now: Instant) -> Option<&str> {
        let starting = self.opening.is_some_and(|since| now.saturating_duration_since(since) < OPENING);
        (self.state == CaptureState::Error && !starting).then_some(self.reason.as_str())
    }

    fn close(&mut self, closing: &mut BTreeMap<u16, String>) -> Option<Change> {
        let id = self.id.take()?;
        closing.insert(id, self.name.clone());
        Some(Change::Close { id })
    }
}

/// `02:00:00:88:00:01`.
fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests;

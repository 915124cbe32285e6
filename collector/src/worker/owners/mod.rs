//! Who owns which flow, told by the kernel programs (`collector/bpf`) through a ring that is mapped here before the
//! sandbox closes, and merged with the packets by time.
//!
//! News and packets come on different ways. An interface's ring hands packets over up to 100 ms late; of a flow that this
//! machine begins the news is 3 µs older than the first packet, of one that comes in up to 1.5 ms younger. So news waits in
//! a log (`follow`), and each interface applies it when a later packet passes, or after 300 ms. `book` knows who holds
//! which end of which flow, translated addresses (NAT) included; `numbers` gives owners small numbers and says what they mean.
mod book;
mod event;
mod follow;
pub mod frames;
pub mod numbers;
mod remembered;

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;

use hashbrown::HashSet;
use weir_sys::ring::{Ring, SharedWords, network_namespace_cookie};

use super::records::Record;
use crate::flows::key::Key;
use book::{Book, Change};
use event::{End, Event, How};
pub(super) use follow::{Cursor, Flows};
use frames::Frames;
use numbers::Numbers;

/// News read in one turn of the loop; the rest stays in the ring.
const MOST_A_TURN: usize = 8_192;
/// Changes that wait for packets. At 9,000 connections a second 10,000 do.
const MOST_CHANGES: usize = 131_072;
/// After news was lost nobody is taken for the owner of a flow by its local end alone, for so many nanoseconds.
const DOUBT: u64 = 3_000_000_000;

/// Byte offsets in `struct control`.
const GENERATION: usize = 0;
const RING_FULL: usize = 16;
const NO_STORAGE: usize = 24;

/// What the parent hands down: two descriptors and the ring's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handed {
    pub(super) events: RawFd,
    pub(super) events_bytes: usize,
    pub(super) control: RawFd,
}

impl Handed {
    /// As an argument of the worker's command line.
    pub(super) fn argument(self) -> String {
        format!("{}:{}:{}", self.events, self.events_bytes, self.control)
    }

    pub(super) fn from_argument(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let handed = Self {
            events: parts.next()?.parse().ok()?,
            events_bytes: parts.next()?.parse().ok()?,
            control: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(handed)
    }
}

/// News in its order, each with its number. The first has number 1.
#[derive(Debug)]
struct Log {
    changes: VecDeque<Change>,
    first: u64,
    lost: u64,
}

impl Log {
    fn next(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.changes.len()).unwrap_or(u64::MAX))
    }

    fn get(&self, number: u64) -> Option<&Change> {
        self.changes.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The latest change of an end of this namespace before `number`.
    fn latest(&self, end: End, number: u64) -> Option<&Change> {
        let before = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let before = self.changes.range(..before.min(self.changes.len()));
        before.rev().find(|change| change.end == end && !change.foreign)
    }

    fn push(&mut self, change: Change) {
        self.changes.push_back(change);
        if self.changes.len() > MOST_CHANGES {
            self.changes.pop_front();
            self.first += 1;
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// What comes before `number` was applied everywhere.
    fn forget_before(&mut self, number: u64) {
        while self.first < number && self.changes.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// Where news comes from.
#[derive(Debug)]
struct Mapped {
    ring: Ring,
    control: SharedWords,
}

#[derive(Debug)]
pub(super) struct Owners {
    /// None in tests, which have no kernel programs.
    mapped: Option<Mapped>,
    book: Book,
    numbers: Numbers,
    log: Log,
    frames: Frames,
    /// Cookie of the network namespace that is captured in.
    namespace: u64,
    unreadable: u64,
    lost_told: u64,
    /// Of the timeline, nanoseconds.
    doubt_until: u64,
    /// Of the tuples that `looked_for` gave, those that an interface has a flow of.
    seen: HashSet<Key>,
}

impl Owners {
    /// Maps what the parent handed down, and has everything told again.
    ///
    /// # Errors
    /// The descriptors are not those of a ring and of its control words, or the kernel is too old.
    pub(super) fn open(handed: Handed) -> io::Result<Self> {
        let mapped = Mapped {
            ring: Ring::map(handed.events, handed.events_bytes)?,
            control: SharedWords::map(handed.control)?,
        };
        mapped.control.add_one(GENERATION);
        let mut owners = Self::of(network_namespace_cookie()?);
        owners.lost_told = mapped.lost(); // of those who read before
        owners.mapped = Some(mapped);
        Ok(owners)
    }

    fn of(namespace: u64) -> Self {
        Self {
            mapped: None,
            book: Book::new(namespace),
            numbers: Numbers::default(),
            log: Log { changes: VecDeque::new(), first: 1, lost: 0 },
            frames: Frames::default(),
            namespace,
            unreadable: 0,
            lost_told: 0,
            doubt_until: 0,
            seen: HashSet::new(),
        }
    }

    /// Before `follow`: with which tuples packets of connections whose ends are due here may be seen elsewhere, too.
    pub(super) fn looked_for(&self, cursor: &Cursor, now: u64) -> Vec<Key> {
        cursor.due(now).flat_map(|end| self.book.seen_elsewhere(end.key)).collect()
    }

    pub(super) fn are_seen(&mut self, seen: HashSet<Key>) {
        self.seen = seen;
    }

    /// Takes in what is in the ring. Comes before packets are read: the news of a packet that is there is there too.
    pub(super) fn read(&mut self) {
        let Some(mapped) = &mut self.mapped else { return };
        let mut fresh = Vec::new();
        let mut unreadable = 0;
        mapped.ring.read(MOST_A_TURN, |bytes| match Event::read(bytes) {
            Some(event) => fresh.push(event),
            None => unreadable += 1,
        });
        self.unreadable += unreadable;
        self.take(fresh);
    }

    /// Places in the ring are given out on several processors at once: nearly in order.
    fn take(&mut self, mut fresh: Vec<Event>) {
        fresh.sort_by_key(Event::time);
        for event in fresh {
            match event {
                Event::Program(event) => self.numbers.program(*event),
                Event::Frames(event) if event.network_namespace == self.namespace => {
                    self.frames.add(&event, self.numbers.of(&event.holder));
                }
                Event::Frames(_) => {}
                Event::Translation(event) => {
                    for change in self.book.take_translation(&event, self.log.next()) {
                        self.log.push(change);
                    }
                }
                Event::Socket(event) => {
                    let number = if event.how == How::Kernel { 0 } else { self.numbers.of(&event.holder) };
                    for change in self.book.take(&event, number, self.log.next()) {
                        self.log.push(change);
                    }
                }
            }
        }
    }

    /// Once a tick: `now` is the timeline's, `applied` the number before which every interface has applied the changes.
    pub(super) fn tick(&mut self, now: u64, applied: Option<u64>) {
        if self.lost() > self.lost_told {
            self.doubt_until = now.saturating_add(DOUBT);
        }
        self.log.forget_before(applied.unwrap_or_else(|| self.log.next()));
    }

    /// An interface was opened: what was forgotten of its flows is told again.
    pub(super) fn interface_opened(&self) {
        if let (true, Some(mapped)) = (self.book.has_forgotten(), &self.mapped) {
            mapped.control.add_one(GENERATION);
        }
    }

    fn lost(&self) -> u64 {
        let here = self.unreadable + self.log.lost + self.numbers.lost;
        self.mapped.as_ref().map_or(0, Mapped::lost).saturating_add(here)
    }

    pub(super) fn has_news(&self) -> bool {
        self.numbers.has_untold() || !self.frames.is_empty() || self.lost() > self.lost_told
    }

    /// The next record to tell; must be told before the traffic that refers to it.
    pub(super) fn take_record(&mut self) -> Option<Record> {
        if self.numbers.has_untold() {
            return Some(Record::Owners(self.numbers.take()));
        }
        if !self.frames.is_empty() {
            return Some(Record::Frames(self.frames.take()));
        }
        let lost = self.lost();
        if lost > self.lost_told {
            let events = lost - self.lost_told;
            self.lost_told = lost;
            return Some(Record::OwnerEventsLost { events });
        }
        None
    }
}

impl Mapped {
    /// News that found no room. All of it is tried again with the socket's next packet.
    fn lost(&self) -> u64 {
        self.control.get(RING_FULL).saturating_add(self.control.get(NO_STORAGE))
    }
}

#[cfg(test)]
mod tests;

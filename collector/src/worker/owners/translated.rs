//! Connections whose addresses this machine translates (NAT): their packets have other addresses on one of its interfaces
//! than the sockets at their ends.
use super::book::MOST_KEYS;
use super::event::{End, TranslationEvent};
use super::remembered::{Bounded, Remembered};
use crate::flows::key::Key;

/// The other tuple of a connection that this one is a tuple of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Other {
    key: Key,
    /// The low end of the one is the high end of the other.
    crossed: bool,
    /// A socket of this network namespace has sent on it; else it is forwarded.
    by_socket: bool,
    /// Only the responder's address is translated.
    keeps_initiator: bool,
    /// The initiator is at this tuple's low end.
    initiator_low: bool,
}

impl Other {
    fn end(&self, low: bool) -> End {
        End { key: self.key, low: low != self.crossed }
    }
}

/// What a tuple has become, and what it was: it can be one connection's before and another one's after.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    before: Option<Other>,
    after: Option<Other>,
}

/// Of this network namespace, by both tuples.
#[derive(Debug, Default)]
pub(super) struct Translated(Remembered<Key, Pair>);

impl Bounded for Pair {
    const MOST: usize = MOST_KEYS;
}

impl Translated {
    pub(super) fn add(&mut self, event: &TranslationEvent) {
        let TranslationEvent { before, after, by_socket, .. } = *event;
        let keeps_initiator = before.place() == after.place();
        let other = |of: End, key| Other {
            key,
            crossed: before.low != after.low,
            by_socket,
            keeps_initiator,
            initiator_low: of.low,
        };
        self.0.get_or_insert(before.key).after = Some(other(before, after.key));
        self.0.get_or_insert(after.key).before = Some(other(after, before.key));
    }

    /// Where an end of a socket behind this machine is seen with other addresses.
    pub(super) fn in_front(&self, end: End) -> impl Iterator<Item = End> {
        self.others(end)
            .into_iter()
            .flatten()
            .filter(|other| !other.by_socket)
            .map(move |other| other.end(end.low))
    }

    /// Where a socket of this machine is seen that takes what is sent to another port or address (redirection).
    pub(super) fn redirected(&self, end: End) -> Option<End> {
        let [before, _] = self.others(end);
        let other = before.filter(|other| other.by_socket && other.keeps_initiator)?;
        (end.low != other.initiator_low).then(|| other.end(end.low))
    }

    /// Tuples of the connections that are forwarded with this one.
    pub(super) fn behind(&self, key: Key) -> impl Iterator<Item = Key> {
        let low = End { key, low: true };
        self.others(low).into_iter().flatten().filter(|other| !other.by_socket).map(|other| other.key)
    }

    /// Only those that still belong to each other.
    fn others(&self, end: End) -> [Option<Other>; 2] {
        let Some(Pair { before, after }) = self.0.get(&end.key) else { return [None; 2] };
        let of = |other: &Other| self.0.get(&other.key).copied().unwrap_or_default();
        let is_back = |back: Option<Other>| back.is_some_and(|back| back.key == end.key);
        [before.filter(|other| is_back(of(other).after)), after.filter(|other| is_back(of(other).before))]
    }

    pub(super) fn has_forgotten(&self) -> bool {
        self.0.has_forgotten()
    }
}

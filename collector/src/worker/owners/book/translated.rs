//! Connections whose addresses this machine translates (NAT): their packets have other addresses on one of its interfaces
//! than the sockets at their ends.
use super::super::event::{End, SocketEvent, TranslationEvent};
use super::super::remembered::{Bounded, Remembered};
use super::{Book, Change, Changes, MOST_KEYS, Owner, Version};
use crate::attribution::OwnerId;
use crate::flows::key::Key;
use crate::flows::record::{Match, OwnerMark};

/// Nobody on this machine.
const FORWARDED: OwnerMark =
    OwnerMark { owner: OwnerId::FORWARDED.0, quality: Match::Forwarded, passes: false };

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

/// By both tuples.
#[derive(Debug, Default)]
pub(super) struct Translated(Remembered<Key, Pair>);

/// An echo's identifier stands at both ends, whichever of them is translated.
fn is_translated(shown: End, own: End) -> bool {
    let ((shown_address, shown_port), (address, port)) = (shown.place(), own.place());
    shown_address != address || shown_port != port && !matches!(own.key.protocol, 1 | 58)
}

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

impl Book {
    /// Takes in that addresses are translated; the changes as with `take`. In a network namespace behind this machine they
    /// may be before they come here, as those of containers in a container.
    pub(in super::super) fn take_translation(&mut self, event: &TranslationEvent, first: u64) -> Vec<Change> {
        let foreign = event.network_namespace != self.namespace;
        let mut changes = Changes { time: event.time, next: first, made: Vec::new() };
        let TranslationEvent { before, after, by_socket, .. } = *event;
        let [before_responder, after_responder] = [before, after].map(End::other);
        match (foreign, by_socket) {
            (true, true) => {} // its socket is told of with the addresses that leave the namespace
            (true, false) => self.translated_behind.add(event),
            (false, _) => self.translated.add(event),
        }
        if by_socket {
            let shown = self.translated.redirected(after_responder).filter(|_| !foreign);
            if let Some((end, owner)) = shown.zip(self.latest(after_responder)) {
                self.put(end, owner, foreign, &mut changes);
            }
            return changes.made;
        }
        // the end whose address is not a socket's own; news of an initiator's socket is older, of a responder's younger
        for (shown, own, held) in [(after, before, false), (before_responder, after_responder, true)] {
            if is_translated(shown, own) {
                let known = Self::latest_of(&self.foreign, own);
                let owner = match known {
                    Some(owner) => owner,
                    None if foreign => continue,
                    None => Owner { mark: FORWARDED, held, ..Owner::default() },
                };
                let owner = Owner { behind: true, since: event.time, ..owner };
                self.put(shown, owner, foreign, &mut changes);
            }
        }
        changes.made
    }

    /// An end that is seen with other addresses too has the same owner there, unless those are another one's by now.
    pub(super) fn note_translated(&mut self, end: End, owner: Owner, foreign: bool, changes: &mut Changes) {
        if !foreign {
            if let Some(shown) = self.translated.redirected(end) {
                self.put(shown, owner, foreign, changes);
            }
            return;
        }
        let behind: Vec<End> = self.translated_behind.in_front(end).collect();
        for middle in behind.into_iter().filter(|shown| is_translated(*shown, end)) {
            if Self::latest_of(&self.foreign, middle).is_some_and(|latest| latest.behind) {
                self.put(middle, Owner { behind: true, ..owner }, true, changes);
                self.note_in_front(middle, owner, changes);
            }
        }
        self.note_in_front(end, owner, changes);
    }

    fn note_in_front(&mut self, end: End, owner: Owner, changes: &mut Changes) {
        let shown: Vec<End> = self.translated.in_front(end).collect();
        for shown in shown.into_iter().filter(|shown| is_translated(*shown, end)) {
            if self.latest(shown).is_some_and(|latest| latest.behind) {
                self.put(shown, Owner { behind: true, ..owner }, false, changes);
            }
        }
    }

    fn put(&mut self, end: End, owner: Owner, foreign: bool, changes: &mut Changes) {
        let flows = if foreign { &mut self.foreign } else { &mut self.flows };
        let is_known = |latest: Owner| {
            (latest.mark, latest.held, latest.behind) == (owner.mark, owner.held, owner.behind)
        };
        let versions = Self::versions(flows, end);
        if Self::version(versions, u64::MAX).is_none_or(|latest| !is_known(latest)) {
            Self::add_version(versions, Version { change: changes.next, owner });
            changes.push(end, owner, foreign);
        }
    }

    /// A socket hears with its own addresses what was sent to translated ones. A second port for the same peer is a sign of
    /// it, for it has but one; so is a second address that is another's.
    pub(super) fn is_own_view(&self, event: &SocketEvent) -> bool {
        let Some(end) = event.end.filter(|_| !event.sent) else { return false };
        let is_anothers = self.latest(end).is_some_and(|latest| latest.behind);
        let ends = self.sockets.get(&event.socket).map(|socket| socket.ends);
        let mut ends = ends.iter().flatten().flatten();
        ends.any(|known| {
            let ((other_address, other_port), (address, port)) = (known.place(), end.place());
            known.other().place() == end.other().place()
                && (other_port != port || is_anothers && other_address != address)
        })
    }

    /// The tuples with which packets of a forwarded connection are seen elsewhere.
    pub(in super::super) fn seen_elsewhere(&self, key: Key) -> impl Iterator<Item = Key> {
        self.translated.behind(key)
    }
}

#[cfg(test)]
#[path = "translated_tests.rs"]
mod tests;

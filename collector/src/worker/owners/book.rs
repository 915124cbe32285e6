//! Who is known to hold which end of which flow, and since when. Bounded; the oldest are forgotten first.
//!
//! Packets and news come on different ways. So that both meet in their order, an end keeps its last few owners, each
//! with the number of the change that brought it, and whoever asks says up to which change it has read packets.
mod translated;

use std::net::IpAddr;

use super::event::{End, How, SocketEvent};
use super::remembered::{Bounded, Remembered};
use crate::attribution::OwnerId;
use crate::flows::key::Key;
use crate::flows::record::{Match, OwnerMark};
use translated::Translated;

/// Ends, sockets and local ends that are remembered.
const MOST_KEYS: usize = 131_072;
const MOST_SOCKETS: usize = 131_072;
const MOST_LOCAL: usize = 65_536;
/// Owners of one end one after the other. They matter for the third of a second that packets may be late; where there
/// were more of them the log of changes has the rest.
const MOST_VERSIONS: usize = 3;
/// A socket that was told of so many nanoseconds ago still has its port.
const SPEAKS: u64 = 2_000_000_000;
/// Ends of one socket that news of the socket as such is for.
const ENDS_OF_A_SOCKET: usize = 2;

/// An end has another owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Nanoseconds since boot.
    pub(super) time: u64,
    pub(super) end: End,
    pub(super) owner: Owner,
    /// The socket is in another network namespace.
    pub(super) foreign: bool,
}

/// Who holds an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) mark: OwnerMark,
    /// The listener's, for now: who takes the connection is not known yet.
    pub(super) held: bool,
    /// The socket is behind this machine, which has put other addresses in the place of its own.
    pub(super) behind: bool,
    /// Since when, nanoseconds since boot.
    pub(super) since: u64,
}

impl Owner {
    /// It is not given to a flow at once.
    pub(super) fn waits(&self) -> bool {
        self.held || self.behind
    }
}

/// What was told of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Of(Owner),
    /// It had more owners lately than are kept here.
    Before,
    Nothing,
}

#[derive(Clone, Copy, Debug, Default)]
struct Version {
    /// Number of the change; 0: none.
    change: u64,
    owner: Owner,
}

/// Both ends of a flow, low first; each with its owners, latest first.
type Ends = [[Version; MOST_VERSIONS]; 2];

#[derive(Clone, Copy, Debug, Default)]
struct Socket {
    foreign: bool,
    ends: [Option<End>; ENDS_OF_A_SOCKET],
}

/// Who has a local end, where it is one socket's or several of the same owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Local {
    /// And when this was told last, nanoseconds since boot.
    One(OwnerMark, u64),
    Several,
}

/// The number is no owner's, and none: so what is theirs is told before the next owner's.
const SEVERAL: OwnerMark = OwnerMark { owner: u32::MAX, quality: Match::Several, passes: false };

type LocalEnd = (u8, IpAddr, u16);

/// Changes as they are made, numbered in their order.
struct Changes {
    time: u64,
    /// The next one's number.
    next: u64,
    made: Vec<Change>,
}

impl Changes {
    fn push(&mut self, end: End, owner: Owner, foreign: bool) {
        self.made.push(Change { time: self.time, end, owner, foreign });
        self.next += 1;
    }
}

#[derive(Debug, Default)]
pub(super) struct Book {
    namespace: u64,
    flows: Remembered<Key, Ends>,
    /// Of sockets in other network namespaces, whose packets are forwarded here.
    foreign: Remembered<Key, Ends>,
    sockets: Remembered<u64, Socket>,
    local: Remembered<LocalEnd, Local>,
    /// In this network namespace, and in others.
    translated: Translated,
    translated_behind: Translated,
}

impl Book {
    /// `namespace`: cookie of the network namespace that is captured in.
    pub(super) fn new(namespace: u64) -> Self {
        Self { namespace, ..Self::default() }
    }

    /// Takes in news; `number` is this owner's. The changes are numbered from `first` on, in their order.
    pub(super) fn take(&mut self, event: &SocketEvent, number: u32, first: u64) -> Vec<Change> {
        let foreign = event.network_namespace != self.namespace;
        let owner = Owner {
            mark: mark(event.how, number, foreign),
            held: event.how == How::Listener,
            behind: false,
            since: event.time,
        };
        if !foreign && self.is_own_view(event) {
            return Vec::new();
        }
        if let Some(local) = event.local.filter(|_| !foreign && has_local_end(event.how)) {
            self.note_local(local, event.listens, owner);
        }
        if event.listens {
            return Vec::new(); // its connections have sockets of their own
        }
        let ends: Vec<End> = match event.end {
            Some(end) => {
                self.note_socket(event.socket, foreign, end);
                vec![end]
            }
            None => {
                let socket = self.sockets.get(&event.socket);
                socket.map(|socket| socket.ends.into_iter().flatten().collect()).unwrap_or_default()
            }
        };
        let mut changes = Changes { time: event.time, next: first, made: Vec::with_capacity(ends.len()) };
        for end in ends {
            let foreign = self.sockets.get(&event.socket).map_or(foreign, |socket| socket.foreign);
            if let Some(owner) = self.note(end, (owner, event.how), foreign, changes.next) {
                changes.push(end, owner, foreign);
                self.note_translated(end, owner, foreign, &mut changes);
            }
        }
        changes.made
    }

    fn latest(&self, end: End) -> Option<Owner> {
        Self::latest_of(&self.flows, end)
    }

    fn latest_of(flows: &Remembered<Key, Ends>, end: End) -> Option<Owner> {
        let [low, high] = flows.get(&end.key)?;
        Self::version(if end.low { low } else { high }, u64::MAX)
    }

    /// Those of an end, latest first.
    fn versions(flows: &mut Remembered<Key, Ends>, end: End) -> &mut [Version; MOST_VERSIONS] {
        let [low, high] = flows.get_or_insert(end.key);
        if end.low { low } else { high }
    }

    fn add_version(versions: &mut [Version; MOST_VERSIONS], version: Version) {
        versions.rotate_right(1);
        let [first, ..] = versions;
        *first = version;
    }

    /// None where it changes nothing.
    fn note(
        &mut self,
        end: End,
        (mut owner, how): (Owner, How),
        foreign: bool,
        change: u64,
    ) -> Option<Owner> {
        let flows = if foreign { &mut self.foreign } else { &mut self.flows };
        let versions = Self::versions(flows, end);
        let [latest, ..] = versions;
        if latest.change != 0 {
            // a reset by the kernel on behalf of a socket that has gone is still its flow's
            if owner.mark.quality == Match::Kernel {
                return None;
            }
            // without ports one key stands for several sockets
            let is_another = latest.owner.mark.owner != owner.mark.owner;
            // a frame can bear any addresses: that takes no flow from the socket that has them
            let is_a_sockets =
                !matches!(latest.owner.mark.quality, Match::Frames | Match::Several | Match::Kernel);
            if matches!(how, How::Framed | How::Several) && is_another && is_a_sockets {
                return None;
            }
            let is_somebodys = !matches!(latest.owner.mark.quality, Match::Kernel | Match::Several);
            if end.key.ports() == (0, 0) && is_another && is_somebodys && how != How::Several {
                owner.mark.quality = Match::Shared;
            }
        }
        Self::add_version(versions, Version { change, owner });
        Some(owner)
    }

    fn note_socket(&mut self, cookie: u64, foreign: bool, end: End) {
        let socket = self.sockets.get_or_insert(cookie);
        socket.foreign = foreign;
        if !socket.ends.contains(&Some(end)) {
            socket.ends.rotate_right(1);
            let [first, ..] = &mut socket.ends;
            *first = Some(end);
        }
    }

    /// Of TCP only listeners: a connection's local end is the listener's, and many others'.
    fn note_local(&mut self, local: LocalEnd, listens: bool, Owner { mark, since, .. }: Owner) {
        if (local.0 == 6) != listens {
            return;
        }
        let quality = if listens { Match::Listener } else { mark.quality };
        let mark = OwnerMark { quality, ..mark };
        let place = self.local.get_or_insert_with(local, || Local::One(mark, since));
        match place {
            Local::One(before, told) if before.owner == mark.owner => *told = since,
            Local::One(..) => *place = Local::Several,
            Local::Several => {}
        }
    }

    /// The owners of a flow's low and high end as of the changes before `before`.
    pub(super) fn at_both(&self, key: &Key, before: u64) -> [Told; 2] {
        let Some(ends) = self.flows.get(key) else { return [Told::Nothing; 2] };
        ends.each_ref().map(|versions| {
            let [.., oldest] = versions;
            match Self::version(versions, before) {
                Some(owner) => Told::Of(owner),
                None if oldest.change != 0 => Told::Before,
                None => Told::Nothing,
            }
        })
    }

    /// The same of one end.
    pub(super) fn at(&self, end: End, before: u64) -> Told {
        let [low, high] = self.at_both(&end.key, before);
        if end.low { low } else { high }
    }

    /// The owner of an end of a flow that is forwarded.
    pub(super) fn at_foreign(&self, end: End, before: u64) -> Option<Owner> {
        let [low, high] = self.foreign.get(&end.key)?;
        Self::version(if end.low { low } else { high }, before)
    }

    fn version(versions: &[Version; MOST_VERSIONS], before: u64) -> Option<Owner> {
        versions
            .iter()
            .find(|version| version.change != 0 && version.change < before)
            .map(|version| version.owner)
    }

    pub(super) fn knows_foreign(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// Who is to be taken for the owner where nothing was told of a flow: who alone has its local end. A listener is told of
    /// once; any other socket only while it speaks, for then it has so many peers that not all are told, and later the
    /// port may be closed.
    pub(super) fn by_local_end(&self, end: End, now: u64) -> Option<OwnerMark> {
        let (address, port) = if end.low { end.key.low() } else { end.key.high() };
        match self.local.get(&(end.key.protocol, address, port)) {
            Some(Local::One(mark, told)) => {
                let speaks = mark.quality == Match::Listener || now <= told.saturating_add(SPEAKS);
                speaks.then_some(*mark)
            }
            Some(Local::Several) | None => None,
        }
    }

    /// Whether something was forgotten that could be told again.
    pub(super) fn has_forgotten(&self) -> bool {
        self.flows.has_forgotten() || self.foreign.has_forgotten() || self.translated.has_forgotten()
    }
}

/// Neither the kernel's sockets nor those that frames are sent by keep a local end for themselves.
fn has_local_end(how: How) -> bool {
    !matches!(how, How::Kernel | How::Framed | How::Several)
}

fn mark(how: How, owner: u32, foreign: bool) -> OwnerMark {
    let quality = match how {
        How::Kernel => {
            return OwnerMark { owner: OwnerId::KERNEL.0, quality: Match::Kernel, ..OwnerMark::default() };
        }
        How::Several => return SEVERAL,
        How::Found | How::Made | How::Accepted | How::Sent => Match::Exact,
        How::Shared => Match::Shared,
        How::Framed if !foreign => Match::Frames,
        How::Framed => Match::Exact,
        How::Listener => Match::Listener,
    };
    OwnerMark { owner, quality, ..OwnerMark::default() }
}

impl Bounded for Ends {
    const MOST: usize = MOST_KEYS;
}

impl Bounded for Socket {
    const MOST: usize = MOST_SOCKETS;
}

impl Bounded for Local {
    const MOST: usize = MOST_LOCAL;
}

#[cfg(test)]
mod tests;

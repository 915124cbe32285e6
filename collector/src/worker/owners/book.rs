//! Who is known to hold which end of which flow, and since when. Bounded; the oldest are forgotten first.
//!
//! Packets and news come on different ways. So that both meet in their order, an end keeps its last few owners, each
//! with the number of the change that brought it, and whoever asks says up to which change it has read packets.
use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::event::{End, How, SocketEvent};
use crate::flows::key::Key;
use crate::flows::record::{Match, OwnerMark};

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
    /// Since when, nanoseconds since boot.
    pub(super) since: u64,
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

type LocalEnd = (u8, IpAddr, u16);

#[derive(Debug, Default)]
pub(super) struct Book {
    namespace: u64,
    flows: Remembered<Key, Ends>,
    /// Of sockets in other network namespaces, whose packets are forwarded here.
    foreign: Remembered<Key, Ends>,
    sockets: Remembered<u64, Socket>,
    local: Remembered<LocalEnd, Local>,
}

impl Book {
    /// `namespace`: cookie of the network namespace that is captured in.
    pub(super) fn new(namespace: u64) -> Self {
        Self { namespace, ..Self::default() }
    }

    /// Takes in news; `number` is this owner's. The changes are numbered from `first` on, in their order.
    pub(super) fn take(&mut self, event: &SocketEvent, number: u32, first: u64) -> Vec<Change> {
        let foreign = event.network_namespace != self.namespace;
        let owner =
            Owner { mark: mark(event.how, number), held: event.how == How::Listener, since: event.time };
        if let Some(local) = event.local.filter(|_| !foreign && event.how != How::Kernel) {
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
        let mut changes = Vec::with_capacity(ends.len());
        for (end, change) in ends.into_iter().zip(first..) {
            let foreign = self.sockets.get(&event.socket).map_or(foreign, |socket| socket.foreign);
            if let Some(owner) = self.note(end, owner, foreign, change) {
                changes.push(Change { time: event.time, end, owner, foreign });
            }
        }
        changes
    }

    /// None where it changes nothing.
    fn note(&mut self, end: End, mut owner: Owner, foreign: bool, change: u64) -> Option<Owner> {
        let flows = if foreign { &mut self.foreign } else { &mut self.flows };
        let ends = flows.get_or_insert(end.key);
        let [low, high] = ends;
        let versions = if end.low { low } else { high };
        let [latest, ..] = versions;
        if latest.change != 0 {
            // a reset by the kernel on behalf of a socket that has gone is still its flow's
            if owner.mark.quality == Match::Kernel {
                return None;
            }
            // without ports one key stands for several sockets
            let is_another = latest.owner.mark.owner != owner.mark.owner;
            if end.key.ports() == (0, 0) && is_another && latest.owner.mark.quality != Match::Kernel {
                owner.mark.quality = Match::Shared;
            }
        }
        versions.rotate_right(1);
        let [first, ..] = versions;
        *first = Version { change, owner };
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

    /// The owner of an end as of the changes before `before`.
    pub(super) fn at(&self, end: End, before: u64) -> Option<Owner> {
        Self::version(self.flows.get(&end.key)?, end.low, before)
    }

    /// The same for a flow that is forwarded.
    pub(super) fn at_foreign(&self, end: End, before: u64) -> Option<Owner> {
        Self::version(self.foreign.get(&end.key)?, end.low, before)
    }

    fn version([low, high]: &Ends, is_low: bool, before: u64) -> Option<Owner> {
        let versions = if is_low { low } else { high };
        versions
            .iter()
            .find(|version| version.change != 0 && version.change < before)
            .map(|version| version.owner)
    }

    /// Whether an end had more owners lately than are kept.
    pub(super) fn has_overflowed(&self, end: End) -> bool {
        self.flows.get(&end.key).is_some_and(|[low, high]| {
            let [.., oldest] = if end.low { low } else { high };
            oldest.change != 0
        })
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
        self.flows.forgotten || self.foreign.forgotten
    }
}

fn mark(how: How, owner: u32) -> OwnerMark {
    let quality = match how {
        How::Kernel => {
            return OwnerMark { owner: crate::attribution::OwnerId::KERNEL.0, quality: Match::Kernel };
        }
        How::Found | How::Made | How::Accepted | How::Sent => Match::Exact,
        How::Shared => Match::Shared,
        How::Listener => Match::Listener,
    };
    OwnerMark { owner, quality }
}

/// A map that forgets what came first.
#[derive(Debug)]
struct Remembered<K, V> {
    values: HashMap<K, V>,
    in_order: VecDeque<K>,
    most: usize,
    forgotten: bool,
}

/// How many are remembered of what.
trait Bounded {
    const MOST: usize;
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

impl<K, V: Bounded> Default for Remembered<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), in_order: VecDeque::new(), most: V::MOST, forgotten: false }
    }
}

impl<K: Copy + Eq + std::hash::Hash, V> Remembered<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    fn get_or_insert(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        if !self.values.contains_key(&key) {
            self.in_order.push_back(key);
            if self.in_order.len() > self.most
                && let Some(oldest) = self.in_order.pop_front()
            {
                self.values.remove(&oldest);
                self.forgotten = true;
            }
        }
        self.values.entry(key).or_insert_with(value)
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Event;
    use super::super::event::tests::told;
    use super::*;

    const HERE: u64 = 1;
    const CLIENT: (u8, &str, &str) = (6, "10.0.0.1:5000", "10.0.0.2:80");
    const SERVER: (u8, &str, &str) = (6, "10.0.0.2:80", "10.0.0.1:5000");

    struct Reader {
        book: Book,
        changes: u64,
    }

    impl Reader {
        fn new() -> Self {
            Self { book: Book::new(HERE), changes: 1 }
        }

        /// The pid is the number.
        fn take(&mut self, bytes: &[u8]) -> Vec<Change> {
            let Some(Event::Socket(event)) = Event::read(bytes) else { panic!("no event") };
            let changes = self.book.take(&event, event.program.pid, self.changes);
            self.changes += u64::try_from(changes.len()).unwrap();
            changes
        }

        fn owner(&self, tuple: (u8, &str, &str)) -> Option<(u32, Match, bool)> {
            let owner = self.book.at(end(tuple), self.changes)?;
            Some((owner.mark.owner, owner.mark.quality, owner.held))
        }
    }

    fn end(tuple: (u8, &str, &str)) -> End {
        match Event::read(&told((1, How::Made, 1), (1, HERE), (1, "x"), Some(tuple))) {
            Some(Event::Socket(event)) => event.end.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_end_of_a_local_connection_has_its_own_owner() {
        let mut reader = Reader::new();
        reader.take(&told((1, How::Sent, 1), (1, HERE), (100, "client"), Some(CLIENT)));
        reader.take(&told((2, How::Sent, 1), (2, HERE), (200, "server"), Some(SERVER)));
        assert_eq!(reader.owner(CLIENT), Some((100, Match::Exact, false)));
        assert_eq!(reader.owner(SERVER), Some((200, Match::Exact, false)));
    }

    #[test]
    fn a_connection_is_held_until_a_worker_takes_it() {
        let mut reader = Reader::new();
        reader.take(&told((1, How::Listener, 1), (2, HERE), (200, "master"), Some(SERVER)));
        assert_eq!(reader.owner(SERVER), Some((200, Match::Listener, true)));
        // accept(2) tells of the socket only
        let changes = reader.take(&told((2, How::Accepted, 0), (2, HERE), (201, "worker"), None));
        assert_eq!(changes.len(), 1);
        assert_eq!(reader.owner(SERVER), Some((201, Match::Exact, false)));
    }

    #[test]
    fn who_has_read_less_sees_the_owner_before() {
        let mut reader = Reader::new();
        reader.take(&told((1, How::Sent, 1), (1, HERE), (100, "first"), Some(CLIENT)));
        let between = reader.changes;
        reader.take(&told((9, How::Sent, 1), (7, HERE), (101, "second"), Some(CLIENT)));
        assert_eq!(reader.book.at(end(CLIENT), between).unwrap().mark.owner, 100);
        assert_eq!(reader.owner(CLIENT).unwrap().0, 101);
        assert_eq!(reader.book.at(end(CLIENT), 1), None);
    }

    #[test]
    fn a_reset_of_the_kernels_takes_no_flow_away() {
        let mut reader = Reader::new();
        reader.take(&told((1, How::Sent, 1), (1, HERE), (100, "client"), Some(CLIENT)));
        assert!(reader.take(&told((2, How::Kernel, 1), (9, HERE), (0, ""), Some(CLIENT))).is_empty());
        assert_eq!(reader.owner(CLIENT).unwrap().0, 100);
        reader.take(&told((2, How::Kernel, 1), (9, HERE), (0, ""), Some(SERVER)));
        assert_eq!(reader.owner(SERVER).unwrap().1, Match::Kernel);
        reader.take(&told((3, How::Sent, 1), (10, HERE), (5, "server"), Some(SERVER)));
        assert_eq!(reader.owner(SERVER).unwrap().0, 5);
    }

    #[test]
    fn a_local_end_of_two_owners_names_neither() {
        let mut reader = Reader::new();
        let [one, two] = [(17, "10.0.0.1:53", "10.0.0.2:1000"), (17, "10.0.0.1:53", "10.0.0.3:1000")];
        let stranger = end((17, "10.0.0.1:53", "10.0.0.9:9"));
        reader.take(&told((1, How::Sent, 7), (1, HERE), (100, "dns"), Some(one)));
        assert_eq!(reader.book.by_local_end(stranger, 1).unwrap().owner, 100);
        // the port may be closed by then
        assert_eq!(reader.book.by_local_end(stranger, SPEAKS + 2), None);
        reader.take(&told((2, How::Sent, 7), (2, HERE), (101, "other"), Some(two)));
        assert_eq!(reader.book.by_local_end(stranger, 2), None);
    }

    #[test]
    fn a_listener_is_known_by_its_port_and_owns_no_connection() {
        let mut reader = Reader::new();
        let syn =
            told((1, How::Made, 10), (1, HERE), (100, "sshd"), Some((6, "10.0.0.2:22", "10.0.0.1:999")));
        assert!(reader.take(&syn).is_empty());
        let mark = reader.book.by_local_end(end((6, "10.0.0.2:22", "10.0.0.7:7")), u64::MAX).unwrap();
        assert_eq!((mark.owner, mark.quality), (100, Match::Listener));
        assert_eq!(reader.book.by_local_end(end((6, "10.0.0.2:23", "10.0.0.7:7")), 1), None);
    }

    #[test]
    fn sockets_of_other_namespaces_own_only_what_is_forwarded() {
        let mut reader = Reader::new();
        reader.take(&told((1, How::Sent, 1), (1, HERE + 1), (100, "inside"), Some(CLIENT)));
        assert_eq!(reader.owner(CLIENT), None);
        assert_eq!(reader.book.at_foreign(end(CLIENT), reader.changes).unwrap().mark.owner, 100);
    }

    #[test]
    fn two_sockets_without_ports_share_a_flow() {
        let mut reader = Reader::new();
        let raw = (89, "10.0.0.1:0", "10.0.0.2:0");
        reader.take(&told((1, How::Sent, 7), (1, HERE), (100, "one"), Some(raw)));
        reader.take(&told((2, How::Sent, 7), (2, HERE), (101, "two"), Some(raw)));
        assert_eq!(reader.owner(raw).unwrap().1, Match::Shared);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut map = Remembered::<u32, Local>::default();
        for key in 0..70_000 {
            map.get_or_insert_with(key, || Local::Several);
        }
        assert_eq!((map.values.len(), map.in_order.len()), (MOST_LOCAL, MOST_LOCAL));
        assert!(map.get(&0).is_none() && map.get(&69_999).is_some() && map.forgotten);
    }
}

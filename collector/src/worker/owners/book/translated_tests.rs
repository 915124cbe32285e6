//! Connections whose addresses are translated: 10.0.9.2 and 10.0.9.3 are containers, 198.51.100.1 is this machine.
use super::super::super::event::tests::{told, translated};
use super::super::super::event::{Event, How};
use super::super::Told;
use super::*;

const HERE: u64 = 1;
const INSIDE: u64 = 2;
const FIRST: (u8, &str, &str) = (17, "10.0.9.2:5000", "192.0.2.1:53");
const SECOND: (u8, &str, &str) = (17, "10.0.9.3:5000", "192.0.2.1:53");
const SHOWN: (u8, &str, &str) = (17, "198.51.100.1:5000", "192.0.2.1:53");
const MOVED: (u8, &str, &str) = (17, "198.51.100.1:1024", "192.0.2.1:53");

struct Reader {
    book: Book,
    changes: u64,
    time: u64,
}

impl Reader {
    fn new() -> Self {
        Self { book: Book::new(HERE), changes: 1, time: 1 }
    }

    /// The pid is the number, and the socket's cookie.
    fn socket(&mut self, namespace: u64, pid: u32, how: How, sent: bool, tuple: Option<(u8, &str, &str)>) {
        self.time += 1;
        let mut bytes = told((self.time, how, 7), (pid.into(), namespace), (pid, "x"), tuple);
        bytes[13] = sent.into();
        let Some(Event::Socket(event)) = Event::read(&bytes) else { panic!("no event") };
        self.count(|book, first| book.take(&event, pid, first));
    }

    fn translation(&mut self, by_socket: bool, before: (u8, &str, &str), after: (u8, &str, &str)) {
        self.translation_in(HERE, by_socket, before, after);
    }

    fn translation_in(
        &mut self,
        namespace: u64,
        by_socket: bool,
        before: (u8, &str, &str),
        after: (u8, &str, &str),
    ) {
        self.time += 1;
        let when = (self.time, namespace, by_socket);
        let bytes = translated(when, before.0, (before.1, before.2), (after.1, after.2));
        let Some(Event::Translation(event)) = Event::read(&bytes) else { panic!("no event") };
        self.count(|book, first| book.take_translation(&event, first));
    }

    fn count(&mut self, change: impl FnOnce(&mut Book, u64) -> Vec<Change>) {
        let made = change(&mut self.book, self.changes);
        assert!(made.iter().all(|change| change.time == self.time));
        self.changes += u64::try_from(made.len()).unwrap();
    }

    fn owner(&self, tuple: (u8, &str, &str)) -> Option<(u32, Match, bool)> {
        let Told::Of(owner) = self.book.at(end(tuple), self.changes) else { return None };
        Some((owner.mark.owner, owner.mark.quality, owner.behind))
    }
}

fn end(tuple: (u8, &str, &str)) -> End {
    match Event::read(&told((1, How::Made, 1), (1, HERE), (1, "x"), Some(tuple))) {
        Some(Event::Socket(event)) => event.end.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn key(tuple: (u8, &str, &str)) -> Key {
    end(tuple).key
}

#[test]
fn a_container_owns_what_leaves_with_this_machines_address() {
    let mut reader = Reader::new();
    reader.socket(INSIDE, 100, How::Sent, true, Some(FIRST));
    assert_eq!(reader.owner(SHOWN), None);
    reader.translation(false, FIRST, SHOWN);
    assert_eq!(reader.owner(SHOWN), Some((100, Match::Exact, true)));
    assert_eq!(reader.book.seen_elsewhere(key(SHOWN)).collect::<Vec<_>>(), [key(FIRST)]);
}

#[test]
fn two_containers_with_the_same_port_are_told_apart() {
    let mut reader = Reader::new();
    reader.socket(INSIDE, 100, How::Sent, true, Some(FIRST));
    reader.translation(false, FIRST, SHOWN);
    reader.socket(INSIDE + 1, 200, How::Sent, true, Some(SECOND));
    reader.translation(false, SECOND, MOVED);
    assert_eq!(reader.owner(SHOWN), Some((100, Match::Exact, true)));
    assert_eq!(reader.owner(MOVED), Some((200, Match::Exact, true)));
}

#[test]
fn addresses_that_go_from_one_container_to_another_change_their_owner() {
    let mut reader = Reader::new();
    for _ in 0..3 {
        for (pid, tuple) in [(100, FIRST), (200, SECOND)] {
            reader.socket(INSIDE, pid, How::Sent, true, Some(tuple));
            reader.translation(false, tuple, SHOWN);
            assert_eq!(reader.owner(SHOWN), Some((pid, Match::Exact, true)));
        }
    }
    // news of the first one's socket is no news of an address that is the second one's by now
    reader.socket(INSIDE, 101, How::Sent, true, Some(FIRST));
    assert_eq!(reader.owner(SHOWN), Some((200, Match::Exact, true)));
}

#[test]
fn what_another_machine_sends_through_this_one_is_nobodys_here() {
    let mut reader = Reader::new();
    // who has the port here has nothing to do with it
    reader.socket(HERE, 7, How::Sent, true, Some((17, "198.51.100.1:5000", "192.0.2.9:53")));
    reader.translation(false, FIRST, SHOWN);
    assert_eq!(reader.owner(SHOWN), Some((OwnerId::FORWARDED.0, Match::Forwarded, true)));
}

#[test]
fn a_forwarded_port_is_its_servers_although_the_news_of_it_comes_later() {
    let mut reader = Reader::new();
    let (shown, inside) = ((6, "198.51.100.1:8080", "192.0.2.1:999"), (6, "10.0.9.2:80", "192.0.2.1:999"));
    let turned = |(protocol, local, remote)| (protocol, remote, local);
    reader.translation(false, turned(shown), turned(inside));
    assert_eq!(reader.owner(shown).map(|owner| owner.1), Some(Match::Forwarded));
    reader.socket(INSIDE, 100, How::Listener, false, Some(inside));
    assert_eq!(reader.owner(shown), Some((100, Match::Listener, true)));
    reader.socket(INSIDE, 100, How::Accepted, false, None);
    assert_eq!(reader.owner(shown), Some((100, Match::Exact, true)));
}

#[test]
fn this_machines_own_socket_keeps_what_it_has_on_the_wire() {
    let mut reader = Reader::new();
    reader.socket(INSIDE, 100, How::Sent, true, Some(FIRST));
    reader.translation(false, FIRST, SHOWN);
    // it has the same port, and is given another one on the wire; what it hears comes to its own
    reader.socket(HERE, 7, How::Sent, true, Some(MOVED));
    reader.socket(HERE, 7, How::Sent, false, Some(SHOWN));
    assert_eq!(reader.owner(SHOWN), Some((100, Match::Exact, true)));
    assert_eq!(reader.owner(MOVED), Some((7, Match::Exact, false)));
    // later the addresses are its own, then the container's again
    reader.socket(HERE, 8, How::Sent, true, Some(SHOWN));
    assert_eq!(reader.owner(SHOWN), Some((8, Match::Exact, false)));
    reader.socket(INSIDE, 101, How::Sent, true, Some(FIRST));
    assert_eq!(reader.owner(SHOWN), Some((8, Match::Exact, false)));
    reader.translation(false, FIRST, SHOWN);
    assert_eq!(reader.owner(SHOWN), Some((101, Match::Exact, true)));
}

#[test]
fn a_redirected_connection_is_its_servers() {
    let (shown, heard) = ((6, "198.51.100.1:8080", "192.0.2.1:999"), (6, "198.51.100.1:80", "192.0.2.1:999"));
    let turned = |(protocol, local, remote)| (protocol, remote, local);
    for news_first in [true, false] {
        let mut reader = Reader::new();
        for is_news in [news_first, !news_first] {
            if is_news {
                reader.socket(HERE, 100, How::Accepted, false, Some(heard));
            } else {
                reader.translation(true, turned(shown), turned(heard));
            }
        }
        assert_eq!(reader.owner(shown), Some((100, Match::Exact, false)));
    }
}

#[test]
fn a_local_connection_whose_source_is_translated_lends_its_owner_to_no_other_address() {
    let mut reader = Reader::new();
    reader.socket(HERE, 100, How::Sent, true, Some(MOVED));
    reader.translation(true, SHOWN, MOVED);
    assert_eq!(reader.owner(SHOWN), None);
    assert_eq!(reader.owner(MOVED), Some((100, Match::Exact, false)));
}

#[test]
fn a_container_in_a_container_owns_what_is_translated_twice() {
    let mut reader = Reader::new();
    let innermost = (17, "172.17.0.2:5000", "192.0.2.1:53");
    reader.socket(INSIDE + 1, 100, How::Sent, true, Some(innermost));
    reader.translation_in(INSIDE, false, innermost, FIRST);
    reader.translation(false, FIRST, SHOWN);
    assert_eq!(reader.owner(SHOWN), Some((100, Match::Exact, true)));
    reader.socket(INSIDE + 1, 101, How::Sent, true, Some(innermost));
    assert_eq!(reader.owner(SHOWN), Some((101, Match::Exact, true)));
}

#[test]
fn what_a_socket_hears_is_not_on_the_wire_where_it_sends_from_another_port() {
    let mut reader = Reader::new();
    // nothing is known of translations
    reader.socket(HERE, 7, How::Sent, true, Some(MOVED));
    reader.socket(HERE, 7, How::Sent, false, Some(SHOWN));
    assert_eq!((reader.owner(SHOWN), reader.owner(MOVED)), (None, Some((7, Match::Exact, false))));
    // one that is spoken to at two addresses has both
    let [one, two] = [(17, "198.51.100.1:53", "192.0.2.7:99"), (17, "198.51.100.2:53", "192.0.2.7:99")];
    for tuple in [one, two] {
        reader.socket(HERE, 8, How::Made, false, Some(tuple));
        assert_eq!(reader.owner(tuple), Some((8, Match::Exact, false)));
    }
}

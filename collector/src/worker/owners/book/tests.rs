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
        let changes = self.book.take(&event, event.holder.program.pid, self.changes);
        self.changes += u64::try_from(changes.len()).unwrap();
        changes
    }

    fn owner(&self, tuple: (u8, &str, &str)) -> Option<(u32, Match, bool)> {
        let Told::Of(owner) = self.book.at(end(tuple), self.changes) else { return None };
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
    assert!(matches!(reader.book.at(end(CLIENT), between), Told::Of(owner) if owner.mark.owner == 100));
    assert_eq!(reader.owner(CLIENT).unwrap().0, 101);
    assert_eq!(reader.book.at(end(CLIENT), 1), Told::Nothing);
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
    let syn = told((1, How::Made, 10), (1, HERE), (100, "sshd"), Some((6, "10.0.0.2:22", "10.0.0.1:999")));
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
fn a_frame_names_its_sender_where_no_socket_has_its_addresses() {
    let mut reader = Reader::new();
    reader.take(&told((1, How::Framed, 0), (0, HERE), (100, "injector"), Some(CLIENT)));
    assert_eq!(reader.owner(CLIENT), Some((100, Match::Frames, false)));
    // a reset by the kernel, which knows nothing of the connection
    reader.take(&told((2, How::Kernel, 7), (2, HERE), (0, ""), Some(CLIENT)));
    assert_eq!(reader.owner(CLIENT), Some((100, Match::Frames, false)));
    reader.take(&told((3, How::Sent, 1), (3, HERE), (200, "client"), Some(CLIENT)));
    assert_eq!(reader.owner(CLIENT), Some((200, Match::Exact, false)));
}

#[test]
fn a_forged_frame_takes_no_connection_from_its_program() {
    let mut reader = Reader::new();
    reader.take(&told((1, How::Sent, 1), (1, HERE), (200, "client"), Some(CLIENT)));
    let changes = reader.take(&told((2, How::Framed, 0), (0, HERE), (100, "injector"), Some(CLIENT)));
    assert!(changes.is_empty());
    assert_eq!(reader.owner(CLIENT), Some((200, Match::Exact, false)));
    assert_eq!(reader.book.by_local_end(end((6, "10.0.0.1:5000", "10.0.0.9:80")), 2), None);
}

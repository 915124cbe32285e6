use std::net::Ipv4Addr;

use super::*;
use crate::attribution::sockets::TCP;

const HERE: End = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 40_000);
const UNBOUND: End = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 0);
const THERE: End = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 443);
const MILLI: u64 = 1_000_000;

struct Story {
    connections: Connections,
    tasks: Tasks,
}

impl Story {
    fn new(pids: &[(u32, &str)]) -> Self {
        let mut tasks = Tasks::default();
        for (pid, name) in pids {
            tasks.forked(*pid, 0, 1);
            tasks.named(*pid, (*name).to_owned(), 1);
        }
        Self { connections: Connections::default(), tasks }
    }

    fn change(&mut self, time: u64, pid: u32, socket: u64, (old, new): (u8, u8)) {
        let local = if new == SYN_SENT { UNBOUND } else { HERE };
        let change = Change { pid, socket, old, new, local, remote: THERE };
        self.connections.take(time, &change, &mut self.tasks);
    }

    /// Connects, closes, is gone; packets interrupt process 99.
    fn client(&mut self, from: u64, until: u64, pid: u32, socket: u64) {
        self.change(from, pid, socket, (CLOSE, SYN_SENT));
        self.change(from + MILLI, 99, socket, (SYN_SENT, ESTABLISHED));
        self.change(until - MILLI, pid, socket, (ESTABLISHED, FIN_WAIT_1));
        self.change(until, 99, socket, (FIN_WAIT_1, CLOSE));
    }

    fn name(&self, began: Option<u64>) -> Option<&str> {
        let end =
            SocketEnd { protocol: TCP, local: HERE, remote: THERE, is_initiator: true, is_forwarded: false };
        self.connections.find(&end, began).map(|party| party.identity.name.as_str())
    }
}

#[test]
fn a_client_that_has_gone_is_named_and_whom_its_packets_interrupted_is_not() {
    let mut story = Story::new(&[(4_200_001, "curl"), (99, "innocent")]);
    story.client(1_000 * MILLI, 1_005 * MILLI, 4_200_001, 7);
    assert_eq!(story.name(Some(1_000 * MILLI)), Some("curl"));
    assert_eq!(story.name(None), Some("curl"));
    assert_eq!(story.name(Some(1_100 * MILLI)), None);
}

#[test]
fn a_port_used_again_within_a_second_belongs_to_each_in_its_time() {
    let mut story = Story::new(&[(4_200_001, "first"), (4_200_002, "second")]);
    story.client(1_000 * MILLI, 1_005 * MILLI, 4_200_001, 7);
    story.client(1_008 * MILLI, 1_300 * MILLI, 4_200_002, 7);
    assert_eq!(story.name(Some(1_000 * MILLI)), Some("first"));
    assert_eq!(story.name(Some(1_008 * MILLI)), Some("second"));
    // without the flow's beginning it cannot be told
    assert_eq!(story.name(None), None);
}

#[test]
fn two_connections_that_begin_together_are_nobodys() {
    let mut story = Story::new(&[(4_200_001, "first"), (4_200_002, "second")]);
    story.change(1_000 * MILLI, 4_200_001, 7, (CLOSE, SYN_SENT));
    story.change(1_000 * MILLI + 1, 4_200_002, 8, (CLOSE, SYN_SENT));
    story.change(1_001 * MILLI, 99, 7, (SYN_SENT, ESTABLISHED));
    story.change(1_001 * MILLI, 99, 8, (SYN_SENT, ESTABLISHED));
    assert_eq!(story.name(Some(1_000 * MILLI)), None);
}

#[test]
fn a_server_is_named_by_who_closed_the_connection() {
    let mut story = Story::new(&[(4_200_001, "worker"), (99, "innocent")]);
    story.change(1_000 * MILLI, 99, 7, (3, ESTABLISHED));
    assert_eq!(story.name(None), None);
    story.change(1_010 * MILLI, 4_200_001, 7, (CLOSE_WAIT, LAST_ACK));
    assert_eq!(story.name(Some(1_000 * MILLI)), Some("worker"));
}

#[test]
fn what_ended_long_ago_is_forgotten() {
    let mut story = Story::new(&[(4_200_001, "curl")]);
    story.client(1_000 * MILLI, 1_005 * MILLI, 4_200_001, 7);
    story.connections.sweep(1_005 * MILLI + REMEMBERED);
    assert_eq!(story.name(None), Some("curl"));
    story.connections.sweep(1_005 * MILLI + REMEMBERED + SECOND);
    assert_eq!(story.name(None), None);
    assert_eq!(story.connections.count, 0);
}

#[test]
fn where_events_were_lost_nobody_is_named_for_what_happened_since() {
    let mut story = Story::new(&[(4_200_001, "curl"), (4_200_002, "wget")]);
    story.client(1_000 * MILLI, 1_005 * MILLI, 4_200_001, 7);
    story.client(2_000 * MILLI, 2_005 * MILLI, 4_200_002, 8);
    story.connections.doubt(1_500 * MILLI);
    assert_eq!(story.name(Some(1_001 * MILLI)), Some("curl"));
    assert_eq!(story.name(Some(2_001 * MILLI)), None);
}

//! Connections by their addresses and their time, with the process that opened or closed them.
use std::collections::HashMap;
use std::net::IpAddr;

use super::record::Change;
use super::tasks::Tasks;
use crate::attribution::SocketEnd;
use crate::attribution::clocks::SECOND;
use crate::attribution::processes::Identity;
use crate::attribution::sockets::state::{
    CLOSE, CLOSE_WAIT, ESTABLISHED, FIN_WAIT_1, LAST_ACK, LISTEN, SYN_SENT,
};

/// Connections that are remembered after their end, and how long.
const MOST_CONNECTIONS: usize = 65_536;
const REMEMBERED: u64 = 10 * SECOND;
/// A packet's stamp and an event's differ by the clocks' correction.
const SLACK: u64 = 10_000_000;
/// Of two connections this close to a flow's beginning it cannot be told whose the flow is.
const TOO_CLOSE: u64 = 1_000_000;

type End = (IpAddr, u16);

/// The process that used a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::attribution) struct Party {
    pub(in crate::attribution) identity: Identity,
    /// When it was called so, nanoseconds since boot.
    pub(in crate::attribution) at: u64,
}

impl Party {
    fn of(tasks: &mut Tasks, pid: u32, at: u64) -> Option<Self> {
        tasks.identity(pid, at).map(|identity| Self { identity, at })
    }
}

#[derive(Clone, Debug)]
struct Connection {
    socket: u64,
    /// Nanoseconds since boot.
    from: u64,
    until: Option<u64>,
    party: Option<Party>,
}

/// A socket that is being connected: its local port is not chosen yet.
#[derive(Clone, Debug)]
struct Opening {
    time: u64,
    remote: End,
    party: Option<Party>,
}

#[derive(Debug, Default)]
pub(super) struct Connections {
    opening: HashMap<u64, Opening>,
    by_ends: HashMap<(End, End), Vec<Connection>>,
    count: usize,
    swept: u64,
}

impl Connections {
    pub(super) fn take(&mut self, time: u64, change: &Change, tasks: &mut Tasks) {
        if change.old == LISTEN || change.new == LISTEN {
            return;
        }
        if change.old == CLOSE && change.new == SYN_SENT {
            let party = Party::of(tasks, change.pid, time);
            self.opening.insert(change.socket, Opening { time, remote: change.remote, party });
            return;
        }
        let opening = self.opening.remove(&change.socket);
        let opening = opening.filter(|opening| opening.remote.1 == change.remote.1);
        if change.local.1 == 0 || change.remote.1 == 0 {
            return; // refused before it had a port
        }
        let closes = matches!((change.old, change.new), (ESTABLISHED, FIN_WAIT_1) | (CLOSE_WAIT, LAST_ACK));
        let ends = (change.local, change.remote);
        let connections = self.by_ends.entry(ends).or_default();
        if connections.last().is_none_or(|last| last.socket != change.socket || last.until.is_some()) {
            let (from, party) = opening.map_or((time, None), |opening| (opening.time, opening.party));
            connections.push(Connection { socket: change.socket, from, until: None, party });
            self.count = self.count.saturating_add(1);
        }
        let Some(connection) = connections.last_mut() else { return };
        if closes && connection.party.is_none() {
            connection.party = Party::of(tasks, change.pid, time);
        }
        if change.new == CLOSE {
            connection.until = Some(time);
        }
    }

    /// The connection whose time the flow's beginning falls into, the one that began closest to it if there are several.
    /// Without a beginning there must be only one.
    pub(super) fn find(&self, end: &SocketEnd, began: Option<u64>) -> Option<&Party> {
        let connections = self.by_ends.get(&(end.local, end.remote))?;
        let Some(began) = began else {
            return match connections.as_slice() {
                [only] => only.party.as_ref(),
                _ => None,
            };
        };
        let mut fitting: Vec<(u64, &Connection)> = connections
            .iter()
            .filter(|connection| {
                connection.from <= began.saturating_add(SLACK)
                    && connection.until.is_none_or(|until| until.saturating_add(SLACK) >= began)
            })
            .map(|connection| (connection.from.abs_diff(began), connection))
            .collect();
        fitting.sort_by_key(|(distance, _)| *distance);
        match fitting.as_slice() {
            [(_, connection)] => connection.party.as_ref(),
            [(distance, connection), (next, _), ..] if next.saturating_sub(*distance) > TOO_CLOSE => {
                connection.party.as_ref()
            }
            _ => None,
        }
    }

    /// Events since then were lost: who opened or closed what cannot be said.
    pub(super) fn doubt(&mut self, since: u64) {
        for opening in self.opening.values_mut().filter(|opening| opening.time >= since) {
            opening.party = None;
        }
        let doubtful = |connection: &&mut Connection| {
            connection.from >= since || connection.until.is_some_and(|until| until >= since)
        };
        for connection in self.by_ends.values_mut().flatten().filter(doubtful) {
            connection.party = None;
        }
    }

    /// Forgets those that ended a while ago, and those whose end was lost.
    pub(super) fn sweep(&mut self, now: u64) {
        if now.saturating_sub(self.swept) < SECOND && self.count < MOST_CONNECTIONS {
            return;
        }
        self.swept = now;
        let holds = if self.count < MOST_CONNECTIONS { REMEMBERED } else { SECOND };
        self.by_ends.retain(|_, connections| {
            connections.retain(|connection| {
                connection.until.unwrap_or(connection.from).saturating_add(holds) >= now
            });
            !connections.is_empty()
        });
        self.opening.retain(|_, opening| opening.time.saturating_add(REMEMBERED) >= now);
        self.count = self.by_ends.values().map(Vec::len).sum();
        if self.count >= MOST_CONNECTIONS {
            self.by_ends.clear();
            self.count = 0;
        }
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;

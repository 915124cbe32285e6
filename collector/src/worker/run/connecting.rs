//! Tells at once of connections that this machine begins, where nobody else says who begins them: the collector can then
//! look up their sockets while they are there. Bounded by packets a tick, so that a scan costs no more than a few.
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Interface, TICK, Worker, WorkerError};
use crate::attribution::SocketEnd;
use crate::capture::connecting::Connecting;
use crate::capture::live::{OpenError, Wanted};
use crate::decode::{Content, Link, Transport, address, decode};
use crate::flows::own::OwnAddresses;
use crate::worker::records::Record;
use crate::worker::timeline::Timeline;

/// The IANA number.
const TCP: u8 = 6;
/// Told in one tick; what is over is looked up later, like everything else.
const MOST_A_TICK: usize = 40;
/// Read and forgotten at once when there were too many.
const MOST_DISCARDED: usize = 1_024;

/// A TCP connection that a socket of this machine has just begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    pub local: (IpAddr, u16),
    pub remote: (IpAddr, u16),
    /// Nanoseconds of the timeline, as its flow's first packet.
    pub began: u64,
}

impl Connection {
    /// As attribution has it.
    pub fn begun(&self) -> (SocketEnd, u64) {
        let Self { local, remote, began } = *self;
        (SocketEnd { protocol: TCP, local, remote, is_initiator: true, is_forwarded: false }, began)
    }
}

/// An interface's first packets.
#[derive(Debug)]
pub(in crate::worker) struct FirstPackets {
    tap: Connecting,
    link: Link,
    /// It went away with its interface.
    ended: bool,
}

impl FirstPackets {
    pub(in crate::worker) fn open(wanted: &Wanted) -> Result<Self, OpenError> {
        let tap = Connecting::open(wanted)?;
        let link = if tap.is_ethernet() { Link::Ethernet } else { Link::RawIp };
        Ok(Self { tap, link, ended: false })
    }

    pub(in crate::worker) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.tap.descriptor())
    }

    fn read(&mut self, most: usize, own: &OwnAddresses, timeline: &Timeline) -> Vec<Connection> {
        let link = self.link;
        let mut begun = Vec::new();
        let read = self.tap.dispatch(most, |packet| {
            let began = timeline.at(packet.stamp);
            let connection = connection(link, packet.wire_length, packet.data, began);
            // what is forwarded has no socket here
            begun.extend(connection.filter(|connection| own.contains(&connection.local.0)));
        });
        self.ended |= read.is_err();
        begun
    }

    fn discard(&mut self) {
        self.ended |= self.tap.dispatch(MOST_DISCARDED, |_| {}).is_err();
    }
}

fn connection(link: Link, wire_length: u32, data: &[u8], began: u64) -> Option<Connection> {
    let Content::Ip(packet) = decode(link, wire_length, data).content else { return None };
    let Transport::Tcp(tcp) = &packet.transport else { return None };
    let [source, destination] =
        [&packet.source, &packet.destination].map(|bytes| address(packet.version_6, bytes));
    Some(Connection { local: (source, tcp.source_port), remote: (destination, tcp.destination_port), began })
}

/// What of a tick's bound is left.
#[derive(Debug)]
pub(super) struct Pace {
    left: usize,
    renewed: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { left: MOST_A_TICK, renewed: Instant::now() }
    }

    /// Whether first packets are to be read, or wait for the next tick.
    pub(super) fn has_room(&self) -> bool {
        self.left > 0 || self.renewed.elapsed() >= TICK
    }
}

impl Worker<'_> {
    /// Reads the first packets of the interfaces that have some.
    pub(super) fn tell_connections(&mut self, ready: &[u16]) -> Result<(), WorkerError> {
        if ready.is_empty() || !self.outbox.has_room() {
            return Ok(());
        }
        let is_stale = self.pace.left == 0;
        if self.pace.renewed.elapsed() >= TICK {
            self.pace = Pace::new();
        }
        let Self { interfaces, pace, timeline, .. } = self;
        let mut begun = Vec::new();
        for id in ready {
            let Some((packets, own)) = interfaces.get_mut(id).and_then(Interface::first_packets) else {
                continue;
            };
            if is_stale {
                packets.discard();
            }
            let read = packets.read(pace.left, own, timeline);
            pace.left = pace.left.saturating_sub(read.len());
            begun.extend(read);
        }
        if !begun.is_empty() {
            self.outbox.tell(&Record::Connections(begun))?;
        }
        Ok(())
    }
}

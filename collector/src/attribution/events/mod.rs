//! What the kernel tells by itself of connections and processes, so that those that have gone keep their names.
//!
//! The tracepoint `sock:inet_sock_set_state` fires when a TCP socket changes state. Two things in it are facts about a
//! process, because they happen in its own system call: a socket that leaves CLOSE for SYN_SENT is being connected by it,
//! one that leaves ESTABLISHED for FIN_WAIT1 is being closed by it. The other fields of other changes name whom the
//! packet interrupted, and are not believed.
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use weir_sys::PerfRing;

use super::{SocketEnd, clocks};

mod connections;
mod record;
mod tasks;
mod tracepoint;

use connections::Connections;
pub(super) use connections::Party;
use record::{Event, Record};
use tasks::Tasks;

/// Memory of one processor's ring: 512 KiB, some four thousand events.
const PAGES: usize = 128;
/// Where a ring of that size is refused.
const FEWER_PAGES: usize = 16;

#[derive(Debug, thiserror::Error)]
pub(super) enum EventsError {
    #[error("the tracepoint sock:inet_sock_set_state cannot be read from tracefs")]
    Tracepoint(#[source] io::Error),
    #[error("the tracepoint sock:inet_sock_set_state has another form than this version knows")]
    Format,
    #[error("perf_event_open (it needs CAP_PERFMON)")]
    Open(#[source] io::Error),
}

/// Rings of all processors and what came out of them.
#[derive(Debug)]
pub(super) struct Events {
    rings: Vec<PerfRing>,
    format: tracepoint::Format,
    buffer: Vec<u8>,
    waiting: Vec<Record>,
    tasks: Tasks,
    connections: Connections,
    /// The times of the last two reads, the later one first.
    reads: [u64; 2],
    /// Events that found no room in a ring.
    pub(super) lost: u64,
}

impl Events {
    pub(super) fn open() -> Result<Self, EventsError> {
        let format = tracepoint::Format::read()?;
        let mut rings = Vec::new();
        for processor in tracepoint::processors() {
            let ring = PerfRing::open(format.id, processor, PAGES)
                .or_else(|_| PerfRing::open(format.id, processor, FEWER_PAGES));
            match ring {
                Ok(ring) => rings.push(ring),
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {} // it is off
                Err(error) => return Err(EventsError::Open(error)),
            }
        }
        Ok(Self {
            rings,
            format,
            buffer: Vec::new(),
            waiting: Vec::new(),
            tasks: Tasks::default(),
            connections: Connections::default(),
            reads: [0; 2],
            lost: 0,
        })
    }

    /// Readable when much waits.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.rings.iter().map(|ring| ring.as_fd())
    }

    /// Takes in what has happened up to now (nanoseconds since boot). What one processor told while another was read waits
    /// for the next time, so that all of it is taken in order.
    pub(super) fn read(&mut self, now: u64) {
        let suspended = clocks::suspended();
        let lost_before = self.lost;
        let (format, waiting, lost) = (&self.format, &mut self.waiting, &mut self.lost);
        for ring in &mut self.rings {
            ring.read(
                &mut self.buffer,
                &mut |kind, misc, body| match record::parse(format, kind, misc, body) {
                    Some(Record { event: Event::Lost(count), .. }) => *lost = lost.saturating_add(count),
                    Some(record) => {
                        waiting.push(Record { time: record.time.saturating_add(suspended), ..record })
                    }
                    None => {}
                },
            );
        }
        if *lost > lost_before {
            // a full ring tells so with its next event; what it lost may have happened before the last read
            self.tasks.forget();
            let [_, before] = self.reads;
            self.connections.doubt(before);
        }
        self.reads = [now, self.reads[0]];
        waiting.sort_by_key(|record| record.time);
        let due = waiting.partition_point(|record| record.time <= now);
        for record in waiting.drain(..due) {
            match record.event {
                Event::State(change) => self.connections.take(record.time, &change, &mut self.tasks),
                Event::Fork { pid, parent } => self.tasks.forked(pid, parent, record.time),
                Event::Name { pid, name } => self.tasks.named(pid, name, record.time),
                Event::Exit { pid } => self.tasks.exited(pid),
                Event::Lost(_) => {}
            }
        }
        self.connections.sweep(now);
    }

    /// Who opened or closed the connection that a flow's end belongs to; `began` in nanoseconds since boot.
    pub(super) fn party(&self, end: &SocketEnd, began: Option<u64>) -> Option<&Party> {
        self.connections.find(end, began)
    }

    /// Pids of the processes that were given a name since this was asked last.
    pub(super) fn take_named(&mut self) -> HashSet<u32> {
        self.tasks.take_named()
    }

    /// Pids of the processes that have ended since this was asked last.
    pub(super) fn take_ended(&mut self) -> Vec<u32> {
        self.tasks.take_ended()
    }
}

//! Records of a perf ring (perf_event_open(2), "MMAP layout"), checked on arrival.
use std::net::IpAddr;

use shared::text::escape_bytes;
use weir_shared as shared;

use super::tracepoint::Format;
use crate::attribution::sockets::plain;

const LOST: u32 = 2;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const SAMPLE: u32 = 9;
/// What `sample_id_all` appends: thread group, thread, time.
const TRAILER: usize = 16;

/// A change of a TCP socket's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Thread group in whose context it happened, which need not have to do with it.
    pub(super) pid: u32,
    /// The socket's address in the kernel: names it while it lives.
    pub(super) socket: u64,
    pub(super) old: u8,
    pub(super) new: u8,
    pub(super) local: (IpAddr, u16),
    pub(super) remote: (IpAddr, u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    State(Change),
    /// A process, not a thread.
    Fork {
        pid: u32,
        parent: u32,
    },
    /// Of the thread group's leader.
    Name {
        pid: u32,
        name: String,
    },
    Exit {
        pid: u32,
    },
    Lost(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Nanoseconds, of CLOCK_MONOTONIC as it arrives.
    pub(super) time: u64,
    pub(super) event: Event,
}

/// None: a record of no use here, of a thread, or not what it should be.
pub(super) fn parse(format: &Format, kind: u32, _misc: u16, body: &[u8]) -> Option<Record> {
    if kind == SAMPLE {
        return sample(format, body);
    }
    let time = word(body, body.len().checked_sub(8)?)?;
    let event = match kind {
        LOST => Event::Lost(word(body, 8)?),
        COMM => {
            let (pid, thread) = (half(body, 0)?, half(body, 4)?);
            let name = body.get(8..body.len().checked_sub(TRAILER)?)?;
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            (pid == thread).then_some(())?;
            Event::Name { pid, name: escape_bytes(name.get(..end)?) }
        }
        FORK | EXIT => {
            let (pid, parent, thread) = (half(body, 0)?, half(body, 4)?, half(body, 8)?);
            (pid == thread).then_some(())?;
            if kind == FORK { Event::Fork { pid, parent } } else { Event::Exit { pid } }
        }
        _ => return None,
    };
    Some(Record { time, event })
}

fn sample(format: &Format, body: &[u8]) -> Option<Record> {
    let (pid, time) = (half(body, 0)?, word(body, 8)?);
    let length = usize::try_from(half(body, 16)?).ok()?;
    let raw = body.get(20..20_usize.checked_add(length)?)?;
    let family = i32::from(quarter(raw, format.family)?);
    let address = |v4: usize, v6: usize| -> Option<IpAddr> {
        match family {
            libc::AF_INET => Some(raw.get(v4..)?.first_chunk::<4>().copied()?.into()),
            libc::AF_INET6 => Some(plain(raw.get(v6..)?.first_chunk::<16>().copied()?.into())),
            _ => None,
        }
    };
    if i32::from(quarter(raw, format.protocol)?) != libc::IPPROTO_TCP {
        return None;
    }
    let change = Change {
        pid,
        socket: word(raw, format.socket)?,
        old: u8::try_from(half(raw, format.old_state)?).ok()?,
        new: u8::try_from(half(raw, format.new_state)?).ok()?,
        local: (address(format.local, format.local_6)?, quarter(raw, format.local_port)?),
        remote: (address(format.remote, format.remote_6)?, quarter(raw, format.remote_port)?),
    };
    Some(Record { time, event: Event::State(change) })
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn quarter(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn task(pid: u32, parent: u32, thread: u32) -> Vec<u8> {
        let mut body = Vec::new();
        for field in [pid, parent, thread, parent] {
            body.extend_from_slice(&field.to_ne_bytes());
        }
        body.extend_from_slice(&77_u64.to_ne_bytes());
        trailer(body)
    }

    fn trailer(mut body: Vec<u8>) -> Vec<u8> {
        body.extend_from_slice(&[0; 8]);
        body.extend_from_slice(&99_u64.to_ne_bytes());
        body
    }

    #[test]
    fn processes_are_told_and_threads_are_not() {
        let format = Format::default();
        let told = parse(&format, FORK, 0, &task(5, 4, 5)).unwrap();
        assert_eq!(told, Record { time: 99, event: Event::Fork { pid: 5, parent: 4 } });
        assert_eq!(parse(&format, EXIT, 0, &task(5, 4, 5)).unwrap().event, Event::Exit { pid: 5 });
        assert_eq!(parse(&format, FORK, 0, &task(5, 5, 6)), None);
    }

    #[test]
    fn a_name_ends_at_its_zero_and_is_escaped() {
        let mut body = [5_u32.to_ne_bytes(), 5_u32.to_ne_bytes()].concat();
        body.extend_from_slice(b"cu\x1brl\0\0\0");
        let told = parse(&Format::default(), COMM, 0, &trailer(body)).unwrap();
        assert_eq!(told.event, Event::Name { pid: 5, name: "cu\\x1brl".to_owned() });
    }

    proptest! {
        #[test]
        fn any_record_is_parsed_or_refused(
            kind in 0_u32..12,
            body in proptest::collection::vec(any::<u8>(), 0..160),
            offset in 0_usize..100,
        ) {
            let format = Format { remote_6: offset, socket: offset, ..Format::default() };
            let _ = parse(&format, kind, 0, &body);
        }
    }
}

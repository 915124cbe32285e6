//! What the kernel programs tell, read from the bytes of the ring. The layouts are those of `collector/bpf/weir.bpf.c`.
mod tuple;

use std::net::IpAddr;

use crate::flows::key::Key;
use crate::flows::record::Tally;
use tuple::tuple;

const SOCKET_EVENT: u32 = 1;
const PROGRAM_EVENT: u32 = 2;
const FRAMES_EVENT: u32 = 3;
const TRANSLATION_EVENT: u32 = 4;
const SOCKET_BYTES: usize = 120;
const PROGRAM_BYTES: usize = 672;
const FRAMES_BYTES: usize = 88;
const TRANSLATION_BYTES: usize = 104;
/// Where the tuple of a socket's event lies, and those of a translation's.
const SOCKETS_TUPLE: usize = 80;
const TUPLE_BEFORE: usize = 24;
const TUPLE_AFTER: usize = 64;
const PATH_PARTS: usize = 8;
const PART_BYTES: usize = 48;

const TCP_LISTEN: u8 = 10;
const SOCK_STREAM: u8 = 1;

/// How the kernel knows a socket's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// A socket of the kernel's own.
    Kernel,
    /// The only process that held it when the programs were loaded.
    Found,
    /// One of several that did.
    Shared,
    /// Made it.
    Made,
    /// Made the listener that it is a connection of; who takes it is not known yet.
    Listener,
    /// Took it.
    Accepted,
    /// Has sent on it.
    Sent,
    /// Has sent frames with these addresses past the IP stack, which it may have made up.
    Framed,
    /// Several programs send such frames in turns.
    Several,
}

impl How {
    fn from_number(number: u8) -> Option<Self> {
        let all = [
            Self::Kernel,
            Self::Found,
            Self::Shared,
            Self::Made,
            Self::Listener,
            Self::Accepted,
            Self::Sent,
            Self::Framed,
            Self::Several,
        ];
        all.get(usize::from(number)).copied()
    }
}

/// A program in a process: its pid is used again, with the start time it is not, and exec(2) makes another one of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Program {
    /// Nanoseconds since boot.
    pub(super) start: u64,
    pub(super) pid: u32,
    pub(super) exec: u32,
}

/// Who holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) program: Program,
    pub(super) cgroup: u64,
    pub(super) user: u32,
    /// comm, up to its first zero.
    pub(super) name: [u8; 16],
}

/// A flow's end at a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) key: Key,
    /// The socket is at the key's low end.
    pub(super) low: bool,
}

impl End {
    /// The flow's other end.
    pub(super) fn other(self) -> Self {
        Self { low: !self.low, ..self }
    }

    /// Its address and port.
    pub(super) fn place(&self) -> (IpAddr, u16) {
        if self.low { self.key.low() } else { self.key.high() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SocketEvent {
    /// Nanoseconds since boot.
    pub(super) time: u64,
    pub(super) how: How,
    /// Told of a packet that the socket has sent: the addresses are those on the wire. Those of one that came in are the
    /// socket's own, which may be translated ones.
    pub(super) sent: bool,
    /// A TCP socket that listens: no connection's.
    pub(super) listens: bool,
    pub(super) socket: u64,
    pub(super) network_namespace: u64,
    pub(super) holder: Holder,
    /// None: news of the socket as such.
    pub(super) end: Option<End>,
    /// Protocol, address and port of the socket's own end.
    pub(super) local: Option<(u8, IpAddr, u16)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProgramEvent {
    pub(super) time: u64,
    pub(super) program: Program,
    /// Of the executable; `…/` before it where its first folders are missing.
    pub(super) path: Vec<u8>,
    /// Arguments with blanks between them, cut.
    pub(super) command_line: Vec<u8>,
}

/// Frames without a 5-tuple that a program sent past the IP stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FramesEvent {
    pub(super) time: u64,
    /// Index, in the network namespace.
    pub(super) interface: u32,
    pub(super) network_namespace: u64,
    pub(super) sent: Tally,
    pub(super) holder: Holder,
}

/// A connection whose addresses this machine translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TranslationEvent {
    /// Nanoseconds since boot.
    pub(super) time: u64,
    /// Told of a packet that a socket of the namespace has sent; else of one that was forwarded.
    pub(super) by_socket: bool,
    pub(super) network_namespace: u64,
    /// The initiator's end, as its packets come and as they leave.
    pub(super) before: End,
    pub(super) after: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Socket(SocketEvent),
    Frames(FramesEvent),
    Translation(TranslationEvent),
    Program(Box<ProgramEvent>),
}

impl Event {
    /// None where it is no event that this version knows.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        match word(bytes, 8)? {
            SOCKET_EVENT if bytes.len() == SOCKET_BYTES => socket(bytes).map(Self::Socket),
            PROGRAM_EVENT if bytes.len() == PROGRAM_BYTES => {
                program_event(bytes).map(|event| Self::Program(Box::new(event)))
            }
            FRAMES_EVENT if bytes.len() == FRAMES_BYTES => frames(bytes).map(Self::Frames),
            TRANSLATION_EVENT if bytes.len() == TRANSLATION_BYTES => {
                translation(bytes).map(Self::Translation)
            }
            _ => None,
        }
    }

    pub(super) fn time(&self) -> u64 {
        match self {
            Self::Socket(event) => event.time,
            Self::Frames(event) => event.time,
            Self::Translation(event) => event.time,
            Self::Program(event) => event.time,
        }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_ne_bytes)
}

fn program(bytes: &[u8], at: usize) -> Option<Program> {
    Some(Program { start: long(bytes, at)?, pid: word(bytes, at + 8)?, exec: word(bytes, at + 12)? })
}

/// `struct owner`.
fn holder(bytes: &[u8], at: usize) -> Option<Holder> {
    Some(Holder {
        program: program(bytes, at)?,
        cgroup: long(bytes, at + 16)?,
        user: word(bytes, at + 24)?,
        name: array(bytes, at + 32)?,
    })
}

fn frames(bytes: &[u8]) -> Option<FramesEvent> {
    Some(FramesEvent {
        time: long(bytes, 0)?,
        interface: word(bytes, 12)?,
        sent: Tally { packets: long(bytes, 16)?, bytes: long(bytes, 24)? },
        network_namespace: long(bytes, 32)?,
        holder: holder(bytes, 40)?,
    })
}

fn translation(bytes: &[u8]) -> Option<TranslationEvent> {
    Some(TranslationEvent {
        time: long(bytes, 0)?,
        by_socket: word(bytes, 12)? != 0,
        network_namespace: long(bytes, 16)?,
        before: tuple(bytes, TUPLE_BEFORE)?.end(How::Sent),
        after: tuple(bytes, TUPLE_AFTER)?.end(How::Sent),
    })
}

fn socket(bytes: &[u8]) -> Option<SocketEvent> {
    let [how, sent, state, kind] = array(bytes, 12)?;
    let how = How::from_number(how)?;
    let tuple = tuple(bytes, SOCKETS_TUPLE);
    Some(SocketEvent {
        time: long(bytes, 0)?,
        how,
        sent: sent != 0,
        listens: tuple.is_some_and(|tuple| tuple.protocol == 6) && state == TCP_LISTEN && kind == SOCK_STREAM,
        socket: long(bytes, 16)?,
        network_namespace: long(bytes, 24)?,
        holder: holder(bytes, 32)?,
        end: tuple.map(|tuple| tuple.end(how)),
        local: tuple.map(|tuple| (tuple.protocol, tuple.local.0, tuple.local.1)),
    })
}

fn program_event(bytes: &[u8]) -> Option<ProgramEvent> {
    let length = usize::try_from(word(bytes, 12)?).ok()?;
    let path = bytes.get(32..32 + PATH_PARTS * PART_BYTES)?;
    let arguments = bytes.get(32 + PATH_PARTS * PART_BYTES..)?;
    Some(ProgramEvent {
        time: long(bytes, 0)?,
        program: program(bytes, 16)?,
        path: joined(path),
        command_line: command_line(arguments.get(..length).unwrap_or(arguments)),
    })
}

/// From the names of the file, its folder, and so on up to the root, which is called `/`.
fn joined(parts: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> =
        parts.chunks(PART_BYTES).map(until_zero).take_while(|name| !name.is_empty()).collect();
    let is_whole = names.last().is_some_and(|name| *name == b"/");
    if is_whole {
        names.truncate(names.iter().position(|name| *name == b"/").unwrap_or(0));
    }
    if names.is_empty() {
        return Vec::new();
    }
    let mut path = if is_whole { Vec::new() } else { "…".as_bytes().to_vec() };
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

fn command_line(arguments: &[u8]) -> Vec<u8> {
    let end = arguments.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let used = arguments.get(..end).unwrap_or_default();
    used.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect()
}

pub(super) fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
#[path = "event_tests.rs"]
pub(super) mod tests;

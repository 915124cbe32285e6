//! From a flow's end to its socket: the kernel's own look-up for TCP, a table made once a round for what shares ports.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::SocketEnd;
use super::diag::{Diag, DiagError, LISTENING, NOT_TIME_WAIT};
use super::events;
use super::namespaces::Namespaces;
use super::processes::Process;
use super::questions::CLOSED;
use super::sockets::{ICMP, ICMP_V6, SCTP, Socket, TCP, UDP, UDP_LITE, state};
use super::tables::{self, Table, TextTable};
use super::translations::{Translated, Translations};

const PASSING: &str = "it passes through this machine";
const TRANSLATED: &str =
    "its address was translated (NAT); with kernel programs (`weir-collector ebpf load`) it has an owner";
const PERHAPS_TRANSLATED: &str = "this machine may translate addresses (NAT): without kernel programs (`weir-collector ebpf load`) a port alone does not say whose it is";
const KERNEL_PROTOCOL: &str = "its protocol has no sockets here";
const KERNELS_OR_RAW: &str = "the kernel or a program with a raw socket may have sent it";
const SEVERAL_RAW: &str = "several raw sockets may have sent it";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Located {
    /// One, or several that share the port.
    Sockets(Vec<Socket>),
    /// The connection itself is closed or not yet accepted.
    Listeners(Vec<Socket>),
    /// Told by an event.
    Process(events::Party),
    /// Seen when the connection began.
    Party(Arc<Process>),
    /// The socket that had the port was closed then, nanoseconds since boot, and no other had it since.
    Until(u64),
    Later,
    Kernel,
    Nowhere(&'static str),
}

impl Located {
    pub(super) fn inodes(&self) -> impl Iterator<Item = u64> {
        let sockets: &[Socket] = match self {
            Self::Sockets(sockets) | Self::Listeners(sockets) => sockets,
            Self::Process(_)
            | Self::Party(_)
            | Self::Until(_)
            | Self::Later
            | Self::Kernel
            | Self::Nowhere(_) => &[],
        };
        sockets.iter().map(|socket| socket.inode)
    }
}

/// Tables of one round, each read when it is first needed.
#[derive(Debug, Default)]
struct Round {
    listeners: Option<Table>,
    streams: Option<Table>,
    datagrams: HashMap<u8, Table>,
    portless: Option<Table>,
    /// By a process of the namespace.
    foreign: HashMap<u32, Table>,
}

#[derive(Debug)]
pub(super) struct Locator {
    /// None: sock_diag cannot be had, the text tables are read.
    diag: Option<Diag>,
    round: Round,
    namespaces: Namespaces,
    translations: Translations,
    pub(super) refused: u64,
    pid: u32,
}

impl Locator {
    pub(super) fn open() -> Self {
        let diag = Diag::open()
            .inspect_err(|error| tracing::warn!(error = %weir_shared::error::ErrorChain(error), "sockets are read from /proc/net"))
            .ok();
        Self {
            diag,
            round: Round::default(),
            namespaces: Namespaces::default(),
            translations: Translations::default(),
            refused: 0,
            pid: std::process::id(),
        }
    }

    pub(super) fn has_diag(&self) -> bool {
        self.diag.is_some()
    }

    pub(super) fn begin_round(&mut self) {
        self.round = Round::default();
    }

    /// `asked`: since when. `patient`: a connection that waits to be accepted may be asked for again.
    pub(super) fn locate(&mut self, end: &SocketEnd, asked: Instant, patient: bool) -> Located {
        match self.namespaces.process_with(end.local.0) {
            Some(pid) => return self.foreign(pid, end, patient),
            // a socket here that is bound to no address would fit, and has nothing to do with it
            None if end.is_forwarded => return Located::Nowhere(PASSING),
            None => {}
        }
        match self.own(end, patient) {
            located if is_certain(&located, end) => located,
            located => match (self.translations.of(end, asked), located) {
                (Translated::No, located) | (Translated::Perhaps, located @ Located::Nowhere(_)) => located,
                (Translated::Later, _) => Located::Later,
                (Translated::From(own), _) if self.namespaces.is_own(own.local.0) => self.own(&own, patient),
                (Translated::From(_), _) => Located::Nowhere(TRANSLATED),
                (Translated::Perhaps, _) => Located::Nowhere(PERHAPS_TRANSLATED),
            },
        }
    }

    /// Among the sockets of this network namespace.
    fn own(&mut self, end: &SocketEnd, patient: bool) -> Located {
        match end.protocol {
            TCP => self.stream(end, patient),
            UDP | UDP_LITE | SCTP => match self.datagram(end) {
                sockets if sockets.is_empty() => Located::Nowhere(CLOSED),
                sockets => held(sockets),
            },
            _ => self.portless(end),
        }
    }

    fn stream(&mut self, end: &SocketEnd, patient: bool) -> Located {
        let found = match self.find(end) {
            Ok(found) => found,
            Err(()) => self.streams().of(end).first().copied(),
        };
        connection(found, end, patient, || self.listeners().listeners(end))
    }

    /// In another network namespace, from its text tables.
    fn foreign(&mut self, pid: u32, end: &SocketEnd, patient: bool) -> Located {
        let table = self.round.foreign.entry(pid).or_insert_with(|| {
            let mut sockets = Vec::new();
            for table in tables::STREAMS.iter().chain(&tables::DATAGRAMS).chain(&tables::PORTLESS) {
                table.read(pid, &mut sockets);
            }
            Table::new(sockets)
        });
        let found = table.of(end);
        match end.protocol {
            TCP => connection(found.first().copied(), end, patient, || table.listeners(end)),
            _ if found.is_empty() => Located::Nowhere(CLOSED),
            _ => held(found),
        }
    }

    fn find(&mut self, end: &SocketEnd) -> Result<Option<Socket>, ()> {
        let diag = self.diag.as_mut().ok_or(())?;
        let found = diag.find(TCP, end.local, end.remote);
        found.map_err(|error| self.refuse(&error))
    }

    fn datagram(&mut self, end: &SocketEnd) -> Vec<Socket> {
        if !self.round.datagrams.contains_key(&end.protocol) {
            let mut sockets = Vec::new();
            if !self.dump(end.protocol, u32::MAX, &mut sockets) {
                self.text(&tables::DATAGRAMS, &mut sockets);
            }
            self.round.datagrams.insert(end.protocol, Table::new(sockets));
        }
        self.round.datagrams.get(&end.protocol).map(|table| table.of(end)).unwrap_or_default()
    }

    fn streams(&mut self) -> &Table {
        if self.round.streams.is_none() {
            let mut sockets = Vec::new();
            self.text(&tables::STREAMS, &mut sockets);
            self.round.streams = Some(Table::new(sockets));
        }
        self.round.streams.get_or_insert_default()
    }

    fn listeners(&mut self) -> &Table {
        if self.round.listeners.is_none() {
            let mut sockets = Vec::new();
            if !self.dump(TCP, LISTENING & NOT_TIME_WAIT, &mut sockets) {
                self.text(&tables::STREAMS, &mut sockets);
            }
            self.round.listeners = Some(Table::new(sockets));
        }
        self.round.listeners.get_or_insert_default()
    }

    /// Raw and ping sockets. What the kernel answers by itself has none.
    fn portless(&mut self, end: &SocketEnd) -> Located {
        if self.round.portless.is_none() {
            let mut sockets = Vec::new();
            self.text(&tables::PORTLESS, &mut sockets);
            self.round.portless = Some(Table::new(sockets));
        }
        let sockets = self.round.portless.as_ref().map(|table| table.of(end)).unwrap_or_default();
        let is_icmp = matches!(end.protocol, ICMP | ICMP_V6);
        let is_echo = is_icmp && end.local.1 != 0;
        match sockets.len() {
            0 if is_echo && end.is_initiator => Located::Nowhere(CLOSED),
            0 if is_icmp => Located::Kernel,
            0 => Located::Nowhere(KERNEL_PROTOCOL),
            // an error or neighbour discovery: mostly the kernel's, yet whoever has a raw socket may send them too
            _ if is_icmp && !is_echo => Located::Nowhere(KERNELS_OR_RAW),
            1 => held(sockets),
            _ => Located::Nowhere(SEVERAL_RAW),
        }
    }

    /// False: refused, or the kernel does not list this protocol.
    fn dump(&mut self, protocol: u8, states: u32, sockets: &mut Vec<Socket>) -> bool {
        let Some(diag) = self.diag.as_mut() else { return false };
        for version_6 in [false, true] {
            match diag.dump(protocol, version_6, states, sockets) {
                Ok(()) => {}
                Err(DiagError::Refused(error)) if error.raw_os_error() == Some(libc::ENOENT) => return false,
                Err(error) => {
                    self.refuse(&error);
                    sockets.clear();
                    return false;
                }
            }
        }
        true
    }

    fn text(&self, tables: &[TextTable], sockets: &mut Vec<Socket>) {
        for table in tables {
            table.read(self.pid, sockets);
        }
    }

    fn refuse(&mut self, error: &DiagError) {
        self.refused = self.refused.saturating_add(1);
        tracing::debug!(error = %weir_shared::error::ErrorChain(error), "sock_diag");
    }

    /// A socket of root's that no process holds and that is still there: WireGuard's, VXLAN's, NFS's. One that was
    /// handed to an io_uring is held by no descriptor either, so that only unconnected datagram sockets count.
    pub(super) fn is_the_kernels(&mut self, socket: &Socket) -> bool {
        if !matches!(socket.protocol, UDP | UDP_LITE) || socket.uid != 0 || socket.is_connected() {
            return false;
        }
        let mut sockets = Vec::new();
        self.dump(socket.protocol, u32::MAX, &mut sockets)
            && sockets.iter().any(|other| other.cookie == socket.cookie && other.inode == socket.inode)
    }
}

/// Whether nothing but a port says that these sockets are the end's. Loopback addresses are nobody else's.
pub(super) fn is_by_port(sockets: &[Socket], end: &SocketEnd) -> bool {
    end.protocol != TCP && !sockets.iter().all(Socket::is_connected) && !end.local.0.is_loopback()
}

/// Whether more than a port says so: the addresses of both ends do, or an event.
fn is_certain(located: &Located, end: &SocketEnd) -> bool {
    match located {
        Located::Sockets(sockets) => !is_by_port(sockets, end),
        Located::Listeners(_) | Located::Nowhere(_) => end.local.0.is_loopback(),
        Located::Kernel => true,
        Located::Process(_) | Located::Party(_) | Located::Until(_) | Located::Later => true,
    }
}

/// What a socket found by the addresses of a connection says of it.
fn connection(
    found: Option<Socket>,
    end: &SocketEnd,
    patient: bool,
    listeners: impl FnOnce() -> Vec<Socket>,
) -> Located {
    match found.filter(|socket| socket.state != state::LISTEN) {
        Some(socket) if socket.inode != 0 => Located::Sockets(vec![socket]),
        Some(socket) if socket.waits_for_accept() && patient => Located::Later,
        _ if end.is_initiator => Located::Nowhere(CLOSED),
        _ => match listeners() {
            sockets if sockets.is_empty() => Located::Nowhere(CLOSED),
            sockets => Located::Listeners(sockets),
        },
    }
}

fn held(sockets: Vec<Socket>) -> Located {
    // a closed datagram socket is gone at once: without a file it is the kernel's own
    match sockets.iter().all(|socket| socket.inode == 0) {
        true if sockets.iter().all(|socket| socket.uid == 0) => Located::Kernel,
        true => Located::Nowhere(CLOSED),
        false => Located::Sockets(sockets.into_iter().filter(|socket| socket.inode != 0).collect()),
    }
}

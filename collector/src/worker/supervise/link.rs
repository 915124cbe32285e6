//! One worker's process and the socket to it.
use std::collections::{HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, setsockopt, socketpair, sockopt};

use crate::attribution::ebpf::Source;
use crate::worker::CAPTURE_WORKER;
use crate::worker::outbox::receive;
use crate::worker::owners::Handed;
use crate::worker::records::{Command, Record, encode};

/// Room for what the worker tells while the collector is busy; the kernel grants what it allows.
const SOCKET_BUFFER: usize = 512 * 1_024;
const MOST_QUEUED: usize = 64;

#[derive(Debug)]
pub(super) struct Link {
    child: Child,
    socket: OwnedFd,
    queued: VecDeque<Vec<u8>>,
    born: Instant,
    /// It has said that it is confined.
    pub(super) ready: bool,
}

pub(super) enum Incoming {
    Nothing,
    Record(Record),
    End,
    /// What it sent is no record: it is not to be trusted further.
    Bad(String),
}

impl Link {
    /// Starts this very file again, whatever is at its path by now: without environment, the socket as descriptor 0.
    pub(super) fn start(owners: Option<&Source>) -> io::Result<Self> {
        let (socket, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        for end in [&socket, &theirs] {
            setsockopt(end, sockopt::SndBuf, &SOCKET_BUFFER)?;
        }
        let mut command = std::process::Command::new("/proc/self/exe");
        command.arg0("weir-capture").arg(CAPTURE_WORKER).arg(std::process::id().to_string());
        // without close-on-exec; the worker maps and closes them before anything else
        let inherited = owners.map(inheritable).transpose()?;
        if let Some((handed, _)) = &inherited {
            command.arg(handed.argument());
        }
        command.env_clear().current_dir("/").stdin(Stdio::from(theirs)).stdout(Stdio::null());
        let child = handing_down_net_raw(|| command.spawn())?;
        Ok(Self { child, socket, queued: VecDeque::new(), born: Instant::now(), ready: false })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn lived(&self) -> Duration {
        self.born.elapsed()
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn interest(&self) -> PollFlags {
        if self.queued.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT }
    }

    pub(super) fn has_room(&self) -> bool {
        self.queued.len() < MOST_QUEUED
    }

    /// Goes out when the worker reads. A command over a message's bound is left out and said.
    pub(super) fn queue(&mut self, command: &Command) {
        match encode(command) {
            Ok(message) => {
                self.queued.push_back(message);
                self.flush();
            }
            Err(error) => tracing::error!(%error, "worker.command: it is left out"),
        }
    }

    /// An error is left to `receive`, which sees the worker's end.
    pub(super) fn flush(&mut self) {
        while let Some(message) = self.queued.front() {
            match send(self.socket.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => self.queued.pop_front(),
                Err(Errno::EINTR) => continue,
                Err(_) => return,
            };
        }
    }

    pub(super) fn receive(&self, buffer: &mut [u8]) -> Incoming {
        match receive(self.socket.as_fd(), buffer) {
            Ok(None) => Incoming::Nothing,
            Ok(Some([])) => Incoming::End,
            Ok(Some(message)) => Record::receive(message)
                .map_or_else(|error| Incoming::Bad(error.to_string()), Incoming::Record),
            Err(error) => Incoming::Bad(error.to_string()),
        }
    }

    /// Makes sure that it is gone and says how it ended. `fault`: why it is ended, where that is our doing.
    pub(super) fn end(mut self, fault: Option<String>) -> String {
        // one that has ended already keeps its own status
        let ended = self.child.kill().and_then(|()| self.child.wait());
        match (fault, ended) {
            (Some(fault), _) => format!("killed: {fault}"),
            (None, Ok(status)) => status.to_string(),
            (None, Err(error)) => error.to_string(),
        }
    }
}

fn inheritable(source: &Source) -> io::Result<(Handed, [OwnedFd; 2])> {
    let [events, control] = [nix::unistd::dup(&source.events)?, nix::unistd::dup(&source.control)?];
    let handed = Handed {
        events: events.as_raw_fd(),
        events_bytes: source.events_bytes,
        control: control.as_raw_fd(),
    };
    Ok((handed, [events, control]))
}

/// Runs `spawn` with CAP_NET_RAW ambient where this thread may have it, so that a new program gets it although this one
/// is not root and may gain no privileges. Ambient and inheritable are as before afterwards.
fn handing_down_net_raw<T>(spawn: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let raw = Capability::CAP_NET_RAW;
    let before = caps::read(None, CapSet::Inheritable).unwrap_or_default();
    let may = caps::has_cap(None, CapSet::Permitted, raw).unwrap_or(false);
    let already = caps::has_cap(None, CapSet::Ambient, raw).unwrap_or(false);
    if !may || already {
        return spawn();
    }
    let with: CapsHashSet = before.union(&HashSet::from([raw])).copied().collect();
    let raised =
        caps::set(None, CapSet::Inheritable, &with).and_then(|()| caps::raise(None, CapSet::Ambient, raw));
    if let Err(error) = raised {
        tracing::debug!(%error, "worker.start: CAP_NET_RAW cannot be handed down");
    }
    let spawned = spawn();
    let lowered =
        caps::drop(None, CapSet::Ambient, raw).and_then(|()| caps::set(None, CapSet::Inheritable, &before));
    if let Err(error) = lowered {
        tracing::warn!(%error, "worker.start: CAP_NET_RAW stays inheritable in this process");
    }
    spawned
}

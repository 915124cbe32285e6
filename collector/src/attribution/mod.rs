//! Who owns a socket: a process by pid and start time, the kernel, or nobody known. Never a guess.
//!
//! The engine asks [`Attribution`] (`book`) for the owner of a flow's end; a thread of its own (`refresh`) answers
//! (`questions`): `diag` and `tables` say which socket an end belongs to, `translations` whether its address is its own,
//! `holders` which processes hold it, `processes` and `units` what those are called, `known` for how long that is
//! believed. `events` and `closings` keep what a socket or a process that has gone can no longer tell; where there are none, `early`
//! looks connections up as soon as they begin. `ebpf` loads the kernel programs whose news the capture worker reads
//! instead, where it may.
use std::net::IpAddr;

use shared::process::MatchQuality;
use weir_shared as shared;

mod asked;
mod book;
pub(crate) mod clocks;
mod closings;
mod diag;
mod directory;
mod early;
pub mod ebpf;
mod events;
mod holders;
mod known;
mod locate;
mod namespaces;
mod owners;
mod parties;
mod processes;
mod questions;
mod refresh;
mod sockets;
mod sources;
mod tables;
mod thread;
mod translations;
mod units;
pub mod users;

pub use book::Attribution;
pub use closings::PortHold;
pub use directory::{Directory, Nobody, without_process};
pub use early::Connections;

/// An owner, for as long as the collector runs. Small numbers stand for those without a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u32);

impl OwnerId {
    /// Not known, for now or for ever.
    pub const UNKNOWN: Self = Self(0);
    /// The kernel's own: resets, ICMP replies, tunnels' carriers.
    pub const KERNEL: Self = Self(1);
    /// Neither end is on this machine.
    pub const FORWARDED: Self = Self(2);
    /// Frames of no flow: ARP, malformed, cut.
    pub const NO_FLOW: Self = Self(3);
    /// The first that stands for a process.
    pub const FIRST_PROCESS: Self = Self(16);

    /// Whether it says who or what moved the bytes, the kernel and what only passes through included.
    pub fn is_known(self) -> bool {
        self == Self::KERNEL || self == Self::FORWARDED || self >= Self::FIRST_PROCESS
    }
}

/// One end of a flow, as the socket on this machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketEnd {
    /// The IANA number.
    pub protocol: u8,
    pub local: (IpAddr, u16),
    pub remote: (IpAddr, u16),
    /// This end sent the flow's first packet.
    pub is_initiator: bool,
    /// Neither end has an address of this machine's own: only a network namespace behind it that has the address can have
    /// the socket.
    pub is_forwarded: bool,
}

/// Which sources are used, as the configuration names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Auto,
    Ebpf,
    Proc,
    Off,
}

/// What is known of a flow's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Found(OwnerId, MatchQuality),
    /// The same, by a port alone: whoever has it has what came until the question. Of what comes later, ask again, with the
    /// socket if it has the port for itself.
    FoundForNow(OwnerId, MatchQuality, Option<PortHold>),
    /// The socket that was asked with had the port until then, and nobody else since it was found there: nanoseconds of the
    /// wall clock. It has been closed.
    HeldUntil(u64),
    /// Being looked up: ask again when [`Attribution::poll`] has returned true.
    Later,
    /// It will not be known; why, in words for the reader.
    Never(&'static str),
}

/// A process as the kernel's own source of events told it, before anything was read from /proc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerNews {
    /// Of the thread group, in the first pid namespace.
    pub pid: u32,
    /// Nanoseconds since boot, suspended time included, as `task_struct.start_boottime`.
    pub start: u64,
    /// Counts the programs that the process has executed.
    pub exec: u32,
    /// In the first user namespace.
    pub uid: u32,
    /// Inode of the cgroup's folder in the cgroup2 hierarchy; 0: not known.
    pub cgroup: u64,
    /// Of the thread group's leader, as the kernel holds it.
    pub comm: String,
    /// Path; empty: read it from /proc.
    pub executable: String,
    /// Arguments joined by spaces; empty: read it from /proc.
    pub command_line: String,
}

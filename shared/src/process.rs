//! Who moves bytes: processes by pid and start time, the kernel, or nobody known. What is not known is never guessed.
use jiff::Timestamp;
use serde::Serialize;

use crate::report::RxTx;

/// Bandwidth thresholds of a process that are one choice away, in bytes a second.
pub const THRESHOLDS: [u64; 5] = [512 << 10, 1 << 20, 2 << 20, 5 << 20, 10 << 20];

/// How an owner was matched to its traffic. In order of trust; a row carries the weakest of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchQuality {
    /// One process held the socket.
    Exact,
    /// The listener that the connection came to.
    Listener,
    /// Several processes held the socket at once.
    Shared,
    /// The kernel's own traffic, forwarded traffic and frames of no flow.
    Kernel,
    #[default]
    Unknown,
}

impl MatchQuality {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Listener => "listener",
            Self::Shared => "shared",
            Self::Kernel => "kernel",
            Self::Unknown => "unknown",
        }
    }
}

/// An owner as a flow or a packet names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct OwnerReference {
    pub name: String,
    /// None without a process.
    pub pid: Option<u32>,
    pub started: Option<Timestamp>,
    pub quality: MatchQuality,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ParentProcess {
    pub pid: u32,
    pub name: String,
}

/// A process, or what stands for one where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// comm of the thread group's leader; `kernel`, `forwarded`, `no_flow` or `unknown` without a process.
    pub name: String,
    /// None without a process.
    pub pid: Option<u32>,
    /// A pid is used again; with its start time it names one process.
    pub started: Option<Timestamp>,
    pub executable: String,
    /// Escaped, cut to a bound.
    pub command_line: String,
    pub user: String,
    /// systemd unit; else empty.
    pub unit: String,
    /// Runtime and short id, such as `docker 0123456789ab`; else empty.
    pub container: String,
    /// Nearest first.
    pub parents: Vec<ParentProcess>,
    pub alive: bool,
    pub quality: MatchQuality,
    /// Why it is unknown, or how many share it; else empty.
    pub reason: String,
}

impl Owner {
    pub fn reference(&self) -> OwnerReference {
        OwnerReference {
            name: self.name.clone(),
            pid: self.pid,
            started: self.started,
            quality: self.quality,
        }
    }
}

/// What one owner moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerRow {
    /// Empty: over interfaces.
    pub interface: String,
    pub owner: Owner,
    /// As the owner's side received and sent it.
    pub traffic: RxTx,
    /// Of it above the transport header.
    pub rx_payload_bytes: u64,
    pub tx_payload_bytes: u64,
    pub per_second: RxTx,
    pub protocols: Vec<String>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Over the process bandwidth threshold at this tick.
    pub over_threshold: bool,
    /// Since the running session began; zero without one.
    pub session_traffic: RxTx,
}

/// What of a list is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    All,
    /// Of flows: those of one process.
    Process { pid: u32, started: Timestamp },
    /// Of owners: what they moved since the running session began.
    Session,
}

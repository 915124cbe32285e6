//! What passes between the engine's half and the thread, both ways bounded.
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use nix::sys::eventfd::EventFd;
use shared::process::MatchQuality;
use weir_shared as shared;

use super::SocketEnd;
use super::clocks::Boot;
use super::closings::PortHold;
use super::known::Executed;
use super::processes::Process;

/// A question without an answer is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

pub(super) const CLOSED: &str = "its socket was closed before it could be looked up";
pub(super) const NO_HOLDER: &str = "no process holds its socket in a place that can be read";
pub(super) const NOT_READABLE: &str =
    "its socket's process may not be read: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are missing";
pub(super) const TOO_SLOW: &str =
    "too many processes, or too few file descriptors, to find its owner in time";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Owner {
        end: SocketEnd,
        /// When the flow began, nanoseconds since boot.
        began: Option<u64>,
        /// The socket that was found at its port the last time.
        hold: Option<PortHold>,
    },
    /// No question: who began a connection, and when, nanoseconds since boot.
    Found { end: SocketEnd, began: u64, process: Arc<Process> },
    /// What a process is called that an event told of: pid and start in clock ticks.
    Details { pid: u32, start: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Held {
        processes: Vec<Arc<Process>>,
        quality: MatchQuality,
        by: By,
    },
    /// The socket that was asked with had the port until then, nanoseconds since boot.
    Until(u64),
    Kernel,
    Nobody(&'static str),
}

/// What says that a socket is a flow's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Addresses,
    /// A port alone, that the next one may have as well; the socket where it is the only one there.
    Port(Option<PortHold>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Owner {
        end: SocketEnd,
        /// As asked.
        began: Option<u64>,
        /// When the kernel was asked, nanoseconds since boot.
        asked: u64,
        verdict: Verdict,
    },
    Details(Arc<Process>),
    /// What was told of the one before is this one's.
    Executed(Executed),
    /// A process that was told of has gone: pid and start.
    Gone(u32, u64),
}

/// Counted by the thread, shown by the engine.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    /// Searches that went on in a later round.
    pub(super) postponed: AtomicU64,
    /// Questions that found no room.
    pub(super) questions: AtomicU64,
    /// Processes that the last search could not look at.
    pub(super) unreadable: AtomicU64,
    /// Kernel events that found no room in their ring.
    pub(super) lost_events: AtomicU64,
    /// How often news of closed sockets found no room.
    pub(super) lost_closings: AtomicU64,
    /// Dumps or questions that the kernel refused.
    pub(super) refused: AtomicU64,
}

/// The thread's ends of all of it.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) questions: Receiver<Question>,
    pub(super) answers: SyncSender<Vec<Answer>>,
    pub(super) wake: Arc<EventFd>,
    pub(super) tallies: Arc<Tallies>,
    pub(super) boot: Boot,
}

//! What attribution could open here, and what it lacks.
use caps::{CapSet, Capability};

use crate::privilege::{self, PrivilegeError};

/// Reading other users' /proc/PID/fd takes both: one to look into the process, one to pass the folder's mode.
pub(super) const TO_READ_ALL: [Capability; 2] = [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// What attribution has to work with, as found at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// Sockets come from sock_diag, not from the text tables.
    pub(super) has_diag: bool,
    /// Descriptors of every user's processes can be read.
    pub(super) reads_all: bool,
    /// Other users' processes are not even listed (hidepid, proc(5)).
    pub(super) hides_processes: bool,
    /// Kernel events tell who begins and ends connections.
    pub(super) has_events: bool,
    /// Why they are not there although they were wished for.
    pub(super) no_events: Option<String>,
}

impl Sources {
    pub(super) fn describe(&self) -> String {
        let sockets = if self.has_diag { "netlink sock_diag" } else { "/proc/net" };
        match self.has_events {
            true => format!(
                "{sockets}, /proc and kernel events of connections: UDP of processes that live under 0.1 s stays unknown"
            ),
            false if self.lacks_events() => format!(
                "{sockets} and /proc, asked when connections begin: some of processes that live for milliseconds, and UDP of those under 0.1 s, stay unknown"
            ),
            false => format!("{sockets} and /proc: processes that live under 0.1 s stay unknown"),
        }
    }

    /// Who begins a connection is told by nobody and has to be looked up.
    pub(super) fn lacks_events(&self) -> bool {
        !self.has_events && self.reads_all
    }

    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.hides_processes {
            missing.push(
                "other users' processes are hidden from the collector (hidepid, or ProtectProc= in its unit): their names cannot be read"
                    .to_owned(),
            );
        }
        if !self.reads_all {
            missing.push(
                "sockets of other users' processes stay unknown: give the collector CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or load eBPF with `weir-collector ebpf load`"
                    .to_owned(),
            );
        }
        if !self.has_diag {
            missing.push(
                "netlink sock_diag is refused: sockets are read from /proc/net, which costs more".to_owned(),
            );
        }
        if let Some(reason) = &self.no_events {
            missing.push(format!(
                "many connections of processes that live under 0.1 s stay unknown, as the kernel's events cannot be read: {reason}"
            ));
        }
        missing
    }
}

/// Leaves the calling thread with what [`TO_READ_ALL`] names of what it holds. True: all of it.
///
/// # Errors
/// The kernel refused; the thread must not go on with everything that it holds.
pub(super) fn keep_what_is_needed() -> Result<bool, PrivilegeError> {
    privilege::narrow_thread(&TO_READ_ALL)?;
    let held = caps::read(None, CapSet::Effective)?;
    Ok(TO_READ_ALL.iter().all(|capability| held.contains(capability)))
}

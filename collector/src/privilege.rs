//! What the collector's main process keeps of its privileges, once sockets and state are open: enough to start the capture
//! worker again, and to write its own files. Capabilities belong to threads: this comes before the first other one.
use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::unistd::Uid;

/// Which part of giving up privileges was refused.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    #[error("capabilities cannot be read or given up")]
    Capabilities(#[from] CapsError),
    #[error("no_new_privs cannot be set")]
    NoNewPrivileges(#[source] nix::errno::Errno),
}

/// Handed down to the worker, never in effect here. As root the worker needs the last three to become nobody.
const FOR_THE_WORKER: [Capability; 4] =
    [Capability::CAP_NET_RAW, Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_SETPCAP];
/// As root: state in a folder of another user's, and a worker of another user's that hangs.
const IN_EFFECT_AS_ROOT: [Capability; 2] = [Capability::CAP_DAC_OVERRIDE, Capability::CAP_KILL];

/// Gives up what the main process does not need: an ordinary user keeps CAP_NET_RAW permitted but not in effect; root
/// loses all but the six capabilities above.
///
/// # Errors
/// The kernel refused; nothing must be served then.
pub fn narrow() -> Result<(), PrivilegeError> {
    let root = Uid::effective().is_root();
    let effective: CapsHashSet = if root { IN_EFFECT_AS_ROOT.into() } else { CapsHashSet::new() };
    let wanted: CapsHashSet = effective.iter().copied().chain(FOR_THE_WORKER).collect();
    keep(&wanted, &effective)
}

/// The same for a thread of its own that was started before: of what it holds it keeps `wanted`, in effect.
///
/// # Errors
/// The kernel refused; the thread must end then.
pub fn narrow_thread(wanted: &[Capability]) -> Result<(), PrivilegeError> {
    let wanted: CapsHashSet = wanted.iter().copied().collect();
    keep(&wanted, &wanted)
}

/// Of what the calling thread holds.
fn keep(wanted: &CapsHashSet, effective: &CapsHashSet) -> Result<(), PrivilegeError> {
    let held = caps::read(None, CapSet::Permitted)?;
    let permitted: CapsHashSet = held.intersection(wanted).copied().collect();
    if held.contains(&Capability::CAP_SETPCAP) {
        for capability in caps::read(None, CapSet::Bounding)?.difference(wanted) {
            caps::drop(None, CapSet::Bounding, *capability)?;
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::set(None, CapSet::Effective, &effective.intersection(&permitted).copied().collect())?;
    caps::set(None, CapSet::Permitted, &permitted)?;
    caps::clear(None, CapSet::Inheritable)?;
    prctl::set_no_new_privs().map_err(PrivilegeError::NoNewPrivileges)
}

//! How the processes that touch hostile bytes give up what they do not need: the capture worker keeps CAP_NET_RAW and a
//! socket, the filter compiler nothing but its memory. What the kernel then still answers is in `calls`.
//!
//! The order matters. The bounding set is cleared while CAP_SETPCAP is there; changing the user clears the parent-death
//! signal, so that follows; the seccomp filter that kills comes before the one that refuses, which refuses seccomp(2), too.
mod calls;

use std::collections::HashSet;
use std::fmt::Display;

use caps::{CapSet, Capability};
use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Pid, Uid, getppid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

/// "nobody": owns no file and no other process of Weir.
const NOBODY: u32 = 65_534;

/// What holds a confined process, for `status` and the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    pub user: u32,
    /// Whether CAP_NET_RAW is there; without it no interface can be opened.
    pub may_capture: bool,
    /// `FullyEnforced`, `PartiallyEnforced` or `NotEnforced` (a kernel before 5.13).
    pub landlock: String,
    pub seccomp_instructions: u32,
}

/// The step that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct SandboxError {
    step: &'static str,
    reason: String,
}

trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, SandboxError>;
}

impl<T, E: Display> Step<T> for Result<T, E> {
    fn step(self, step: &'static str) -> Result<T, SandboxError> {
        self.map_err(|error| SandboxError { step, reason: error.to_string() })
    }
}

/// Leaves the capture worker its socket (descriptor 0), CAP_NET_RAW where the parent had it, and AF_PACKET. Cannot be
/// undone. `parent` is the process whose death is to be this one's; where it has died already, that is an error.
pub fn confine_worker(parent: Pid) -> Result<Confinement, SandboxError> {
    hold_signals()?;
    close_inherited()?;
    let may_capture =
        caps::has_cap(None, CapSet::Permitted, Capability::CAP_NET_RAW).step("read capabilities")?;
    let keep: HashSet<Capability> =
        if may_capture { HashSet::from([Capability::CAP_NET_RAW]) } else { HashSet::new() };
    become_nobody(&keep)?;
    die_with(parent)?;
    limit(Resource::RLIMIT_NOFILE, 384)?; // an interface takes four descriptors at most
    let landlock = shut_files_and_network()?;
    let user = Uid::effective().as_raw();
    let (kill, allow) = calls::worker_filters()?;
    let seccomp_instructions = u32::try_from(kill.len().saturating_add(allow.len())).unwrap_or(u32::MAX);
    seccompiler::apply_filter(&kill).step("seccomp filter that kills")?;
    seccompiler::apply_filter(&allow).step("seccomp filter that refuses")?;
    Ok(Confinement { user, may_capture, landlock, seccomp_instructions })
}

/// Leaves the filter compiler its memory, reading descriptor 0 and writing 1 and 2, for `seconds` of processor time.
pub(super) fn confine_compiler(seconds: u64, memory: u64) -> Result<(), SandboxError> {
    close_inherited()?;
    become_nobody(&HashSet::new())?;
    limit(Resource::RLIMIT_CPU, seconds)?;
    limit(Resource::RLIMIT_AS, memory)?;
    shut_files_and_network()?;
    limit(Resource::RLIMIT_NOFILE, 3)?;
    seccompiler::apply_filter(&calls::compiler_filter()?).step("seccomp filter")
}

/// A terminal's Ctrl+C and a unit's SIGTERM reach the whole group: they must not cost the last tick. The parent's
/// Finish, its end of the socket or its death end the worker. SIGXFSZ: where standard error is a file, a library that
/// complains there may not, and that is all.
fn hold_signals() -> Result<(), SandboxError> {
    let held = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGXFSZ];
    let held: SigSet = held.into_iter().collect();
    held.thread_block().step("block signals")
}

/// Descriptors that the parent itself inherited without close-on-exec come along.
fn close_inherited() -> Result<(), SandboxError> {
    let listing = std::fs::read_dir("/proc/self/fd").step("list own descriptors")?;
    let open: Vec<i32> = listing.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        match nix::unistd::close(descriptor) {
            Ok(()) | Err(nix::errno::Errno::EBADF) => {} // the listing's own is closed already
            Err(error) => return Err(error).step("close an inherited descriptor"),
        }
    }
    Ok(())
}

fn become_nobody(keep: &HashSet<Capability>) -> Result<(), SandboxError> {
    if Uid::effective().is_root() {
        caps::clear(None, CapSet::Bounding).step("clear the bounding set")?;
        prctl::set_keepcaps(true).step("keep capabilities over the change of user")?;
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setgroups(&[]).step("leave all groups")?;
        setresgid(group, group, group).step("change the group")?;
        setresuid(user, user, user).step("change the user")?;
        prctl::set_keepcaps(false).step("stop keeping capabilities")?;
    }
    caps::clear(None, CapSet::Ambient).step("clear ambient capabilities")?;
    caps::set(None, CapSet::Effective, keep).step("set effective capabilities")?;
    caps::set(None, CapSet::Permitted, keep).step("set permitted capabilities")?;
    caps::clear(None, CapSet::Inheritable).step("clear inheritable capabilities")?;
    prctl::set_no_new_privs().step("forbid new privileges")?;
    prctl::set_dumpable(false).step("forbid core dumps and tracing")?;
    limit(Resource::RLIMIT_CORE, 0)?;
    limit(Resource::RLIMIT_FSIZE, 0)
}

fn die_with(parent: Pid) -> Result<(), SandboxError> {
    prctl::set_pdeathsig(Signal::SIGKILL).step("ask to die with the parent")?;
    if getppid() == parent { Ok(()) } else { Err("it has gone already").step("find the parent") }
}

/// Lowers a limit; one that is lower already stays, since only root may raise it.
fn limit(resource: Resource, most: u64) -> Result<(), SandboxError> {
    let (_, hard) = getrlimit(resource).step("read a resource limit")?;
    setrlimit(resource, most.min(hard), most.min(hard)).step("set a resource limit")
}

/// A Landlock ruleset without a single rule. An older kernel enforces what it knows; seccomp does not rest on it.
fn shut_files_and_network() -> Result<String, SandboxError> {
    let known = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(known))
        .step("Landlock files")?
        .handle_access(AccessNet::from_all(known))
        .step("Landlock network")?
        .scope(Scope::from_all(known))
        .step("Landlock scope")?
        .create()
        .step("create the Landlock ruleset")?
        .restrict_self()
        .step("enforce the Landlock ruleset")?;
    Ok(format!("{:?}", status.ruleset))
}

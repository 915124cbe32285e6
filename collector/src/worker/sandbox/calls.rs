//! The system calls that the kernel still answers, each for a reason. Everything else is refused with EACCES, since what
//! libpcap and libc try and can do without differs from one distribution to the next; what none of them has a use for, and
//! whoever has taken the process over has, ends it.
use std::collections::BTreeMap;

use libc::{
    AF_PACKET, AF_UNIX, EACCES, F_GETFL, F_SETFL, PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_HDRLEN,
    PACKET_RESERVE, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PROT_EXEC, SO_ATTACH_FILTER, SO_ERROR,
    SO_TIMESTAMPNS, SO_TYPE, SOCK_RAW, SOL_PACKET, SOL_SOCKET,
};
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::{
    BpfProgram, SeccompAction as Action, SeccompCmpOp as Compare, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule,
};

use super::{SandboxError, Step};

/// The two filters of the capture worker: what kills, and what is allowed while the rest is refused. seccompiler knows two
/// actions a filter; of all filters the strictest answer wins.
pub(super) fn worker_filters() -> Result<(BpfProgram, BpfProgram), SandboxError> {
    let mut allow = Calls::default();
    allow.link_to_the_parent()?;
    allow.waiting();
    allow.packet_sockets()?;
    allow.packet_socket_options()?;
    allow.memory()?;
    allow.last_words()?;
    let mut kill = Calls::default();
    kill.other_programs();
    kill.other_powers();
    kill.when(libc::SYS_write, vec![rule(vec![differs(0, 2)?])?]);
    Ok((
        kill.into_program(Action::Allow, Action::KillProcess)?,
        allow.into_program(Action::Errno(EACCES.unsigned_abs()), Action::Allow)?,
    ))
}

/// The filter compiler reads its expression and writes its answer; all else is refused, for libpcap and libc try many
/// things when they meet a name.
pub(super) fn compiler_filter() -> Result<BpfProgram, SandboxError> {
    let mut allow = Calls::default();
    allow.when(libc::SYS_read, equal_to_any(0, &[0])?);
    allow.when(libc::SYS_write, equal_to_any(0, &[1, 2])?);
    allow.waiting(); // libc aborts where futex is refused
    allow.memory()?;
    allow.last_words()?;
    allow.into_program(Action::Errno(EACCES.unsigned_abs()), Action::Allow)
}

/// Rules by system call number; no rule at all means whatever the arguments.
#[derive(Default)]
struct Calls(BTreeMap<i64, Vec<Rule>>);

impl Calls {
    fn any(&mut self, numbers: &[i64]) {
        self.0.extend(numbers.iter().map(|number| (*number, Vec::new())));
    }

    fn when(&mut self, number: i64, rules: Vec<Rule>) {
        self.0.entry(number).or_default().extend(rules);
    }

    /// Only descriptor 0 can be sent on and 0 to 2 cannot be closed, so no packet can be injected.
    fn link_to_the_parent(&mut self) -> Result<(), SandboxError> {
        self.any(&[libc::SYS_recvfrom]);
        self.when(libc::SYS_sendto, equal_to_any(0, &[0])?);
        self.when(libc::SYS_close, vec![rule(vec![condition(0, Compare::Gt, 2)?])?]);
        Ok(())
    }

    /// restart_syscall: without it SIGSTOP and SIGCONT kill, as a suspend or the freezer does.
    fn waiting(&mut self) {
        self.any(&[libc::SYS_ppoll, libc::SYS_clock_gettime, libc::SYS_restart_syscall, libc::SYS_futex]);
        #[cfg(target_arch = "x86_64")]
        self.any(&[libc::SYS_poll]);
    }

    fn packet_sockets(&mut self) -> Result<(), SandboxError> {
        // pcap_create wants one socket of another family for its ioctls: AF_UNIX is enough
        for family in [AF_PACKET, AF_UNIX] {
            self.when(libc::SYS_socket, vec![rule(vec![equal(0, family)?, equal(1, SOCK_RAW)?])?]);
        }
        self.any(&[libc::SYS_bind, libc::SYS_getsockname, libc::SYS_uname, libc::SYS_eventfd2]);
        self.when(libc::SYS_fcntl, equal_to_any(1, &[F_GETFL, F_SETFL])?);
        const SIOCETHTOOL: i32 = 0x8946; // linux/sockios.h
        let questions = [libc::SIOCGIFINDEX, libc::SIOCGIFHWADDR, libc::SIOCGIFFLAGS, libc::SIOCGIFMTU];
        let questions =
            questions.iter().filter_map(|question| i32::try_from(*question).ok()).chain([SIOCETHTOOL]);
        self.when(libc::SYS_ioctl, equal_to_any(1, &questions.collect::<Vec<_>>())?);
        Ok(())
    }

    fn packet_socket_options(&mut self) -> Result<(), SandboxError> {
        const SO_BPF_EXTENSIONS: i32 = 48; // asm-generic/socket.h
        let packet = [PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_VERSION, PACKET_RESERVE, PACKET_RX_RING];
        self.when(libc::SYS_setsockopt, options(SOL_PACKET, &packet)?);
        self.when(libc::SYS_setsockopt, options(SOL_SOCKET, &[SO_ATTACH_FILTER, SO_TIMESTAMPNS])?);
        self.when(libc::SYS_getsockopt, options(SOL_PACKET, &[PACKET_HDRLEN, PACKET_STATISTICS])?);
        self.when(libc::SYS_getsockopt, options(SOL_SOCKET, &[SO_ERROR, SO_TYPE, SO_BPF_EXTENSIONS])?);
        Ok(())
    }

    /// The ring and libc's heap, never executable. brk by errno would be a segfault.
    fn memory(&mut self) -> Result<(), SandboxError> {
        self.any(&[
            libc::SYS_munmap,
            libc::SYS_mremap,
            libc::SYS_brk,
            libc::SYS_madvise,
            libc::SYS_getrandom,
        ]);
        for number in [libc::SYS_mmap, libc::SYS_mprotect] {
            let executable = u64::from(PROT_EXEC.unsigned_abs());
            self.when(number, vec![rule(vec![condition(2, Compare::MaskedEq(executable), 0)?])?]);
        }
        Ok(())
    }

    /// Exit, and a panic's message and abort.
    fn last_words(&mut self) -> Result<(), SandboxError> {
        self.any(&[
            libc::SYS_exit_group,
            libc::SYS_sigaltstack,
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigaction,
            libc::SYS_rt_sigreturn,
        ]);
        self.any(&[libc::SYS_getpid, libc::SYS_gettid]);
        self.when(libc::SYS_write, equal_to_any(0, &[2])?);
        let own = i32::try_from(std::process::id()).step("read the own process id")?;
        self.when(libc::SYS_tgkill, equal_to_any(0, &[own])?);
        Ok(())
    }

    /// To start one, or to reach into one that runs.
    fn other_programs(&mut self) {
        self.any(&[
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_rt_tgsigqueueinfo,
            libc::SYS_pidfd_open,
            libc::SYS_pidfd_getfd,
            libc::SYS_pidfd_send_signal,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_process_madvise,
        ]);
        #[cfg(target_arch = "x86_64")]
        self.any(&[libc::SYS_fork, libc::SYS_vfork]);
    }

    /// Another user's, more of the kernel than a program needs, or another way past these filters.
    fn other_powers(&mut self) {
        self.any(&[
            libc::SYS_setuid,
            libc::SYS_setgid,
            libc::SYS_setreuid,
            libc::SYS_setregid,
            libc::SYS_setresuid,
            libc::SYS_setresgid,
            libc::SYS_setfsuid,
            libc::SYS_setfsgid,
            libc::SYS_setgroups,
            libc::SYS_capset,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_chroot,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_memfd_create,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_delete_module,
            libc::SYS_kexec_load,
            libc::SYS_reboot,
        ]);
    }

    fn into_program(self, otherwise: Action, on_match: Action) -> Result<BpfProgram, SandboxError> {
        let architecture = std::env::consts::ARCH.try_into().step("seccomp for this architecture")?;
        let filter = SeccompFilter::new(self.0, otherwise, on_match, architecture)
            .step("put the seccomp filter together")?;
        filter.try_into().step("compile the seccomp filter")
    }
}

fn condition(argument: u8, compare: Compare, value: u64) -> Result<Condition, SandboxError> {
    Condition::new(argument, Dword, compare, value).step("seccomp condition")
}

fn rule(conditions: Vec<Condition>) -> Result<Rule, SandboxError> {
    Rule::new(conditions).step("seccomp rule")
}

fn value(of: i32) -> u64 {
    u64::from(of.cast_unsigned())
}

fn equal(argument: u8, to: i32) -> Result<Condition, SandboxError> {
    condition(argument, Compare::Eq, value(to))
}

fn differs(argument: u8, from: i32) -> Result<Condition, SandboxError> {
    condition(argument, Compare::Ne, value(from))
}

fn equal_to_any(argument: u8, values: &[i32]) -> Result<Vec<Rule>, SandboxError> {
    values.iter().map(|of| rule(vec![equal(argument, *of)?])).collect()
}

/// Socket options by level (argument 1) and name (argument 2).
fn options(level: i32, names: &[i32]) -> Result<Vec<Rule>, SandboxError> {
    names.iter().map(|name| rule(vec![equal(1, level)?, equal(2, *name)?])).collect()
}

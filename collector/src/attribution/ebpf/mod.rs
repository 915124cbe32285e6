//! What names the owners of sockets at the moment they are used: small programs in the kernel (`collector/bpf`), whose
//! news the capture worker reads beside the packets.
//!
//! Loading takes privileges that the collector is better off without. `weir-collector ebpf load` loads and attaches once
//! and pins what is needed under a directory of the BPF file system (`pins`); a collector without any capability opens
//! that. Where nothing is pinned, one that is root loads for its own lifetime (`load`).
mod cgroup;
pub mod command;
mod connection;
mod load;
mod pins;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use aya::programs::ProgramError;
use aya::programs::links::FdLink;
use shared::error::ErrorChain;
use shared::health::Attribution;
use weir_shared as shared;

use super::Mode;

/// Why the owners of sockets cannot be named so, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum EbpfError {
    #[error("loading kernel programs takes {0}: run as root, or run `weir-collector ebpf load` as root once")]
    Capabilities(String),
    #[error(
        "this kernel does not describe its own types (/sys/kernel/btf/vmlinux); it needs CONFIG_DEBUG_INFO_BTF"
    )]
    Types(#[source] aya::BtfError),
    #[error("the kernel programs could not be prepared for Linux {kernel}")]
    Object { kernel: String, source: Box<aya::EbpfError> },
    #[error("Linux {kernel} did not take the program {program}")]
    Program { kernel: String, program: &'static str, source: Refusal },
    #[error("{0} is not in the kernel programs; this build is broken")]
    Missing(&'static str),
    #[error("a cgroup2 hierarchy is neither mounted nor could be")]
    Cgroup(#[source] io::Error),
    #[error("read which sockets there are already")]
    Existing(#[source] io::Error),
    #[error("{path}: {step}")]
    Path { path: PathBuf, step: &'static str, source: io::Error },
    #[error("{path} is not on a BPF file system; `mount -t bpf bpf /sys/fs/bpf` makes one")]
    NoFileSystem { path: PathBuf },
    #[error("{path} has what another version pinned; run `weir-collector ebpf unload`, then `ebpf load`")]
    OtherVersion { path: PathBuf },
    #[error("programs are pinned under {path} already; `weir-collector ebpf unload` removes them")]
    Loaded { path: PathBuf },
    #[error("nothing is pinned under {path}; `weir-collector ebpf load` as root does so")]
    NotLoaded { path: PathBuf },
    #[error("another collector reads what is pinned under {path}")]
    Taken { path: PathBuf },
    #[error("the group {0} does not exist")]
    Group(String),
}

/// Why the kernel did not take a program.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Of the verifier's log, which is pages long, the line that says why.
    #[error("{verdict}")]
    Verifier { verdict: String, source: io::Error },
    #[error(transparent)]
    Other(Box<ProgramError>),
}

impl From<ProgramError> for Refusal {
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                let log = verifier_log.to_string();
                tracing::debug!("{log}");
                Self::Verifier { verdict: verdict(&log).to_owned(), source: io_error }
            }
            error => Self::Other(Box::new(error)),
        }
    }
}

/// The last line before the figures at the log's end (`print_verification_stats` in kernel/bpf/verifier.c).
fn verdict(log: &str) -> &str {
    const FIGURES: [&str; 3] = ["verification time", "stack depth", "processed"];
    let mut lines = log.lines().rev().map(str::trim);
    let is_figures = |line: &str| line.is_empty() || FIGURES.iter().any(|begin| line.starts_with(begin));
    lines.find(|line| !is_figures(line)).unwrap_or("its verifier says nothing")
}

/// The open ends of programs that are at work: what the capture worker maps.
#[derive(Debug)]
pub struct Source {
    pub events: OwnedFd,
    /// Of the ring, in bytes.
    pub events_bytes: usize,
    pub control: OwnedFd,
    /// Why nobody is named who sends frames by an AF_PACKET socket; None where they are.
    without_frames: Option<String>,
    /// Why translated addresses (NAT) are not followed; None where they are.
    without_translations: Option<String>,
    held: Held,
}

/// What has to stay open for as long as the source is used.
#[derive(Debug)]
enum Held {
    /// Detached when closed.
    Links {
        attached: Vec<(&'static str, FdLink)>,
        /// The map whose being pinned says that translated addresses are followed.
        translations: Option<OwnedFd>,
    },
    /// Locked against a second reader, who would take half of the news.
    Pins { _locked: nix::fcntl::Flock<std::fs::File> },
}

/// What became of the wish for it.
#[derive(Debug)]
pub struct Started {
    pub source: Option<Source>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub at_work: bool,
    /// For people: where the news comes from, or why there is none. Empty where nobody wished for it.
    pub reason: String,
}

impl Outcome {
    /// What it comes to with a reader that fails with `error`, or with one that does not where that is empty.
    pub fn as_read(&self, error: &str) -> Self {
        if error.is_empty() || !self.at_work {
            return self.clone();
        }
        let reason = format!("{}, yet the capture worker cannot read what they tell: {error}", self.reason);
        Self { at_work: false, reason }
    }

    /// What status says, given what it would say without kernel programs.
    pub fn status(&self, without: Attribution) -> Attribution {
        match (self.at_work, self.reason.as_str()) {
            (true, reason) => Attribution { grade: "ebpf".to_owned(), reason: reason.to_owned() },
            (false, "") => without,
            (false, reason) => {
                Attribution { reason: format!("{}; no kernel programs: {reason}", without.reason), ..without }
            }
        }
    }
}

impl Source {
    fn where_from(&self, pin_directory: &Path) -> String {
        let programs = match &self.held {
            Held::Links { attached, .. } => {
                format!("{} kernel programs, for as long as this collector runs", attached.len())
            }
            Held::Pins { .. } => format!("kernel programs pinned under {}", pin_directory.display()),
        };
        let frames = self.without_frames.iter().map(|reason| {
            format!("; frames that AF_PACKET sockets send have no owner, translated addresses (NAT) neither: {reason}")
        });
        let whole = self.without_frames.is_none();
        let translations = self.without_translations.iter().filter(|_| whole);
        let translations =
            translations.map(|reason| format!("; translated addresses (NAT) have no owner: {reason}"));
        std::iter::once(programs).chain(frames).chain(translations).collect()
    }
}

/// Opens what is pinned, else loads. Must come before privileges are given up, and before threads.
///
/// # Errors
/// Only where the configuration insists on it.
pub fn start(mode: Mode, pin_directory: &Path) -> Result<Started, EbpfError> {
    if matches!(mode, Mode::Proc | Mode::Off) {
        return Ok(Started { source: None, outcome: Outcome::default() });
    }
    let opened = open_or_load(pin_directory);
    weir_sys::give_freed_memory_back(); // the kernel's types take 30 MiB while they are read
    match opened {
        Ok(source) => {
            let outcome = Outcome { at_work: true, reason: source.where_from(pin_directory) };
            Ok(Started { source: Some(source), outcome })
        }
        Err(error) if mode == Mode::Auto => {
            let outcome = Outcome { at_work: false, reason: ErrorChain(&error).to_string() };
            Ok(Started { source: None, outcome })
        }
        Err(error) => Err(error),
    }
}

fn open_or_load(pin_directory: &Path) -> Result<Source, EbpfError> {
    match pins::open(pin_directory) {
        Ok(source) => Ok(source),
        Err(error) => match load::load() {
            Ok(source) => Ok(source),
            // who may not load is told how to pin; else why loading failed says more
            Err(EbpfError::Capabilities(_)) => Err(error),
            Err(failed) => Err(failed),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_nobody_can_read_are_not_at_work_and_status_says_why() {
        let loaded = Outcome { at_work: true, reason: "6 kernel programs".to_owned() };
        let without = Attribution { grade: "proc".to_owned(), reason: "/proc".to_owned() };
        assert_eq!(loaded.as_read("").status(without.clone()).grade, "ebpf");
        let unread = loaded.as_read("Operation not permitted").status(without.clone());
        assert_eq!(unread.grade, "proc");
        assert!(unread.reason.contains("cannot read what they tell: Operation not permitted"), "{unread:?}");
        // the next worker can
        assert_eq!(loaded.as_read("").status(without.clone()).grade, "ebpf");
        assert_eq!(Outcome::default().as_read("no ring").status(without.clone()), without);
    }

    #[test]
    fn of_the_verifiers_log_the_line_is_told_that_says_why() {
        let log = "func 'net_dev_queue' arg0 has btf_id 922 type STRUCT 'sk_buff'\n\
                   653: (79) r8 = *(u64 *)(r2 +40)\nR2 invalid mem access 'scalar'\n\
                   verification time 23292 usec\nstack depth 336\nprocessed 352 insns (limit 1000000)\n";
        assert_eq!(verdict(log), "R2 invalid mem access 'scalar'");
        assert_eq!(verdict(""), "its verifier says nothing");
    }

    #[test]
    fn what_the_kernel_did_not_take_stands_behind_where_news_comes_from() {
        let nothing = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let told = |without_frames: Option<&str>, without_translations: Option<&str>| {
            let source = Source {
                events: nothing(),
                events_bytes: 0,
                control: nothing(),
                without_frames: without_frames.map(str::to_owned),
                without_translations: without_translations.map(str::to_owned),
                held: Held::Links { attached: Vec::new(), translations: None },
            };
            source.where_from(Path::new("/sys/fs/bpf/weir"))
        };
        let whole = told(None, None);
        assert!(!whole.contains("no owner"), "{whole}");
        assert!(told(None, Some("not tracked")).ends_with("(NAT) have no owner: not tracked"));
        // without the program that sees frames there is none for translations either
        let lacks = told(Some("refused"), None);
        assert!(
            lacks.contains("AF_PACKET") && lacks.contains("NAT") && lacks.ends_with(": refused"),
            "{lacks}"
        );
    }
}

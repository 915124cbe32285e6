//! What a process is called, read once while it lives: proc_pid_stat(5), proc_pid_status(5), proc_pid_cmdline(5),
//! proc_pid_exe(5), proc_pid_cgroup(5). Its name is the comm of the thread group's leader.
use std::fs::{self, File};
use std::io::{self, Read as _};

use shared::process::ParentProcess;
use shared::text::{escape, escape_bytes};
use weir_shared as shared;

use super::clocks::Boot;
use super::units;
use super::users::Users;

/// Characters of a command line that are kept.
pub(super) const LONGEST_COMMAND_LINE: usize = 256;
const LONGEST_PATH: usize = 256;
const MOST_PARENTS: usize = 8;
/// Bytes that are read of any file below /proc/PID.
const LONGEST_READ: u64 = 4_096;

/// Pids are used again: with its start a process is one. Its name is part of it, since a program that runs another in its
/// own place is somebody else from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// In clock ticks since boot.
    pub(super) start: u64,
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) identity: Identity,
    pub(super) executable: String,
    pub(super) command_line: String,
    pub(super) user: String,
    pub(super) unit: String,
    pub(super) container: String,
    pub(super) parents: Vec<ParentProcess>,
}

/// The part of /proc/PID/stat that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) identity: Identity,
    pub(super) parent: u32,
    /// A zombie holds nothing any more.
    pub(super) is_dead: bool,
}

/// Reads at most the bound; what is longer is cut.
fn read(pid: u32, file: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/{file}"))?.take(LONGEST_READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// None: there is no such process (any more), or it cannot be read.
pub(super) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(pid, &read(pid, "stat").ok()?)
}

fn parse_stat(pid: u32, bytes: &[u8]) -> Option<Stat> {
    // the name may hold anything, brackets and line breaks too: it ends at the last bracket
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let name = bytes.get(open.checked_add(1)?..close)?;
    let rest = std::str::from_utf8(bytes.get(close.checked_add(1)?..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
    let parent = fields.next()?.parse().ok()?;
    // field 22 of the whole line; two of those after the name are taken
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { identity: Identity { pid, start, name: escape_bytes(name) }, parent, is_dead })
}

/// Everything that is to be known; None when the process went away meanwhile. What may not be read stays empty.
pub(super) fn describe(pid: u32, users: &mut Users) -> Option<Process> {
    let Stat { identity, parent, .. } = stat(pid)?;
    let place = read(pid, "cgroup").map(|text| units::of_cgroups(&String::from_utf8_lossy(&text)));
    let place = place.unwrap_or_default();
    let uid = read(pid, "status").ok().and_then(|text| effective_uid(&text));
    let process = Process {
        executable: executable(pid),
        command_line: read(pid, "cmdline").map(|bytes| command_line(&bytes)).unwrap_or_default(),
        user: uid.map(|uid| users.name(uid)).unwrap_or_default(),
        unit: place.unit,
        container: place.container,
        parents: parents(parent),
        identity,
    };
    // what was read belongs to one process only if it is still the same
    (stat(pid)?.identity == process.identity).then_some(process)
}

fn executable(pid: u32) -> String {
    let Ok(path) = fs::read_link(format!("/proc/{pid}/exe")) else { return String::new() };
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    escape_bytes(bytes).chars().take(LONGEST_PATH).collect()
}

/// Arguments joined by spaces, escaped, cut to the bound.
pub(super) fn command_line(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    let spaced: Vec<u8> = bytes.iter().take(end).map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    escape_bytes(&spaced).chars().take(LONGEST_COMMAND_LINE).collect()
}

/// A text that came from the kernel's own events, made as safe as one that was read here.
pub(super) fn safe(text: &str, longest: usize) -> String {
    escape(text).chars().take(longest).collect()
}

fn effective_uid(status: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(status);
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The process that a thread belongs to; of a process itself.
pub(super) fn thread_group(thread: u32) -> Option<u32> {
    let status = read(thread, "status").ok()?;
    let text = String::from_utf8_lossy(&status);
    text.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// Nearest first.
fn parents(mut pid: u32) -> Vec<ParentProcess> {
    let mut parents = Vec::new();
    while pid != 0 && parents.len() < MOST_PARENTS {
        let Some(stat) = stat(pid) else { break };
        parents.push(ParentProcess { pid, name: stat.identity.name });
        pid = stat.parent;
    }
    parents
}

impl Process {
    /// One that went away before anything but its identity was known.
    pub(super) fn dead(identity: Identity) -> Self {
        Self {
            identity,
            executable: String::new(),
            command_line: String::new(),
            user: String::new(),
            unit: String::new(),
            container: String::new(),
            parents: Vec::new(),
        }
    }

    /// The same process with another program in it.
    pub(super) fn as_program(&self, name: &str) -> Self {
        Self {
            identity: Identity { name: name.to_owned(), ..self.identity.clone() },
            executable: String::new(),
            command_line: String::new(),
            ..self.clone()
        }
    }

    /// As the rest of Weir sees it. Its quality is the best that it can be: each match has its own.
    pub(super) fn owner(&self, boot: Boot, alive: bool) -> shared::process::Owner {
        shared::process::Owner {
            name: self.identity.name.clone(),
            pid: Some(self.identity.pid),
            started: boot.started(self.identity.start),
            executable: self.executable.clone(),
            command_line: self.command_line.clone(),
            user: self.user.clone(),
            unit: self.unit.clone(),
            container: self.container.clone(),
            parents: self.parents.clone(),
            alive,
            quality: shared::process::MatchQuality::Exact,
            reason: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_with_brackets_and_a_line_break_is_read_whole() {
        let line = b"77 (a) b (\n) S 12 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 9 9 9";
        let stat = parse_stat(77, line).unwrap();
        assert_eq!(stat.identity, Identity { pid: 77, start: 4_242, name: "a) b (\\x0a".to_owned() });
        assert_eq!((stat.parent, stat.is_dead), (12, false));
    }

    #[test]
    fn own_process_is_described() {
        let process = describe(std::process::id(), &mut Users::default()).unwrap();
        assert_eq!(process.identity.pid, std::process::id());
        let executable = std::env::current_exe().unwrap();
        assert_eq!(
            process.executable,
            executable.display().to_string().chars().take(LONGEST_PATH).collect::<String>()
        );
        assert!(process.command_line.contains("weir"), "{}", process.command_line);
        assert!(!process.user.is_empty());
        assert!(!process.parents.is_empty() && process.parents.len() <= MOST_PARENTS);
    }

    #[test]
    fn a_process_that_is_not_there_is_none() {
        assert_eq!(describe(4_194_305, &mut Users::default()), None);
    }

    #[test]
    fn a_command_line_is_one_line_without_escapes_and_bounded() {
        assert_eq!(command_line(b"curl\0-o\0a\nb\0\0"), "curl -o a\\x0ab");
        assert_eq!(command_line(b"a\x1b]0;x\x07\0"), "a\\x1b]0;x\\x07");
        assert_eq!(command_line(&[b'x'; 4_000]).chars().count(), LONGEST_COMMAND_LINE);
        assert_eq!(command_line(b""), "");
    }

    #[test]
    fn the_effective_user_is_told() {
        assert_eq!(effective_uid(b"Name:\tx\nUid:\t1000\t33\t33\t33\n"), Some(33));
        assert_eq!(effective_uid(b"Name:\tx\n"), None);
    }

    proptest! {
        #[test]
        fn any_stat_line_is_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_stat(1, &bytes);
        }
    }
}

//! Processes as they were read: each once while it lives, and again where another program may run in it by now.
//!
//! A process is often seen between fork(2) and execve(2), with its parent's name, or with that of a program that sets
//! something up for another (`ip netns exec`, socket activation). What is read of a young one is therefore believed only
//! until it has had its time, or until the kernel's events tell that it has another name; the later name is then that of
//! all it did.
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clocks::{self, Boot};
use super::events::Party;
use super::processes::{self, Identity, Process};
use super::users::Users;

/// Processes of which everything that was read is kept.
const MOST_KNOWN: usize = 16_384;
/// How many of those alive are looked after at once.
const MOST_COUNTED: usize = 1_024;
/// A process that is younger when it is read may still be about to run its program.
const YOUNG: Duration = Duration::from_secs(1);
/// Those that are due within this time of each other are read at once.
const TOGETHER: Duration = Duration::from_millis(250);
/// Those that are read again. What is over is not.
const MOST_YOUNG: usize = 1_024;

/// A process that was read when it was young runs another program by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Executed {
    pub(super) before: Identity,
    pub(super) process: Arc<Process>,
}

#[derive(Debug)]
struct Young {
    due: Instant,
    identity: Identity,
}

/// When it was read, nanoseconds since boot.
#[derive(Debug)]
struct Read {
    process: Arc<Process>,
    at: u64,
}

#[derive(Debug)]
pub(super) struct Known {
    boot: Boot,
    users: Users,
    by_pid: HashMap<u32, Read>,
    /// Told as alive, and not as gone yet: pid and start.
    alive: HashMap<u32, u64>,
    /// In the order in which they are due.
    young: VecDeque<Young>,
    executed: Vec<Executed>,
}

impl Known {
    pub(super) fn new(boot: Boot) -> Self {
        Self {
            boot,
            users: Users::default(),
            by_pid: HashMap::new(),
            alive: HashMap::new(),
            young: VecDeque::new(),
            executed: Vec::new(),
        }
    }

    /// Read once, and again when another process or another program is found under the pid.
    pub(super) fn describe(&mut self, pid: u32) -> Option<Arc<Process>> {
        let identity = processes::stat(pid).filter(|stat| !stat.is_dead)?.identity;
        if let Some(known) = self.by_pid.get(&pid).filter(|known| known.process.identity == identity) {
            return Some(Arc::clone(&known.process));
        }
        let process = Arc::new(processes::describe(pid, &mut self.users)?);
        self.lives(&process.identity);
        self.keep(Arc::clone(&process), clocks::boot_now());
        Some(process)
    }

    /// One that an event told of, and whether it lives: with what is read of it then, else with what the event said.
    pub(super) fn told(&mut self, Party { identity, at }: &Party) -> (Arc<Process>, bool) {
        let same = |process: &Process| process.identity.start.abs_diff(identity.start) <= 1;
        if let Some(process) = self.describe(identity.pid).filter(|process| same(process)) {
            return (process, true);
        }
        let process = match self.by_pid.get(&identity.pid).filter(|read| same(&read.process)) {
            // it was read before it ran the program that the event names
            Some(read) if read.at < *at && read.process.identity.name != identity.name => {
                let process = Arc::new(read.process.as_program(&identity.name));
                self.keep(Arc::clone(&process), *at);
                process
            }
            Some(read) => Arc::clone(&read.process),
            None => Arc::new(Process::dead(identity.clone())),
        };
        (process, false)
    }

    fn keep(&mut self, process: Arc<Process>, at: u64) {
        if self.by_pid.len() >= MOST_KNOWN {
            self.by_pid.clear();
        }
        let identity = &process.identity;
        let age = at.saturating_sub(self.boot.nanoseconds(identity.start));
        if u128::from(age) < YOUNG.as_nanos() && self.young.len() < MOST_YOUNG {
            let due = Instant::now() + YOUNG;
            let last = self.young.back().map(|last| last.due).filter(|last| *last + TOGETHER >= due);
            self.young.push_back(Young { due: last.unwrap_or(due), identity: identity.clone() });
        }
        let read = Read { process: Arc::clone(&process), at };
        let before = self.by_pid.insert(identity.pid, read).map(|before| before.process.identity.clone());
        let before = before.filter(|before| before.start == identity.start && before.name != identity.name);
        if let Some(before) = before
            && self.young.iter().any(|young| young.identity == before)
        {
            self.executed.push(Executed { before, process });
        }
    }

    /// Reads those again whose time has come, or that have been given a name.
    pub(super) fn read_again(&mut self, now: Instant, named: &HashSet<u32>) {
        let due = self.young.partition_point(|young| young.due <= now);
        let young = self.young.iter().enumerate();
        let again = young.filter(|(number, young)| *number < due || named.contains(&young.identity.pid));
        for pid in again.map(|(_, young)| young.identity.pid).collect::<Vec<_>>() {
            self.describe(pid);
        }
        self.young.drain(..due);
    }

    /// When that is due by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.young.front().map(|young| young.due)
    }

    /// Those found since this was asked last. They come before the next answer that names them.
    pub(super) fn take_executed(&mut self) -> Vec<Executed> {
        std::mem::take(&mut self.executed)
    }

    /// It is told as alive.
    pub(super) fn lives(&mut self, identity: &Identity) {
        self.alive.insert(identity.pid, identity.start);
    }

    /// It has ended: its start, if it was told as alive.
    pub(super) fn ended(&mut self, pid: u32) -> Option<u64> {
        self.alive.remove(&pid)
    }

    pub(super) fn any_lives(&self) -> bool {
        !self.alive.is_empty()
    }

    /// Those that have gone of the ones that were told as alive: pid and start.
    pub(super) fn census(&mut self) -> Vec<(u32, u64)> {
        let is_there = |pid: u32, start: u64| {
            processes::stat(pid).is_some_and(|stat| stat.identity.start == start && !stat.is_dead)
        };
        let counted = self.alive.iter().take(MOST_COUNTED).map(|(pid, start)| (*pid, *start));
        let gone: Vec<_> = counted.filter(|(pid, start)| !is_there(*pid, *start)).collect();
        for (pid, _) in &gone {
            self.alive.remove(pid);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No process of this machine has it.
    const NOBODY: u32 = 4_194_305;

    fn read(known: &mut Known, age: Duration, name: &str) -> Identity {
        let now = clocks::boot_now();
        let since = now.saturating_sub(u64::try_from(age.as_nanos()).unwrap());
        let identity = Identity { pid: NOBODY, start: known.boot.ticks(since), name: name.to_owned() };
        let process = Process { user: "alice".to_owned(), ..Process::dead(identity.clone()) };
        known.keep(Arc::new(process), now);
        identity
    }

    /// What an event tells of it now.
    fn as_told(before: &Identity, name: &str) -> Party {
        let identity = Identity { name: name.to_owned(), ..before.clone() };
        Party { identity, at: clocks::boot_now() + 1 }
    }

    #[test]
    fn one_that_was_read_before_it_ran_its_program_has_the_name_that_the_event_told() {
        let mut known = Known::new(Boot::read());
        let before = read(&mut known, Duration::ZERO, "ip");
        let told = as_told(&before, "curl");
        let (process, lives) = known.told(&told);
        assert_eq!((&process.identity, process.user.as_str(), lives), (&told.identity, "alice", false));
        assert_eq!(known.take_executed(), [Executed { before, process }]);
        assert_eq!(known.told(&told).0.user, "alice");
        assert!(known.take_executed().is_empty());
    }

    #[test]
    fn one_that_was_read_after_the_event_keeps_its_later_name() {
        let mut known = Known::new(Boot::read());
        let after = read(&mut known, Duration::ZERO, "curl");
        let told = Party { at: 1, ..as_told(&after, "sh") };
        assert_eq!(known.told(&told).0.identity, after);
        assert!(known.take_executed().is_empty());
    }

    #[test]
    fn one_that_has_run_its_program_for_long_is_somebody_else_with_the_next_one() {
        let mut known = Known::new(Boot::read());
        let before = read(&mut known, 2 * YOUNG, "sh");
        known.told(&as_told(&before, "curl"));
        assert!(known.take_executed().is_empty() && known.next_due().is_none());
    }

    #[test]
    fn a_process_of_the_same_pid_lends_the_next_one_nothing() {
        let mut known = Known::new(Boot::read());
        let before = read(&mut known, Duration::from_millis(100), "ip");
        let next = as_told(&Identity { start: before.start + 7, ..before }, "curl");
        assert_eq!(known.told(&next).0, Arc::new(Process::dead(next.identity)));
        assert!(known.take_executed().is_empty());
    }

    #[test]
    fn the_young_are_read_again_once_and_no_more_than_the_bound() {
        let mut known = Known::new(Boot::read());
        for number in 0..2 * MOST_YOUNG {
            read(&mut known, Duration::ZERO, &number.to_string());
        }
        assert_eq!(known.young.len(), MOST_YOUNG);
        let due = known.next_due().unwrap();
        known.read_again(due - 2 * TOGETHER, &HashSet::new());
        assert_eq!(known.young.len(), MOST_YOUNG);
        known.read_again(due + 10 * YOUNG, &HashSet::new());
        assert_eq!(known.next_due(), None);
    }
}

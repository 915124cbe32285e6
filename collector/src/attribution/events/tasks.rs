//! Names and start times of processes as the kernel told them, for those that end before anybody can read /proc.
use std::collections::{HashMap, HashSet};

use crate::attribution::clocks::Boot;
use crate::attribution::processes::{self, Identity};

/// Processes that are remembered while they live.
const MOST_TASKS: usize = 65_536;
/// `kthreadd`, whose children are the kernel's own threads.
const PARENT_OF_KERNEL_THREADS: u32 = 2;

#[derive(Clone, Debug)]
struct Task {
    identity: Identity,
    is_kernel: bool,
}

#[derive(Debug)]
pub(super) struct Tasks {
    boot: Boot,
    tasks: HashMap<u32, Task>,
    named: HashSet<u32>,
    ended: Vec<u32>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { boot: Boot::read(), tasks: HashMap::new(), named: HashSet::new(), ended: Vec::new() }
    }
}

impl Tasks {
    /// A new process has its parent's name until it is given another.
    pub(super) fn forked(&mut self, pid: u32, parent: u32, time: u64) {
        let is_kernel = parent == PARENT_OF_KERNEL_THREADS;
        let name = self.known(parent, time).map(|task| task.identity.name.clone()).unwrap_or_default();
        let identity = Identity { pid, start: self.boot.ticks(time), name };
        self.insert(pid, Task { identity, is_kernel });
    }

    pub(super) fn named(&mut self, pid: u32, name: String, time: u64) {
        if let Some(task) = self.known(pid, time) {
            task.identity.name = name;
        }
        if self.named.len() < MOST_TASKS {
            self.named.insert(pid);
        }
    }

    pub(super) fn exited(&mut self, pid: u32) {
        self.tasks.remove(&pid);
        if self.ended.len() < MOST_TASKS {
            self.ended.push(pid);
        }
    }

    /// Who had the pid at that time, nanoseconds since boot. None: it has gone and was never told, has no name, or is a
    /// thread of the kernel's.
    pub(super) fn identity(&mut self, pid: u32, time: u64) -> Option<Identity> {
        let task = self.known(pid, time).filter(|task| !task.is_kernel && !task.identity.name.is_empty())?;
        Some(task.identity.clone())
    }

    pub(super) fn take_named(&mut self) -> HashSet<u32> {
        std::mem::take(&mut self.named)
    }

    pub(super) fn take_ended(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.ended)
    }

    /// Events were lost: of those that live names and ends may have been among them.
    pub(super) fn forget(&mut self) {
        self.tasks.clear();
    }

    /// Those that were there before the events are read from /proc, unless the pid is somebody else's by now.
    fn known(&mut self, pid: u32, time: u64) -> Option<&mut Task> {
        if pid == 0 {
            return None;
        }
        if !self.tasks.contains_key(&pid) {
            let latest = self.boot.ticks(time).saturating_add(1);
            let stat = processes::stat(pid).filter(|stat| stat.identity.start <= latest)?;
            let is_kernel = pid == PARENT_OF_KERNEL_THREADS || stat.parent == PARENT_OF_KERNEL_THREADS;
            self.insert(pid, Task { identity: stat.identity, is_kernel });
        }
        self.tasks.get_mut(&pid)
    }

    fn insert(&mut self, pid: u32, task: Task) {
        if self.tasks.len() >= MOST_TASKS {
            self.tasks.clear(); // those alive are read again when they are needed
        }
        self.tasks.insert(pid, task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::clocks;

    #[test]
    fn a_process_has_its_parents_name_until_it_runs_a_program() {
        let mut tasks = Tasks::default();
        let now = clocks::boot_now();
        tasks.forked(4_194_400, std::process::id(), now);
        let inherited = tasks.identity(4_194_400, now).unwrap();
        assert_eq!(inherited.name, processes::stat(std::process::id()).unwrap().identity.name);
        assert_eq!(inherited.start, Boot::read().ticks(now));
        tasks.named(4_194_400, "curl".to_owned(), now);
        assert_eq!(tasks.identity(4_194_400, now).unwrap().name, "curl");
        tasks.exited(4_194_400);
        assert_eq!(tasks.identity(4_194_400, now), None);
        assert_eq!(tasks.take_ended(), [4_194_400]);
    }

    #[test]
    fn threads_of_the_kernel_own_nothing() {
        let mut tasks = Tasks::default();
        tasks.forked(4_194_401, PARENT_OF_KERNEL_THREADS, 1);
        tasks.named(4_194_401, "kworker/0:1".to_owned(), 1);
        assert_eq!(tasks.identity(4_194_401, 1), None);
        assert_eq!(tasks.identity(0, 1), None);
    }

    #[test]
    fn what_happened_before_a_process_began_was_not_its_doing() {
        let (mut tasks, own) = (Tasks::default(), std::process::id());
        let start = Boot::read().nanoseconds(processes::stat(own).unwrap().identity.start);
        assert_eq!(tasks.identity(own, start - 50_000_000), None);
        assert_eq!(tasks.identity(own, start + 50_000_000).unwrap().pid, own);
    }
}

//! Owners by number: remembered after their death, within a bound, the dead that were used longest ago forgotten first.
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use shared::process::{MatchQuality, Owner};
use weir_shared as shared;

use super::clocks::Boot;
use super::known::Executed;
use super::processes::{self, Identity, LONGEST_COMMAND_LINE, Process};
use super::users::Users;
use super::{OwnerId, OwnerNews};

/// How many are remembered.
const MOST_OWNERS: usize = 16_384;
/// How many of them are forgotten at once when there are more.
const FORGOTTEN_AT_ONCE: usize = MOST_OWNERS / 8;
const MOST_NAMES: usize = 3;
const LONGEST_PATH: usize = 256;

/// Several: a socket that all of them hold.
type Key = Vec<Identity>;

#[derive(Debug)]
struct Entry {
    key: Key,
    owner: Owner,
    /// When it was matched last, in matches.
    used: u64,
}

#[derive(Debug)]
pub(super) struct Owners {
    boot: Boot,
    by_key: HashMap<Key, OwnerId>,
    entries: HashMap<OwnerId, Entry>,
    /// Those of which a process is a part, by pid and start.
    by_process: HashMap<(u32, u64), Vec<OwnerId>>,
    /// Unit and container by cgroup, from processes that lived long enough to be read.
    places: HashMap<u64, (String, String)>,
    cgroups: HashMap<(u32, u64), u64>,
    users: Users,
    next: u32,
    uses: u64,
    pub(super) forgotten: u64,
}

impl Owners {
    pub(super) fn new(boot: Boot) -> Self {
        Self {
            boot,
            by_key: HashMap::new(),
            entries: HashMap::new(),
            by_process: HashMap::new(),
            places: HashMap::new(),
            cgroups: HashMap::new(),
            users: Users::default(),
            next: OwnerId::FIRST_PROCESS.0,
            uses: 0,
            forgotten: 0,
        }
    }

    pub(super) fn owner(&self, id: OwnerId) -> Option<Owner> {
        self.entries.get(&id).map(|entry| entry.owner.clone())
    }

    /// Of a process, by pid and start to the millisecond.
    pub(super) fn numbers_of(&self, pid: u32, started: Timestamp) -> Vec<OwnerId> {
        let is_meant = |owner: &Owner| {
            owner.pid == Some(pid)
                && owner.started.is_some_and(|own| own.as_millisecond() == started.as_millisecond())
        };
        let meant = self.entries.iter().filter(|(_, entry)| is_meant(&entry.owner));
        meant.map(|(id, _)| *id).collect()
    }

    /// The owner that one or several processes are together.
    pub(super) fn of(&mut self, processes: &[Arc<Process>]) -> OwnerId {
        let mut key: Key = processes.iter().map(|process| self.as_known(&process.identity)).collect();
        key.sort_unstable();
        let owner = match processes {
            [process] => process.owner(self.boot, true),
            several => shared_by(several),
        };
        let id = self.insert(key, owner);
        for process in processes {
            self.complete(process);
        }
        id
    }

    /// The number, and what is to be read if it is not all known: pid and start in clock ticks.
    pub(super) fn told(&mut self, news: &OwnerNews) -> (OwnerId, Option<(u32, u64)>) {
        let start = self.boot.ticks(news.start);
        let name = processes::safe(&news.comm, 64);
        let key = vec![self.as_known(&Identity { pid: news.pid, start, name: name.clone() })];
        if let Some(id) = self.by_key.get(&key).copied() {
            self.touch(id);
            return (id, None);
        }
        if news.cgroup != 0 {
            self.cgroups.insert((news.pid, start), news.cgroup);
        }
        let (unit, container) = self.places.get(&news.cgroup).cloned().unwrap_or_default();
        let owner = Owner {
            name,
            pid: Some(news.pid),
            started: self.boot.started(start),
            executable: processes::safe(&news.executable, LONGEST_PATH),
            command_line: processes::safe(&news.command_line, LONGEST_COMMAND_LINE),
            user: self.users.name(news.uid),
            unit,
            container,
            parents: Vec::new(),
            alive: true,
            quality: MatchQuality::Exact,
            reason: String::new(),
        };
        (self.insert(key, owner), Some((news.pid, start)))
    }

    /// Fills in what was read of a process that is already told.
    pub(super) fn complete(&mut self, process: &Process) {
        let known = (process.identity.pid, process.identity.start);
        if let Some(cgroup) = self.cgroups.remove(&known) {
            if self.places.len() >= MOST_OWNERS {
                self.places.clear();
            }
            self.places.insert(cgroup, (process.unit.clone(), process.container.clone()));
        }
        let key = vec![self.as_known(&process.identity)];
        let Some(entry) = self.by_key.get(&key).and_then(|id| self.entries.get_mut(id)) else { return };
        let told = std::mem::replace(&mut entry.owner, process.owner(self.boot, true));
        let owner = &mut entry.owner;
        // what may not be read here the kernel's event may have told
        let keep = |now: &mut String, before: String| {
            if now.is_empty() {
                *now = before;
            }
        };
        keep(&mut owner.executable, told.executable);
        keep(&mut owner.command_line, told.command_line);
        keep(&mut owner.user, told.user);
    }

    /// One that was told before it ran its program is called by it, unless both are known by now.
    pub(super) fn executed(&mut self, executed: &Executed) {
        let [before, after] =
            [&executed.before, &executed.process.identity].map(|one| vec![self.as_known(one)]);
        if self.by_key.contains_key(&after) {
            return;
        }
        let Some(id) = self.by_key.remove(&before) else { return };
        self.by_key.insert(after.clone(), id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.key = after;
            entry.owner = executed.process.owner(self.boot, entry.owner.alive);
        }
    }

    pub(super) fn gone(&mut self, pid: u32, start: u64) {
        let start = self.as_known(&Identity { pid, start, name: String::new() }).start;
        self.cgroups.remove(&(pid, start));
        for id in self.by_process.get(&(pid, start)).into_iter().flatten() {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            // a group lives while one of it does; who of it has gone its next match tells
            if entry.key.len() == 1 {
                entry.owner.alive = false;
            }
        }
    }

    /// Keeps the bound.
    pub(super) fn sweep(&mut self) {
        if self.entries.len() <= MOST_OWNERS {
            return;
        }
        let mut order: Vec<(bool, u64, OwnerId)> =
            self.entries.iter().map(|(id, entry)| (entry.owner.alive, entry.used, *id)).collect();
        order.sort_unstable();
        let over = self.entries.len().saturating_sub(MOST_OWNERS).saturating_add(FORGOTTEN_AT_ONCE);
        for (_, _, id) in order.into_iter().take(over) {
            self.forget(id);
        }
    }

    /// An event and /proc may round a start to neighbouring ticks; a pid is not used again within one.
    fn as_known(&self, identity: &Identity) -> Identity {
        let Identity { pid, start, name } = identity;
        let starts = [*start, start.saturating_add(1), start.saturating_sub(1)];
        let known = starts.iter().find(|start| self.by_process.contains_key(&(*pid, **start)));
        Identity { pid: *pid, start: known.copied().unwrap_or(*start), name: name.clone() }
    }

    fn forget(&mut self, id: OwnerId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.forgotten = self.forgotten.saturating_add(1);
        self.by_key.remove(&entry.key);
        for identity in &entry.key {
            let process = (identity.pid, identity.start);
            self.cgroups.remove(&process);
            if let Some(ids) = self.by_process.get_mut(&process) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.by_process.remove(&process);
                }
            }
        }
    }

    fn insert(&mut self, key: Key, owner: Owner) -> OwnerId {
        if let Some(id) = self.by_key.get(&key).copied() {
            self.touch(id);
            return id;
        }
        let id = OwnerId(self.next);
        self.next = self.next.checked_add(1).unwrap_or(OwnerId::FIRST_PROCESS.0);
        self.forget(id); // after four thousand million owners
        for identity in &key {
            self.by_process.entry((identity.pid, identity.start)).or_default().push(id);
        }
        self.by_key.insert(key.clone(), id);
        self.entries.insert(id, Entry { key, owner, used: self.uses });
        self.touch(id);
        id
    }

    fn touch(&mut self, id: OwnerId) {
        self.uses = self.uses.saturating_add(1);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.used = self.uses;
        }
    }
}

/// Who shares a socket, with what all of them have in common.
fn shared_by(processes: &[Arc<Process>]) -> Owner {
    let common = |of: fn(&Process) -> &String| {
        let mut values = processes.iter().map(|process| of(process));
        let first = values.next().cloned().unwrap_or_default();
        if values.all(|value| *value == first) { first } else { String::new() }
    };
    let mut names: Vec<&str> = processes.iter().map(|process| process.identity.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let more = if names.len() > MOST_NAMES { ", …" } else { "" };
    let name = format!("{}{more}", names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", "));
    Owner {
        reason: format!("{} processes of {name}", processes.len()),
        name,
        executable: common(|process| &process.executable),
        user: common(|process| &process.user),
        unit: common(|process| &process.unit),
        container: common(|process| &process.container),
        alive: true,
        quality: MatchQuality::Shared,
        ..Owner::default()
    }
}

#[cfg(test)]
#[path = "owners_tests.rs"]
mod tests;

//! Which processes hold a socket: the links below /proc/PID/fd (proc_pid_fd(5)).
//!
//! There is no index from a socket to its holders, and a machine may have thousands of processes. So only what somebody
//! asked for is sought: first where sockets were found lately, then in processes that are new, then in all others; each
//! round within a budget, going on where the last one stopped. A process that holds one is then asked whether its
//! relatives hold it too, since sockets are shared by fork.
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::time::ClockId;

use super::processes;

/// Sockets whose holders are remembered.
const MOST_REMEMBERED: usize = 16_384;
/// Processes that are looked at first.
const MOST_LATELY: usize = 32;
const MOST_RELATIVES: usize = 64;
/// After this long it is asked again whether a socket has got more holders.
const SHARING_HOLDS: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    pid: u32,
    descriptor: u32,
}

#[derive(Debug)]
struct Remembered {
    holders: Vec<Holder>,
    sought: Instant,
}

/// One walk over all processes.
#[derive(Debug, Default)]
struct Pass {
    left: VecDeque<u32>,
    /// Processes whose descriptors may not be read.
    unreadable: u32,
    /// Some could not be read for want of descriptors of our own: it proves nothing.
    spoiled: bool,
}

/// What is known of one socket after a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    By(Vec<u32>),
    /// Not found so far: the search goes on in the next round.
    Sought,
    /// All processes were looked at, since it was first asked for; `all_readable` false: some could not be.
    ByNobody {
        all_readable: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Holders {
    remembered: HashMap<u64, Remembered>,
    lately: VecDeque<u32>,
    /// Processes of the last listing.
    listed: HashSet<u32>,
    pass: Pass,
    /// Sockets being sought, and the number of the first pass that is whole for them.
    sought: HashMap<u64, u64>,
    /// Passes that ended.
    ended: u64,
    /// Processes that the last of them could not look at.
    pub(super) unreadable: u32,
    /// Rounds that ended with their budget.
    pub(super) postponed: u64,
}

/// So much of this thread's own time: on a busy machine, too, it can look at as many processes.
#[derive(Debug)]
struct Budget {
    until: Duration,
}

impl Budget {
    fn new(budget: Duration) -> Self {
        Self { until: spent().saturating_add(budget) }
    }

    fn is_spent(&self) -> bool {
        spent() >= self.until
    }
}

/// This thread's time on a processor. Where the kernel does not say, nothing is left to spend.
pub(super) fn spent() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map_or(Duration::MAX, Duration::from)
}

impl Holders {
    /// Seeks the holders of every socket of `wanted` until they are found or the budget is spent. Sockets that are not
    /// wanted any more are forgotten.
    pub(super) fn seek(&mut self, wanted: &HashSet<u64>, budget: Duration) -> HashMap<u64, Held> {
        let now = Instant::now();
        let budget = Budget::new(budget);
        let mut found: HashMap<u64, Vec<Holder>> = HashMap::new();
        let mut left: HashSet<u64> =
            wanted.iter().copied().filter(|inode| !self.still_held(*inode, now)).collect();
        self.sought.retain(|inode, _| left.contains(inode));
        for inode in &left {
            let counts = self.ended.saturating_add(u64::from(!self.pass.left.is_empty()));
            self.sought.entry(*inode).or_insert(counts);
        }
        for pid in self.lately.clone() {
            self.look(pid, &left, &mut found);
        }
        left.retain(|inode| !found.contains_key(inode));
        if !left.is_empty() {
            self.walk(&left, &mut found, &budget);
        }
        self.look_at_relatives(&mut found, &budget);
        self.remember(found, now);
        wanted.iter().map(|inode| (*inode, self.held(*inode))).collect()
    }

    fn held(&self, inode: u64) -> Held {
        if let Some(remembered) = self.remembered.get(&inode) {
            return Held::By(remembered.holders.iter().map(|holder| holder.pid).collect());
        }
        match self.sought.get(&inode) {
            Some(counts) if self.ended > *counts => Held::ByNobody { all_readable: self.unreadable == 0 },
            _ => Held::Sought,
        }
    }

    /// A remembered holder is believed while its descriptor still is that socket.
    fn still_held(&mut self, inode: u64, now: Instant) -> bool {
        let Some(remembered) = self.remembered.get(&inode) else { return false };
        let fresh = now.saturating_duration_since(remembered.sought) < SHARING_HOLDS;
        if fresh
            && remembered.holders.iter().all(|holder| socket_of(holder.pid, holder.descriptor) == Some(inode))
        {
            return true;
        }
        for holder in self.remembered.remove(&inode).map(|gone| gone.holders).unwrap_or_default() {
            self.came_up(holder.pid);
        }
        false
    }

    fn walk(&mut self, wanted: &HashSet<u64>, found: &mut HashMap<u64, Vec<Holder>>, budget: &Budget) {
        // at most to the end of the pass under way and once around
        for _ in 0..2 {
            self.list();
            while let Some(pid) = self.pass.left.pop_front() {
                let before = found.len();
                match self.look(pid, wanted, found) {
                    Look::Done => {}
                    Look::Forbidden => self.pass.unreadable = self.pass.unreadable.saturating_add(1),
                    Look::Failed => self.pass.spoiled = true,
                }
                if found.len() > before && wanted.iter().all(|inode| found.contains_key(inode)) {
                    self.pass.left.clear();
                    return;
                }
                if budget.is_spent() && !self.pass.left.is_empty() {
                    self.postponed = self.postponed.saturating_add(1);
                    return;
                }
            }
            if self.pass.spoiled {
                self.postponed = self.postponed.saturating_add(1);
                return;
            }
            self.unreadable = self.pass.unreadable;
            self.ended = self.ended.saturating_add(1);
            let done = |inode: &u64| {
                found.contains_key(inode) || self.sought.get(inode).is_none_or(|counts| self.ended > *counts)
            };
            if wanted.iter().all(done) || budget.is_spent() {
                return;
            }
        }
    }

    /// New processes come first, and of those the newest: pids mostly grow. Between two passes all others follow.
    fn list(&mut self) {
        let Ok(folder) = fs::read_dir("/proc") else { return };
        let pids: Vec<u32> =
            folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        let (old, new): (Vec<u32>, Vec<u32>) = pids.iter().partition(|pid| self.listed.contains(pid));
        self.listed = pids.into_iter().collect();
        if self.pass.left.is_empty() {
            self.pass.unreadable = 0;
            self.pass.spoiled = false;
            self.pass.left = old.into();
        }
        for pid in new {
            self.pass.left.push_front(pid);
        }
    }

    fn look(&mut self, pid: u32, wanted: &HashSet<u64>, found: &mut HashMap<u64, Vec<Holder>>) -> Look {
        let folder = match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(folder) => folder,
            Err(error) => return Look::after(&error),
        };
        let mut any = false;
        for entry in folder {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Look::after(&error),
            };
            let Some(descriptor) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Some(inode) = socket_of(pid, descriptor) else { continue };
            if !wanted.contains(&inode) {
                continue;
            }
            any = true;
            let holders = found.entry(inode).or_default();
            if holders.iter().all(|holder| holder.pid != pid) {
                holders.push(Holder { pid, descriptor });
            }
        }
        if any {
            self.came_up(pid);
        }
        Look::Done
    }

    fn came_up(&mut self, pid: u32) {
        self.lately.retain(|other| *other != pid);
        self.lately.push_front(pid);
        self.lately.truncate(MOST_LATELY);
    }

    /// The parent, its children and the holder's own.
    fn look_at_relatives(&mut self, found: &mut HashMap<u64, Vec<Holder>>, budget: &Budget) {
        let holders: HashSet<u32> = found.values().flatten().map(|holder| holder.pid).collect();
        let mut relatives: HashSet<u32> = HashSet::new();
        for pid in &holders {
            relatives.extend(children(*pid));
            let parent = processes::stat(*pid).map_or(0, |stat| stat.parent);
            if parent > 1 {
                relatives.insert(parent);
                relatives.extend(children(parent));
            }
        }
        let wanted: HashSet<u64> = found.keys().copied().collect();
        for pid in relatives.difference(&holders).take(MOST_RELATIVES) {
            self.look(*pid, &wanted, found);
            if budget.is_spent() {
                self.postponed = self.postponed.saturating_add(1);
                return;
            }
        }
    }

    fn remember(&mut self, found: HashMap<u64, Vec<Holder>>, now: Instant) {
        if self.remembered.len().saturating_add(found.len()) > MOST_REMEMBERED {
            self.remembered.clear();
        }
        for (inode, holders) in found {
            self.sought.remove(&inode);
            self.remembered.insert(inode, Remembered { holders, sought: now });
        }
    }
}

/// How it went to look at a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Done,
    Forbidden,
    /// There was no descriptor left to do so.
    Failed,
}

impl Look {
    /// A process that went away meanwhile (ENOENT, ESRCH) is no failure.
    fn after(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => Self::Forbidden,
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Self::Failed,
            _ => Self::Done,
        }
    }
}

/// The inode of the socket that a descriptor is.
pub(super) fn socket_of(pid: u32, descriptor: u32) -> Option<u64> {
    let link = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Empty where the kernel does not list them (CONFIG_PROC_CHILDREN).
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace().take(MOST_RELATIVES).filter_map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const AMPLE: Duration = Duration::from_secs(20);

    fn inode(socket: &UdpSocket) -> u64 {
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(socket);
        std::fs::metadata(format!("/proc/self/fd/{descriptor}")).unwrap().ino()
    }

    #[test]
    fn own_socket_is_found_and_forgotten_when_closed() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let inode = inode(&socket);
        let mut holders = Holders::default();
        let wanted = HashSet::from([inode]);
        assert_eq!(holders.seek(&wanted, AMPLE)[&inode], Held::By(vec![std::process::id()]));
        assert_eq!(holders.seek(&wanted, Duration::ZERO)[&inode], Held::By(vec![std::process::id()]));
        drop(socket);
        assert!(matches!(holders.seek(&wanted, AMPLE)[&inode], Held::ByNobody { .. }));
    }

    #[test]
    fn a_search_without_time_goes_on_in_the_next_round() {
        let wanted = HashSet::from([u64::MAX]);
        let mut holders = Holders::default();
        let mut rounds = 0;
        while holders.seek(&wanted, Duration::ZERO)[&u64::MAX] == Held::Sought {
            rounds += 1;
            assert!(rounds < 1_000_000);
        }
        assert!(rounds > 1 && holders.postponed > 1);
    }
}

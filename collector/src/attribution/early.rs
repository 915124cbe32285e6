//! Who begins a connection, looked up while its first packet is on its way: where the kernel tells nobody, that is the one
//! moment at which a program that lives for milliseconds can be seen. A thread of its own waits for nothing else. Such a
//! program is among the newest processes, or is one that began another connection lately; so only those are looked at,
//! and seldom all.
use std::collections::{HashSet, VecDeque};
use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;

use super::SocketEnd;
use super::clocks;
use super::diag::Diag;
use super::holders::{Held, Holders, socket_of, spent};
use super::processes::{self, Identity, Process};
use super::questions::Question;
use super::sockets::{TCP, state};
use super::users::Users;

/// Of each second, on this thread.
const SHARE: Duration = Duration::from_millis(30);
/// Pids before the last that was given out.
const NEWEST: u32 = 16;
/// Processes that began connections lately.
const MOST_LATELY: usize = 8;
/// Descriptors of a process that are looked through.
const MOST_DESCRIPTORS: usize = 256;
/// Parents that may have made a socket which their child has too.
const MOST_PARENTS: u32 = 4;
/// All processes are looked through so often, and for so long.
const BETWEEN_SEARCHES: Duration = Duration::from_millis(500);
const SEARCH: Duration = Duration::from_millis(2);
/// Records of connections that wait for the thread. What is over is looked up later, like everything else.
const MOST_WAITING: usize = 64;

/// A connection that this machine has begun, and when: nanoseconds of the wall clock.
type Begun = (SocketEnd, u64);

/// Where connections are told as soon as they begin.
#[derive(Clone, Debug)]
pub struct Connections(SyncSender<Vec<Begun>>);

impl Connections {
    pub fn begin(&self, begun: Vec<Begun>) {
        match self.0.try_send(begun) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Starts the thread, with the privileges of the calling one. `found` takes what it finds; `wake` is woken when it has
/// ended. None: sockets cannot be asked for one by one here.
pub(super) fn start(found: SyncSender<Question>, wake: Arc<EventFd>) -> Option<Connections> {
    let diag = Diag::open().ok()?;
    let (begin, begun) = sync_channel(MOST_WAITING);
    let early = Early {
        diag,
        lately: VecDeque::new(),
        holders: Holders::default(),
        users: Users::default(),
        searched: None,
        second: Instant::now(),
        spent: Duration::ZERO,
    };
    let thread = std::thread::Builder::new().name("attribution-new".to_owned());
    let run = move || {
        early.run(&begun, &found);
        drop(found);
        // fails only when the other half is gone already
        wake.write(1).ok();
    };
    thread.spawn(run).ok()?;
    Some(Connections(begin))
}

#[derive(Debug)]
struct Early {
    diag: Diag,
    lately: VecDeque<u32>,
    /// For the searches among all.
    holders: Holders,
    users: Users,
    searched: Option<Instant>,
    second: Instant,
    /// This thread's time when the second began.
    spent: Duration,
}

impl Early {
    /// Until nobody tells of connections any more.
    fn run(mut self, begun: &Receiver<Vec<Begun>>, found: &SyncSender<Question>) {
        while let Ok(connections) = begun.recv() {
            for (end, began) in connections {
                if self.is_spent() {
                    break;
                }
                let began = began.saturating_sub(clocks::wall_offset());
                let process = self.socket(&end).and_then(|inode| self.process(inode));
                // a full queue: it is looked up later, like everything else
                if let Some(process) = process
                    && let Err(TrySendError::Disconnected(_)) =
                        found.try_send(Question::Found { end, began, process: process.into() })
                {
                    return;
                }
            }
        }
    }

    /// Whether this second's share of a processor is used up.
    fn is_spent(&mut self) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.second = Instant::now();
            self.spent = spent();
        }
        spent().saturating_sub(self.spent) >= SHARE
    }

    /// The inode of a connection's socket: one question, however many sockets there are.
    fn socket(&mut self, end: &SocketEnd) -> Option<u64> {
        let socket = self.diag.find(TCP, end.local, end.remote).ok()??;
        (socket.state != state::LISTEN && socket.inode != 0).then_some(socket.inode)
    }

    /// What made a socket, as far as that is seen quickly.
    fn process(&mut self, inode: u64) -> Option<Process> {
        let identity = self.holder(inode)?;
        match processes::describe(identity.pid, &mut self.users) {
            Some(process) if process.identity == identity => Some(process),
            Some(_) => None, // another program by now
            None => Some(Process::dead(identity)),
        }
    }

    fn holder(&mut self, inode: u64) -> Option<Identity> {
        let newest = last_pid().map(newest).unwrap_or_default();
        let mut candidates = self.lately.iter().copied().chain(newest);
        let held = |pid: u32| descriptor(pid, inode).map(|descriptor| (pid, descriptor));
        let (pid, descriptor) = match candidates.find_map(held) {
            Some((thread, descriptor)) => (processes::thread_group(thread)?, descriptor),
            None => held(self.search(inode)?)?,
        };
        let identity = eldest(pid, descriptor, inode)?;
        self.lately.retain(|other| *other != identity.pid);
        self.lately.push_front(identity.pid);
        self.lately.truncate(MOST_LATELY);
        Some(identity)
    }

    fn search(&mut self, inode: u64) -> Option<u32> {
        let now = Instant::now();
        if self.searched.is_some_and(|at| now.saturating_duration_since(at) < BETWEEN_SEARCHES) {
            return None;
        }
        self.searched = Some(now);
        match self.holders.seek(&HashSet::from([inode]), SEARCH).remove(&inode) {
            Some(Held::By(pids)) => pids.first().copied(),
            _ => None,
        }
    }
}

/// proc_loadavg(5): its last field.
fn last_pid() -> Option<u32> {
    fs::read_to_string("/proc/loadavg").ok()?.trim_end().rsplit(' ').next()?.parse().ok()
}

fn newest(last: u32) -> Vec<u32> {
    (last.saturating_sub(NEWEST).max(1)..=last).rev().collect()
}

/// Which of a process's descriptors is the socket.
fn descriptor(pid: u32, inode: u64) -> Option<u32> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let entries = folder.take(MOST_DESCRIPTORS).map_while(Result::ok);
    let mut numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.find(|number| socket_of(pid, *number) == Some(inode))
}

/// Between fork and exec a child has what its parent made, under the same number. None where they are too many.
fn eldest(pid: u32, descriptor: u32, inode: u64) -> Option<Identity> {
    let mut youngest = processes::stat(pid).filter(|stat| !stat.is_dead)?;
    for _ in 0..MOST_PARENTS {
        if youngest.parent == 0 || socket_of(youngest.parent, descriptor) != Some(inode) {
            return Some(youngest.identity);
        }
        youngest = processes::stat(youngest.parent)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_socket_of_this_process_is_found_and_a_closed_one_is_not() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let inode = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino();
        let pid = std::process::id();
        let number = u32::try_from(socket.as_raw_fd()).unwrap();
        assert_eq!(descriptor(pid, inode), Some(number));
        assert_eq!(eldest(pid, number, inode).map(|identity| identity.pid), Some(pid));
        drop(socket);
        assert_eq!(descriptor(pid, inode), None);
    }

    #[test]
    fn who_begins_a_connection_is_told_before_it_is_asked_for() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (found, told) = sync_channel(1);
        let connections = start(found, Arc::new(EventFd::new().unwrap())).unwrap();
        let ends = [stream.local_addr().unwrap(), stream.peer_addr().unwrap()];
        let [local, remote] = ends.map(|end| (end.ip(), end.port()));
        let end = SocketEnd { protocol: TCP, local, remote, is_initiator: true, is_forwarded: false };
        connections.begin(vec![(end, clocks::wall_offset() + 5_000_000_000)]);
        let answer = told.recv_timeout(Duration::from_secs(20)).unwrap();
        let Question::Found { end: told_end, began, process } = answer else { panic!("{answer:?}") };
        // both clocks are read twice
        assert_eq!((began + 500_000_000) / 1_000_000_000, 5);
        assert_eq!((told_end, process.identity.pid), (end, std::process::id()));
    }

    #[test]
    fn the_last_pid_is_read_and_the_newest_come_first() {
        assert!(last_pid().is_some());
        assert_eq!(newest(3), [3, 2, 1]);
    }
}

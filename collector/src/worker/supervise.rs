//! The collector's side of the capture worker: starts it, hands commands down and records up, and starts it again when it
//! dies, with its interfaces and lists as they were. What was not seen in between is said as a span of time.
//!
//! Runs on the main thread: the worker is killed when the *thread* that started it ends (PR_SET_PDEATHSIG).
mod link;
mod wanted;

use std::io;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::records::{BUILD, Command, MOST_MESSAGE_BYTES, Record};
use super::sandbox::Confinement;
use crate::attribution::ebpf::Source;
use link::{Incoming, Link};
use wanted::Wanted;

/// A worker that says nothing for so long has hung; it speaks once a second.
const MOST_SILENCE: Duration = Duration::from_secs(10);
/// Who looks so much too late did not run itself: a virtual machine that was paused, a frozen control group. The worker was
/// then paused too, and is listened to anew.
const LATE: Duration = Duration::from_secs(1);
/// One that lived so long was not in a crash loop.
const LONG_ENOUGH: Duration = Duration::from_millis(500);
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// What a worker that is to finish may take to tell the rest.
const FINISHING: Duration = Duration::from_secs(3);
const COMMANDS_WAITING: usize = 256;
/// Messages read before commands are looked at again.
const MESSAGES_A_TURN: usize = 64;

/// What the collector hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// From the running worker, within the bounds of `records`.
    Record(Record),
    /// A worker is up and confined; the first or another one.
    /// `without_owners`: why it cannot read what kernel programs tell; else empty.
    Started { pid: u32, confinement: Confinement, without_owners: String },
    /// It is gone, and with it what it had counted but not told. Every interface has to be taken for closed: `Opened`
    /// comes again for each, with the same id.
    Died { status: String, at: Timestamp, gap_start: Timestamp, retry_in: Duration },
    /// The kernel did not start another one.
    StartFailed { error: String, retry_in: Duration },
    /// Every interface that was open is open again or has `Failed`; traffic of the span was not seen.
    Recovered { gap_start: Timestamp, gap_end: Timestamp },
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("{COMMANDS_WAITING} commands to the capture worker are waiting already")]
    Full,
    #[error("the capture worker is stopping")]
    Stopping,
}

/// Sends commands from any thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    commands: SyncSender<Command>,
    wake: Arc<EventFd>,
    stopping: Arc<AtomicBool>,
}

impl WorkerHandle {
    /// Never blocks. What is open when a worker dies is opened again without being asked for.
    pub fn send(&self, command: Command) -> Result<(), SendError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Full,
            TrySendError::Disconnected(_) => SendError::Stopping,
        })?;
        self.wake();
        Ok(())
    }

    /// The worker tells the rest and ends, and `Supervisor::run` returns.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        // fails only when the counter is full, and then it is readable anyway
        if self.wake.write(1).is_err() {
            std::thread::yield_now();
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Finishing { until: Instant },
    Ended,
}

/// A span in which nobody looks.
#[derive(Debug)]
struct Gap {
    start: Timestamp,
    /// Interfaces that have not answered yet.
    waiting: Vec<u16>,
    ready: bool,
}

/// Owns the worker's process. Stays on the thread that made it.
#[derive(Debug)]
pub struct Supervisor {
    link: Option<Link>,
    owners: Option<Source>,
    commands: Receiver<Command>,
    wake: Arc<EventFd>,
    stopping: Arc<AtomicBool>,
    wanted: Wanted,
    phase: Phase,
    gap: Option<Gap>,
    failures: u32,
    retry: Instant,
    heard: Instant,
    heard_at: Timestamp,
    buffer: Vec<u8>,
    main_thread: PhantomData<*const ()>,
}

impl Supervisor {
    /// Starts the worker; must come before threads and configuration, on the main thread. The program must call
    /// `worker::hidden_main` first thing.
    ///
    /// `owners` is what the worker is to map for the owners of flows; kept open for as long as workers are started.
    pub fn start(owners: Option<Source>) -> io::Result<(Self, WorkerHandle)> {
        let (sender, commands) = sync_channel(COMMANDS_WAITING);
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let stopping = Arc::new(AtomicBool::new(false));
        let handle =
            WorkerHandle { commands: sender, wake: Arc::clone(&wake), stopping: Arc::clone(&stopping) };
        let supervisor = Self {
            link: Some(Link::start(owners.as_ref())?),
            owners,
            commands,
            wake,
            stopping,
            wanted: Wanted::default(),
            phase: Phase::Running,
            gap: None,
            failures: 0,
            retry: Instant::now(),
            heard: Instant::now(),
            heard_at: Timestamp::now(),
            buffer: vec![0; MOST_MESSAGE_BYTES],
            main_thread: PhantomData,
        };
        Ok((supervisor, handle))
    }

    /// Serves until `stop` and the worker's end. `sink` may block: then the worker's messages wait, and nothing is lost.
    pub fn run(mut self, mut sink: impl FnMut(Event)) -> io::Result<()> {
        while self.phase != Phase::Ended {
            self.take_commands(&mut sink);
            let readable = self.wait()?;
            if readable {
                self.read(&mut sink);
            }
            self.watch_over(readable, &mut sink);
        }
        Ok(())
    }

    fn take_commands(&mut self, sink: &mut impl FnMut(Event)) {
        while self.link.as_ref().is_none_or(Link::has_room) {
            match self.commands.try_recv() {
                Ok(command) => self.command(command, sink),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if self.phase == Phase::Running && self.stopping.load(Ordering::Acquire) {
            self.phase = Phase::Finishing { until: Instant::now() + FINISHING };
            match &mut self.link {
                Some(link) => link.queue(&Command::Finish),
                None => self.phase = Phase::Ended,
            }
        }
        if let Some(link) = &mut self.link {
            link.flush();
        }
    }

    fn command(&mut self, command: Command, sink: &mut impl FnMut(Event)) {
        let answer = self.wanted.note(&command);
        match (self.link.as_mut().filter(|link| link.ready), answer) {
            (Some(link), _) => link.queue(&command),
            (None, Some(record)) => sink(Event::Record(record)), // nobody else is there to say so
            (None, None) => {} // it is asked for all that is wanted once it is ready
        }
    }

    /// Says whether the worker has something to read, its end included.
    fn wait(&self) -> io::Result<bool> {
        let mut descriptors = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        descriptors.extend(self.link.as_ref().map(|link| PollFd::new(link.descriptor(), link.interest())));
        let now = Instant::now();
        let until = match (self.phase, &self.link) {
            (Phase::Finishing { until }, _) => until,
            (_, Some(_)) => self.heard + MOST_SILENCE,
            (_, None) => self.retry,
        };
        let wait = until.saturating_duration_since(now) + Duration::from_micros(999);
        match poll(&mut descriptors, PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut found =
            descriptors.iter().map(|descriptor| descriptor.revents().unwrap_or(PollFlags::empty()));
        if found.next().is_some_and(|flags| !flags.is_empty()) {
            match self.wake.read() {
                Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found.next().is_some_and(|flags| {
            flags.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR)
        }))
    }

    fn read(&mut self, sink: &mut impl FnMut(Event)) {
        for _ in 0..MESSAGES_A_TURN {
            let Some(link) = &self.link else { return };
            match link.receive(&mut self.buffer) {
                Incoming::Nothing => return,
                Incoming::Record(record) => {
                    self.heard = Instant::now();
                    self.heard_at = Timestamp::now();
                    self.record(record, sink);
                }
                Incoming::End => return self.died(None, sink),
                Incoming::Bad(error) => return self.died(Some(error), sink),
            }
        }
    }

    fn record(&mut self, record: Record, sink: &mut impl FnMut(Event)) {
        match record {
            Record::Ready { build, .. } if build != BUILD => {
                self.died(Some(format!("it is of another build: {build:?}")), sink);
            }
            Record::Ready { confinement, without_owners, .. } => {
                let Some(link) = &mut self.link else { return };
                link.ready = true;
                sink(Event::Started { pid: link.pid(), confinement, without_owners });
                self.wanted.commands().for_each(|command| link.queue(&command));
                self.answered(None, sink);
            }
            Record::Alive => {}
            record => {
                self.wanted.heard(&record);
                let answered = match &record {
                    Record::Opened { id, .. } | Record::Failed { id, .. } => Some(*id),
                    _ => None,
                };
                sink(Event::Record(record));
                if answered.is_some() {
                    self.answered(answered, sink);
                }
            }
        }
    }

    /// `None`: the worker is ready. The gap ends when every interface has answered.
    fn answered(&mut self, id: Option<u16>, sink: &mut impl FnMut(Event)) {
        if let Some(gap) = &mut self.gap {
            match id {
                Some(id) => gap.waiting.retain(|waiting| *waiting != id),
                None => gap.ready = true,
            }
            if gap.ready && gap.waiting.is_empty() {
                sink(Event::Recovered { gap_start: gap.start, gap_end: Timestamp::now() });
                self.gap = None;
            }
        }
    }

    fn died(&mut self, fault: Option<String>, sink: &mut impl FnMut(Event)) {
        let Some(link) = self.link.take() else { return };
        let lived = link.lived();
        let status = link.end(fault);
        if self.phase != Phase::Running {
            self.phase = Phase::Ended;
            return;
        }
        self.failures = if lived >= LONG_ENOUGH { 0 } else { self.failures.saturating_add(1) };
        let gap_start = self.gap.as_ref().map_or(self.heard_at, |gap| gap.start);
        self.gap = Some(Gap { start: gap_start, waiting: self.wanted.interfaces(), ready: false });
        let retry_in = pause(self.failures);
        self.retry = Instant::now() + retry_in;
        sink(Event::Died { status, at: Timestamp::now(), gap_start, retry_in });
    }

    /// Deadlines: a worker that hangs is killed, one that is missing is started.
    fn watch_over(&mut self, readable: bool, sink: &mut impl FnMut(Event)) {
        let now = Instant::now();
        let silent = now.saturating_duration_since(self.heard);
        match (self.phase, &self.link) {
            (Phase::Finishing { until }, _) if now >= until => {
                self.died(Some("it did not finish in time".to_owned()), sink);
            }
            // it speaks, and what it said may have had to wait for the sink
            (Phase::Running, Some(_)) if silent < MOST_SILENCE || readable => {}
            (Phase::Running, Some(_)) if silent >= MOST_SILENCE + LATE => self.heard = now,
            (Phase::Running, Some(_)) => {
                self.died(Some(format!("it said nothing for {} s", MOST_SILENCE.as_secs())), sink);
            }
            (Phase::Running, None) if now >= self.retry => match Link::start(self.owners.as_ref()) {
                Ok(link) => {
                    self.link = Some(link);
                    self.heard = now;
                }
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    let retry_in = pause(self.failures);
                    self.retry = now + retry_in;
                    sink(Event::StartFailed { error: error.to_string(), retry_in });
                }
            },
            _ => {}
        }
    }
}

/// At once after a single death, then twice as long each time.
fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => SHORTEST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_loop_is_slowed_to_two_seconds_and_goes_on() {
        assert_eq!(pause(0), Duration::ZERO);
        assert_eq!(pause(1), Duration::from_millis(100));
        assert_eq!(pause(3), Duration::from_millis(400));
        assert_eq!(pause(6), LONGEST_WAIT);
        assert_eq!(pause(u32::MAX), LONGEST_WAIT);
    }
}

//! The thread that finds owners: asked through a bounded queue, it looks up sockets and their holders, at most ten times a
//! second and within a share of a core, and sleeps while nobody asks.
use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use shared::error::ErrorChain;
use shared::process::MatchQuality;
use weir_shared as shared;

use super::clocks::Boot;
use super::events::{Events, Party};
use super::holders::{Held, Holders};
use super::known::Known;
use super::locate::{Located, Locator, is_by_port};
use super::parties::Parties;
use super::processes::Process;
use super::questions::{
    Answer, CLOSED, Ends, NO_HOLDER, NOT_READABLE, PATIENCE, Question, TOO_SLOW, Tallies, Verdict,
};
use super::sockets::TCP;
use super::sources::{self, Sources};
use super::{Mode, SocketEnd};
use crate::privilege::PrivilegeError;

const BETWEEN_ROUNDS: Duration = Duration::from_millis(100);
/// Of a round's time that may go into looking through /proc/PID/fd.
const SEARCH_BUDGET: Duration = Duration::from_millis(20);
/// After a round that took long the pause is this many times as long.
const REST: u32 = 5;
/// How long a connection may wait to be accepted before its listener is named.
const ACCEPT_PATIENCE: Duration = Duration::from_millis(500);
/// How often those alive are looked after.
const BETWEEN_CENSUSES: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Open {
    since: Instant,
    began: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Refresher {
    questions: Receiver<Question>,
    answers: SyncSender<Vec<Answer>>,
    wake: Arc<EventFd>,
    tallies: Arc<Tallies>,
    mode: Mode,
    boot: Boot,
    locator: Locator,
    /// None: not allowed here.
    events: Option<Events>,
    holders: Holders,
    /// Used where there are no events.
    parties: Parties,
    known: Known,
    open: HashMap<SocketEnd, Open>,
    outgoing: Vec<Answer>,
    next_round: Instant,
    next_census: Instant,
}

impl Refresher {
    /// Opens what needs privileges, then gives up those that the calling thread does not need.
    pub(super) fn open(ends: Ends, mode: Mode) -> Result<(Self, Sources), PrivilegeError> {
        let now = Instant::now();
        let locator = Locator::open();
        let (events, no_events) = match mode {
            Mode::Ebpf | Mode::Off => (None, None),
            Mode::Auto | Mode::Proc => match Events::open() {
                Ok(events) => (Some(events), None),
                Err(error) => (None, Some(ErrorChain(&error).to_string())),
            },
        };
        let reads_all = sources::keep_what_is_needed()?;
        let sources = Sources {
            has_diag: locator.has_diag(),
            reads_all,
            hides_processes: !std::path::Path::new("/proc/1/stat").exists(),
            has_events: events.is_some(),
            no_events,
        };
        let refresher = Self {
            questions: ends.questions,
            answers: ends.answers,
            wake: ends.wake,
            tallies: ends.tallies,
            mode,
            boot: ends.boot,
            locator,
            events,
            holders: Holders::default(),
            parties: Parties::default(),
            known: Known::new(ends.boot),
            open: HashMap::new(),
            outgoing: Vec::new(),
            next_round: now,
            next_census: now,
        };
        Ok((refresher, sources))
    }

    /// Until the engine's half is dropped.
    pub(super) fn run(mut self) {
        loop {
            self.sleep();
            if !self.take_questions() {
                return;
            }
            let now = Instant::now();
            if now >= self.next_round && !self.open.is_empty() {
                self.round(now);
                let took = now.elapsed();
                self.next_round = now + BETWEEN_ROUNDS.max(took.saturating_mul(REST));
            }
            let named = self.events.as_mut().map(Events::take_named).unwrap_or_default();
            self.known.read_again(now, &named);
            self.tell_executed();
            if now >= self.next_census {
                self.census();
                self.next_census = now + BETWEEN_CENSUSES;
            }
            self.publish();
        }
    }

    /// Until a question comes, a round is due or, while processes are told as alive, the next look at them.
    fn sleep(&mut self) {
        let now = Instant::now();
        let round = (!self.open.is_empty()).then_some(self.next_round);
        let census = self.known.any_lives().then_some(self.next_census);
        let retry = (!self.outgoing.is_empty()).then(|| now + BETWEEN_ROUNDS);
        let due = [round, census, retry, self.known.next_due()].into_iter().flatten().min();
        let timeout = due.map_or(PollTimeout::NONE, |due| {
            let left = due.saturating_duration_since(now).as_millis().saturating_add(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut waited = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        let rings = self.events.iter().flat_map(Events::descriptors);
        waited.extend(rings.map(|ring| PollFd::new(ring, PollFlags::POLLIN)));
        // interrupted or not: what is due is looked at again
        let ready = poll(&mut waited, timeout).is_ok_and(|ready| ready > 0);
        drop(waited);
        if ready {
            self.wake.read().ok();
            self.read_events();
        }
    }

    /// Takes in what the kernel told of connections and processes.
    fn read_events(&mut self) {
        let Some(events) = &mut self.events else { return };
        events.read(super::clocks::boot_now());
        self.tallies.lost_events.store(events.lost, Ordering::Relaxed);
        for pid in events.take_ended() {
            if let Some(start) = self.known.ended(pid) {
                self.outgoing.push(Answer::Gone(pid, start));
            }
        }
    }

    /// False: nobody will ask again.
    fn take_questions(&mut self) -> bool {
        loop {
            match self.questions.try_recv() {
                Ok(Question::Owner { end, began }) => {
                    self.open.insert(end, Open { since: Instant::now(), began });
                }
                Ok(Question::Found { end, began, process }) => {
                    self.known.lives(&process.identity);
                    self.parties.remember(end, began, process);
                }
                Ok(Question::Details { pid, start }) => self.tell_details(pid, start),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn tell_details(&mut self, pid: u32, start: u64) {
        match self.known.describe(pid) {
            Some(process) if process.identity.start.abs_diff(start) <= 1 => {
                self.outgoing.push(Answer::Details(process));
            }
            _ => self.outgoing.push(Answer::Gone(pid, start)),
        }
    }

    fn round(&mut self, now: Instant) {
        let asked = super::clocks::boot_now();
        self.read_events();
        self.locator.begin_round();
        let mut located: Vec<(SocketEnd, Located)> = Vec::with_capacity(self.open.len());
        for (end, open) in &self.open {
            let patient = now.saturating_duration_since(open.since) < ACCEPT_PATIENCE;
            // they are told of TCP alone, and a datagram's ends may be the same
            let events = self.events.as_ref().filter(|_| end.protocol == TCP);
            let party = events.and_then(|events| events.party(end, open.began));
            let place = match (party, self.parties.of(end, open.began)) {
                (Some(party), _) => Located::Process(party.clone()),
                (None, Some(process)) => Located::Party(process),
                (None, None) => self.locator.locate(end, open.since, patient),
            };
            // its event may be on the way: the socket was closed after the events were read
            let wait =
                patient && self.events.is_some() && end.protocol == TCP && place == Located::Nowhere(CLOSED);
            located.push((*end, if wait { Located::Later } else { place }));
        }
        let wanted: HashSet<u64> = located.iter().flat_map(|(_, located)| located.inodes()).collect();
        let held = self.holders.seek(&wanted, SEARCH_BUDGET);
        for (end, located) in located {
            let verdict = self.judge(&end, located, &held).or_else(|| self.given_up(&end, now));
            self.tell_executed();
            if let Some(verdict) = verdict {
                let began = self.open.remove(&end).and_then(|open| open.began);
                self.outgoing.push(Answer::Owner { end, began, asked, verdict });
            }
        }
        self.tallies.postponed.store(self.holders.postponed, Ordering::Relaxed);
        self.tallies.unreadable.store(self.holders.unreadable.into(), Ordering::Relaxed);
        self.tallies.refused.store(self.locator.refused, Ordering::Relaxed);
    }

    fn given_up(&self, end: &SocketEnd, now: Instant) -> Option<Verdict> {
        let since = self.open.get(end)?.since;
        (now.saturating_duration_since(since) >= PATIENCE).then_some(Verdict::Nobody(TOO_SLOW))
    }

    /// None: not decided yet.
    fn judge(&mut self, end: &SocketEnd, located: Located, held: &HashMap<u64, Held>) -> Option<Verdict> {
        let (sockets, quality) = match located {
            Located::Sockets(sockets) => (sockets, MatchQuality::Exact),
            Located::Listeners(sockets) => (sockets, MatchQuality::Listener),
            Located::Process(party) => return Some(self.party(&party)),
            Located::Party(process) => {
                return Some(Verdict::Held {
                    processes: vec![process],
                    quality: MatchQuality::Exact,
                    for_now: false,
                });
            }
            Located::Later => return None,
            Located::Kernel => return Some(Verdict::Kernel),
            Located::Nowhere(reason) => return Some(Verdict::Nobody(reason)),
        };
        let mut pids: Vec<u32> = Vec::new();
        let mut unheld = Vec::new();
        for socket in &sockets {
            match held.get(&socket.inode) {
                Some(Held::By(holders)) => pids.extend(holders),
                Some(Held::ByNobody { all_readable }) => unheld.push((*socket, *all_readable)),
                Some(Held::Sought) | None => return None,
            }
        }
        // one of several that nobody is known to hold: it may be the one that was used
        if let Some((socket, all_readable)) = unheld.first() {
            let kernels = unheld.len() == sockets.len() && *all_readable;
            if kernels && self.locator.is_the_kernels(socket) {
                return Some(Verdict::Kernel);
            }
            return Some(Verdict::Nobody(if *all_readable { NO_HOLDER } else { NOT_READABLE }));
        }
        pids.sort_unstable();
        pids.dedup();
        self.name(end, pids, (quality, is_by_port(&sockets, end)))
    }

    fn party(&mut self, party: &Party) -> Verdict {
        let (process, lives) = self.known.told(party);
        if !lives {
            // it is told as gone after the answer, as soon as it is looked after
            self.known.lives(&process.identity);
            self.next_census = Instant::now();
        }
        Verdict::Held { processes: vec![process], quality: MatchQuality::Exact, for_now: false }
    }

    fn name(
        &mut self,
        end: &SocketEnd,
        mut pids: Vec<u32>,
        (quality, for_now): (MatchQuality, bool),
    ) -> Option<Verdict> {
        // the service manager holds the listeners that it has passed on
        if pids.len() > 1 {
            pids.retain(|pid| *pid != 1);
        }
        let processes: Vec<Arc<Process>> = pids.iter().filter_map(|pid| self.known.describe(*pid)).collect();
        if processes.len() < pids.len() || processes.is_empty() {
            return None; // one of them went away: whoever is left is found in the next round
        }
        if let Some(began) = self.open.get(end).and_then(|open| open.began) {
            let latest = self.boot.ticks(began).saturating_add(2);
            if processes.iter().all(|process| process.identity.start > latest) {
                return Some(Verdict::Nobody(CLOSED)); // the port is somebody else's by now
            }
        }
        let quality = if processes.len() > 1 { MatchQuality::Shared } else { quality };
        Some(Verdict::Held { processes, quality, for_now })
    }

    /// Before any answer that calls them by their new name.
    fn tell_executed(&mut self) {
        let executed = self.known.take_executed();
        // kernel programs tell what each program of a process did
        if self.mode != Mode::Ebpf {
            self.outgoing.extend(executed.into_iter().map(Answer::Executed));
        }
    }

    /// Tells which processes have gone.
    fn census(&mut self) {
        self.read_events();
        let gone = self.known.census();
        self.outgoing.extend(gone.into_iter().map(|(pid, start)| Answer::Gone(pid, start)));
    }

    /// A full queue keeps the answers for the next time.
    fn publish(&mut self) {
        if self.outgoing.is_empty() {
            return;
        }
        match self.answers.try_send(std::mem::take(&mut self.outgoing)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(answers)) => self.outgoing = answers,
        }
    }
}

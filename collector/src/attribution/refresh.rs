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
use weir_shared as shared;

use super::clocks::Boot;
use super::closings::{Closings, Ending, PortHold};
use super::events::Events;
use super::holders::Holders;
use super::known::Known;
use super::locate::{Located, Locator};
use super::parties::Parties;
use super::questions::{Answer, CLOSED, Ends, PATIENCE, Question, TOO_SLOW, Tallies, Verdict};
use super::sockets::{TCP, UDP};
use super::sources::{self, Sources};
use super::{Mode, SocketEnd};
use crate::privilege::PrivilegeError;

mod verdict;

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
    hold: Option<PortHold>,
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
    /// While somebody asks about ends that only a port speaks for.
    closings: Option<Closings>,
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
            closings: None,
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
            self.closings.take_if(|closings| !closings.is_wanted(now));
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
        let closings = self.closings.as_ref().map(Closings::descriptor);
        waited.extend(closings.map(|closings| PollFd::new(closings, PollFlags::POLLIN)));
        // interrupted or not: what is due is looked at again
        let ready = poll(&mut waited, timeout).is_ok_and(|ready| ready > 0);
        drop(waited);
        if ready {
            self.wake.read().ok();
            self.read_events();
        }
    }

    /// Takes in what the kernel told of closed sockets, connections and processes.
    fn read_events(&mut self) {
        if let Some(closings) = &mut self.closings {
            closings.read();
            self.tallies.lost_closings.fetch_add(closings.take_lost(), Ordering::Relaxed);
        }
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
                Ok(Question::Owner { end, began, hold }) => {
                    let since = Instant::now();
                    if end.protocol == UDP {
                        self.listen_to_closings(since);
                    }
                    self.open.insert(end, Open { since, began, hold });
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

    /// Before its sockets are looked for: so nothing is missed that is closed after they were found.
    fn listen_to_closings(&mut self, now: Instant) {
        let is_of_use = matches!(self.mode, Mode::Auto | Mode::Proc) && self.locator.has_diag();
        if self.closings.is_none() && is_of_use {
            self.closings = Closings::open()
                .inspect_err(|error| tracing::debug!(%error, "closed sockets are not told of"))
                .ok();
        }
        if let Some(closings) = &mut self.closings {
            closings.want(now);
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
            let ending = open.hold.filter(|_| place == Located::Nowhere(CLOSED)).zip(self.closings.as_ref());
            let place = match ending.map(|(hold, closings)| closings.ending(hold, asked)) {
                Some(Ending::Until(at)) => Located::Until(at),
                Some(Ending::NotYet) if patient => Located::Later,
                Some(Ending::NotYet | Ending::Doubtful) | None => place,
            };
            located.push((*end, if wait { Located::Later } else { place }));
        }
        let wanted: HashSet<u64> = located.iter().flat_map(|(_, located)| located.inodes()).collect();
        let held = self.holders.seek(&wanted, SEARCH_BUDGET);
        for (end, located) in located {
            let verdict = self.judge(&end, located, (&held, asked)).or_else(|| self.given_up(&end, now));
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

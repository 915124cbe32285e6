//! The engine's half: asks the thread, keeps its answers, and gives every owner a number for as long as it is remembered.
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use shared::health::{self, Degraded, Losses};
use shared::process::{MatchQuality, Owner};
use weir_shared as shared;

use super::asked::{Asked, Order};
use super::clocks::{self, Boot};
use super::early::Connections;
use super::owners::Owners;
use super::questions::{Answer, By, Question, Verdict};
use super::thread::Thread;
use super::{Lookup, Mode, OwnerId, OwnerNews, PortHold, SocketEnd};

/// Flows' ends that are being looked up, or were lately.
const MOST_ASKED: usize = 32_768;
/// An answer is kept this long for a flow that is seen on another interface too. Longer than a question is open.
const ANSWER_HOLDS: Duration = Duration::from_secs(5);

/// Numbers between those of the kernel and those of processes.
const FIRST_REASON: u32 = OwnerId::NO_FLOW.0 + 1;
const MOST_REASONS: usize = (OwnerId::FIRST_PROCESS.0 - FIRST_REASON) as usize;

const NOT_YET: &str = "not looked up yet, or its flow was over before an answer came";
const SWITCHED_OFF: &str = "attribution is switched off in the configuration";
const NO_THREAD: &str = "the thread that looks up owners could not be started";
const THREAD_ENDED: &str = "its owner cannot be told: the thread that looks up owners has ended";

/// Owners of sockets, for the engine's thread alone; what is slow happens in a thread named `attribution`.
#[derive(Debug)]
pub struct Attribution {
    mode: Mode,
    thread: Option<Thread>,
    asked: HashMap<SocketEnd, Asked>,
    owners: Owners,
    /// Why nobody was known, by number.
    reasons: Vec<&'static str>,
    /// Questions since the thread was woken.
    unheard: usize,
    swept: Instant,
    /// Wall clock minus boot time at the last `poll`, nanoseconds.
    wall_offset: u64,
}

impl Attribution {
    /// Starts the thread. Call it before privileges are given up: the thread keeps for itself what reading other users'
    /// /proc/PID/fd needs (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH), if it is there, and gives up everything else. With
    /// [`Mode::Ebpf`] the kernel's other events are not read: its programs tell the same and more.
    pub fn start(mode: Mode) -> Self {
        let boot = Boot::read();
        let thread = match mode {
            Mode::Off => None,
            Mode::Auto | Mode::Ebpf | Mode::Proc => Thread::start(boot, mode)
                .inspect_err(|error| tracing::error!(%error, "owners of sockets are not looked up"))
                .ok(),
        };
        Self {
            mode,
            thread,
            asked: HashMap::new(),
            owners: Owners::new(boot),
            reasons: Vec::new(),
            unheard: 0,
            swept: Instant::now(),
            wall_offset: clocks::wall_offset(),
        }
    }

    /// Takes in what the thread has found out. True if there was something: ask again for what was [`Lookup::Later`].
    pub fn poll(&mut self) -> bool {
        self.wall_offset = clocks::wall_offset();
        self.wanted();
        self.sweep();
        let mut new = false;
        while let Some(answers) = self.next_answers() {
            new = true;
            for answer in answers {
                self.take(answer);
            }
        }
        new
    }

    /// As [`Self::lookup_since`] where it is not known when the flow began: no answer serves a second flow.
    pub fn lookup(&mut self, end: &SocketEnd) -> Lookup {
        self.look_up(end, None, None)
    }

    /// Who owns a flow's end. `began`: nanoseconds of the wall clock at the flow's first packet. With it a port that another
    /// program took meanwhile is never credited to that program, and a flow seen twice is looked up once.
    ///
    /// Ask each flow until it is not [`Lookup::Later`], and give up after three seconds: the owner is unknown then.
    pub fn lookup_since(&mut self, end: &SocketEnd, began: Option<u64>) -> Lookup {
        self.look_up(end, began, None)
    }

    /// The same of what came since the end's owner was found by the port of this socket. Where it is there no more
    /// [`Lookup::HeldUntil`] may say until when it was.
    pub fn lookup_again(&mut self, end: &SocketEnd, began: u64, hold: Option<PortHold>) -> Lookup {
        self.look_up(end, Some(began), hold)
    }

    fn look_up(&mut self, end: &SocketEnd, began: Option<u64>, hold: Option<PortHold>) -> Lookup {
        let Some(thread) = &self.thread else {
            return Lookup::Never(if self.mode == Mode::Off { SWITCHED_OFF } else { NO_THREAD });
        };
        if thread.ended {
            return Lookup::Never(THREAD_ENDED);
        }
        let began = began.map(|wall| wall.saturating_sub(self.wall_offset));
        if let Some(asked) = self.asked.get(end) {
            match (asked.order(began), &asked.answer) {
                (Order::Earlier, _) => return asked.earlier(),
                (Order::Same, None) => return Lookup::Later,
                (Order::Same, Some((_, lookup))) => {
                    let lookup = lookup.clone();
                    if began.is_none() {
                        self.asked.remove(end);
                    }
                    return lookup;
                }
                (Order::Later, _) => {}
            }
        }
        if self.asked.len() < MOST_ASKED && self.ask(Question::Owner { end: *end, began, hold }) {
            self.asked.insert(*end, Asked { since: Instant::now(), began, answer: None });
        }
        Lookup::Later
    }

    /// Whether it helps to be told of connections as soon as they begin.
    pub fn wants_connections(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.connections.is_some())
    }

    /// Where to tell of them; None where it does not help.
    pub fn connections(&self) -> Option<Connections> {
        self.thread.as_ref().and_then(|thread| thread.connections.clone())
    }

    /// New flows appeared: what was asked since is looked up soon. Does nothing when nothing was asked.
    pub fn wanted(&mut self) {
        if self.unheard == 0 {
            return;
        }
        if let Some(thread) = &self.thread
            && thread.wake.write(1).is_ok()
        {
            self.unheard = 0;
        }
    }

    /// What an owner is called, its quality as good as it can be: the row's is the match's. None: forgotten, or never told.
    pub fn process(&self, id: OwnerId) -> Option<Owner> {
        self.owners.owner(id)
    }

    /// The owners that a process was, under all its names.
    pub fn numbers_of(&self, pid: u32, started: Timestamp) -> Vec<OwnerId> {
        self.owners.numbers_of(pid, started)
    }

    /// The number that stands for nobody known, for this reason.
    pub fn unknown(&mut self, reason: &'static str) -> OwnerId {
        let place = self.reasons.iter().position(|known| *known == reason).or_else(|| {
            let is_room = self.reasons.len() < MOST_REASONS;
            is_room.then(|| self.reasons.push(reason)).map(|()| self.reasons.len() - 1)
        });
        let number = place.and_then(|place| u32::try_from(place).ok());
        number.map_or(OwnerId::UNKNOWN, |number| OwnerId(FIRST_REASON + number))
    }

    /// Why nobody is known, of a number that `unknown` gave; else empty.
    pub fn reason(&self, id: OwnerId) -> &'static str {
        if id == OwnerId::UNKNOWN {
            return NOT_YET;
        }
        let place = id.0.checked_sub(FIRST_REASON).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.reasons.get(place)).copied().unwrap_or_default()
    }

    /// Takes in a process that an event told of. The same process by another way has the same number. Its details are
    /// read at once if it still lives; until then they are what the event told.
    pub fn told(&mut self, news: OwnerNews) -> OwnerId {
        let (id, incomplete) = self.owners.told(&news);
        if let Some((pid, start)) = incomplete {
            self.ask(Question::Details { pid, start });
        }
        id
    }

    /// The grade of what stands in this part, and why.
    pub fn status(&self) -> health::Attribution {
        let (grade, reason) = match &self.thread {
            None if self.mode == Mode::Off => ("off", SWITCHED_OFF.to_owned()),
            None => ("off", NO_THREAD.to_owned()),
            Some(thread) => ("proc", thread.sources.describe()),
        };
        health::Attribution { grade: grade.to_owned(), reason }
    }

    /// What it cannot do here, and the way out.
    pub fn degraded(&self) -> Vec<Degraded> {
        let Some(thread) = &self.thread else { return Vec::new() };
        let mut reasons = thread.sources.missing();
        let unreadable = thread.tallies.unreadable.load(Ordering::Relaxed);
        if unreadable > 0 && thread.sources.reads_all {
            reasons.push(format!("{unreadable} processes may not be looked at (a security module, or another user namespace): their sockets stay unknown"));
        }
        reasons.into_iter().map(|reason| Degraded { part: "attribution".to_owned(), reason }).collect()
    }

    /// Counted since the start, by name.
    pub fn losses(&self) -> Losses {
        let Some(thread) = &self.thread else { return Losses::new() };
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let tallies = &thread.tallies;
        Losses::from([
            ("attribution_questions_lost".to_owned(), count(&tallies.questions)),
            ("attribution_searches_postponed".to_owned(), count(&tallies.postponed)),
            ("attribution_events_lost".to_owned(), count(&tallies.lost_events)),
            ("attribution_closings_lost".to_owned(), count(&tallies.lost_closings)),
            ("attribution_refused".to_owned(), count(&tallies.refused)),
            ("owners_forgotten".to_owned(), self.owners.forgotten),
        ])
    }

    fn ask(&mut self, question: Question) -> bool {
        let Some(thread) = &self.thread else { return false };
        let sent = thread.questions.try_send(question).is_ok();
        if !sent {
            thread.tallies.questions.fetch_add(1, Ordering::Relaxed);
        }
        self.unheard = self.unheard.saturating_add(1);
        sent
    }

    fn next_answers(&mut self) -> Option<Vec<Answer>> {
        let thread = self.thread.as_mut()?;
        match thread.answers.try_recv() {
            Ok(answers) => Some(answers),
            Err(std::sync::mpsc::TryRecvError::Empty) => None,
            Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                thread.ended = true;
                None
            }
        }
    }

    fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Owner { end, began, asked, verdict } => {
                let lookup = match verdict {
                    Verdict::Held { processes, quality, by: By::Addresses } => {
                        Lookup::Found(self.owners.of(&processes), quality)
                    }
                    Verdict::Held { processes, quality, by: By::Port(hold) } => {
                        Lookup::FoundForNow(self.owners.of(&processes), quality, hold)
                    }
                    Verdict::Until(at) => Lookup::HeldUntil(at.saturating_add(self.wall_offset)),
                    Verdict::Kernel => Lookup::Found(OwnerId::KERNEL, MatchQuality::Kernel),
                    Verdict::Nobody(reason) => Lookup::Never(reason),
                };
                // another flow of the same addresses may be asked for by now
                if let Some(open) = self.asked.get_mut(&end).filter(|open| open.began == began) {
                    open.since = Instant::now();
                    open.answer = Some((asked, lookup));
                }
            }
            Answer::Details(process) => self.owners.complete(&process),
            Answer::Executed(executed) => self.owners.executed(&executed),
            Answer::Gone(pid, start) => self.owners.gone(pid, start),
        }
    }

    /// Forgets answers that nobody fetches, and questions that were never heard.
    fn sweep(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.swept) < Duration::from_secs(1) {
            return;
        }
        self.swept = now;
        self.asked.retain(|_, asked| now.saturating_duration_since(asked.since) < ANSWER_HOLDS);
        self.owners.sweep();
    }
}

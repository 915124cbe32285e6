//! Finds the owners of flows that the worker does not know, and knows who each owner is.
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use shared::process::MatchQuality;
use weir_shared as shared;

use super::{Engine, TICK};
use crate::attribution::{Attribution, Directory, Lookup, OwnerId, OwnerNews, ebpf};
use crate::detect::ProcessFacts;
use crate::window::OpenEnd;
use crate::worker::owners::numbers::OwnerRecord;

/// A shorter tick says nothing about a rate.
const SHORTEST: Duration = Duration::from_millis(200);
/// An end that nobody was found for in this time stays unknown.
const PATIENCE: Duration = Duration::from_secs(3);
/// Where kernel programs tell who owns an end, they know better: so long it is theirs to say, and then nobody else's guess
/// has taken what came before.
const THEIRS_FIRST: Duration = Duration::from_millis(3_500);
/// Ends that are asked about every `ASKING`: a scan of this machine, whose flows no socket here belongs to, must not cost
/// more than the traffic.
const AT_ONCE: usize = 100;
/// Likewise where kernel programs have told what there is to tell: more at once, and rarely.
const AT_ONCE_BESIDE_PROGRAMS: usize = 200;
const ASKING_BESIDE_PROGRAMS: Duration = Duration::from_millis(500);
/// How often what is open is gone through although nothing was answered.
const PASS: Duration = Duration::from_millis(500);
/// How often answers are looked for while there are questions.
const ASKING: Duration = Duration::from_millis(50);
/// Ends that wait for an answer; one that comes beyond stays unknown, counted.
const MOST_OPEN: usize = 32_768;
const TOO_LATE: &str = "nobody was found to hold its socket in time";
const TOO_MANY: &str = "too many new flows at once to look all of them up";

/// Who owners are, and the ends that are being asked about.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) attribution: Attribution,
    pub(super) programs: ebpf::Outcome,
    /// What it would be if the worker read what they tell.
    loaded: ebpf::Outcome,
    /// Ends that came, and when.
    coming: VecDeque<(OpenEnd, Instant)>,
    /// Those that are asked about, and since when.
    open: VecDeque<(OpenEnd, Instant)>,
    asked: Instant,
    /// When all that is open was gone through.
    passed: Instant,
    /// When the last tick looked at what owners moved.
    looked: Option<Instant>,
    /// Ends that were not asked about.
    pub(super) unasked: u64,
}

impl Owners {
    pub(super) fn new(attribution: Attribution, programs: ebpf::Outcome) -> Self {
        let asked = Instant::now();
        Self {
            attribution,
            loaded: programs.clone(),
            programs,
            coming: VecDeque::new(),
            open: VecDeque::new(),
            asked,
            passed: asked,
            looked: None,
            unasked: 0,
        }
    }

    /// Whether connections are to be told as soon as they begin: where nothing else says who begins them.
    pub(super) fn wants_connections(&self) -> bool {
        !self.programs.at_work && self.attribution.wants_connections()
    }

    /// Takes in whether a new worker reads what kernel programs tell; `error` is empty where it does. True: that has changed.
    pub(super) fn worker_reads(&mut self, error: String) -> bool {
        let before = self.programs.at_work;
        self.programs = self.loaded.as_read(&error);
        if before && !self.programs.at_work {
            tracing::warn!(error, "the capture worker cannot read what kernel programs tell of owners");
        }
        before != self.programs.at_work
    }

    /// How soon answers are to be looked for; None where nothing was asked.
    pub(super) fn patience(&self) -> Option<Duration> {
        (!self.open.is_empty()).then(|| self.pace())
    }

    fn pace(&self) -> Duration {
        if self.programs.at_work { ASKING_BESIDE_PROGRAMS } else { ASKING }
    }
}

impl Engine {
    pub(super) fn directory(&self) -> &dyn Directory {
        &self.owners.attribution
    }

    /// What the worker's numbers mean.
    pub(super) fn owners_told(&mut self, owners: Vec<OwnerRecord>) {
        for owner in owners {
            let id = self.owners.attribution.told(OwnerNews {
                pid: owner.pid,
                start: owner.start,
                exec: owner.exec,
                uid: owner.user,
                cgroup: owner.cgroup,
                comm: owner.name.into(),
                executable: owner.executable.into(),
                command_line: owner.command_line.into(),
            });
            self.traffic.owner_told(owner.number, id);
        }
    }

    /// Asks about ends that are new, and gives those that were answered their owner.
    pub(super) fn find_owners(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.owners.asked) < self.owners.pace() {
            return;
        }
        self.owners.asked = now;
        let answered = self.owners.attribution.poll();
        self.take_open_ends(now);
        let added = self.ask_what_is_left(now);
        let due = now.saturating_duration_since(self.owners.passed) >= PASS;
        if self.owners.open.is_empty() || !(answered || added || due) {
            return;
        }
        self.owners.passed = now;
        for _ in 0..self.owners.open.len() {
            let Some((end, since)) = self.owners.open.pop_front() else { break };
            if !self.traffic.is_open(&end) {
                continue;
            }
            match self.owners.attribution.lookup_again(&end.end, end.began, end.hold) {
                Lookup::Found(owner, quality) => self.traffic.assign(&end, owner, quality),
                Lookup::FoundForNow(owner, quality, hold) => {
                    self.traffic.assign_for_now(&end, (owner, quality), hold);
                }
                Lookup::HeldUntil(until) => self.traffic.assign_until(&end, until),
                Lookup::Never(reason) => self.nobody(&end, reason),
                Lookup::Later if now.saturating_duration_since(since) >= PATIENCE => {
                    self.nobody(&end, TOO_LATE);
                }
                Lookup::Later => self.owners.open.push_back((end, since)),
            }
        }
        self.owners.attribution.wanted();
    }

    fn take_open_ends(&mut self, now: Instant) {
        for end in self.traffic.take_open_ends() {
            if self.owners.coming.len() < MOST_OPEN {
                self.owners.coming.push_back((end, now));
            } else {
                self.owners.unasked = self.owners.unasked.saturating_add(1);
                self.nobody(&end, TOO_MANY);
            }
        }
    }

    /// Ends that kernel programs had their time for, or all where there are none. True: there are some.
    fn ask_what_is_left(&mut self, now: Instant) -> bool {
        let (theirs, mut left) = if self.owners.programs.at_work {
            (THEIRS_FIRST, AT_ONCE_BESIDE_PROGRAMS)
        } else {
            (Duration::ZERO, AT_ONCE)
        };
        let mut added = false;
        while let Some((end, since)) = self.owners.coming.pop_front() {
            let waited = now.saturating_duration_since(since);
            // of a namespace behind this machine kernel programs tell everything
            let is_theirs = self.owners.programs.at_work && end.end.is_forwarded;
            if is_theirs || !self.traffic.is_open(&end) {
                continue;
            }
            if waited >= theirs + PATIENCE {
                self.owners.unasked = self.owners.unasked.saturating_add(1);
                self.nobody(&end, TOO_MANY);
            } else if waited >= theirs && left > 0 {
                left -= 1;
                self.owners.open.push_back((end, now));
                added = true;
            } else {
                self.owners.coming.push_front((end, since));
                break;
            }
        }
        added
    }

    fn nobody(&mut self, end: &OpenEnd, reason: &'static str) {
        if end.end.is_forwarded {
            return; // it passes through, as is believed
        }
        let owner = self.owners.attribution.unknown(reason);
        self.traffic.assign(end, owner, MatchQuality::Unknown);
    }

    /// What each process moved since the last tick; those over the threshold are marked and told.
    pub(super) fn processes(&mut self) -> Vec<ProcessFacts> {
        let elapsed = self.owners.looked.replace(Instant::now()).map(|looked| looked.elapsed());
        let seconds = elapsed.map_or(1, |elapsed| (elapsed + TICK / 2).as_secs());
        let recent = self.traffic.take_recent(seconds);
        let Some(elapsed) = elapsed.filter(|elapsed| *elapsed >= SHORTEST) else { return Vec::new() };
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(1_000).max(1);
        let rate = |bytes: u64| bytes.saturating_mul(1_000) / millis;
        let mut over = HashSet::new();
        let mut processes = Vec::new();
        for (owner, moved) in recent.into_iter().filter(|(owner, _)| *owner >= OwnerId::FIRST_PROCESS) {
            let mut facts = ProcessFacts {
                received_bytes_per_second: rate(moved.rx.bytes),
                sent_bytes_per_second: rate(moved.tx.bytes),
                ..ProcessFacts::default()
            };
            if !facts.is_over(self.process_threshold) {
                continue; // who they are costs a look-up each
            }
            let known = self.directory().owner(owner);
            facts.name = known.name;
            facts.pid = known.pid.unwrap_or(0);
            over.insert(owner);
            processes.push(facts);
        }
        self.traffic.mark_over(over);
        processes
    }
}

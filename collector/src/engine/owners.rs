//! Finds the owners of flows that the worker does not know, and knows who each owner is.
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use shared::process::MatchQuality;
use weir_shared as shared;

use super::Engine;
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
/// How often answers are looked for while there are questions.
pub(super) const ASKING: Duration = Duration::from_millis(50);
/// Ends that wait for an answer; one that comes beyond stays unknown, counted.
const MOST_OPEN: usize = 32_768;
const TOO_LATE: &str = "nobody was found to hold its socket in time";
const TOO_MANY: &str = "too many new flows at once to look all of them up";

/// Who owners are, and the ends that are being asked about.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) attribution: Attribution,
    pub(super) programs: ebpf::Outcome,
    open: VecDeque<(OpenEnd, Instant)>,
    asked: Instant,
    /// When the last tick looked at what owners moved.
    looked: Option<Instant>,
    /// Ends that were not asked about.
    pub(super) unasked: u64,
}

impl Owners {
    pub(super) fn new(attribution: Attribution, programs: ebpf::Outcome) -> Self {
        let asked = Instant::now();
        Self { attribution, programs, open: VecDeque::new(), asked, looked: None, unasked: 0 }
    }

    pub(super) fn is_asking(&self) -> bool {
        !self.open.is_empty()
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
        if now.saturating_duration_since(self.owners.asked) < ASKING {
            return;
        }
        self.owners.asked = now;
        for end in self.traffic.take_open_ends() {
            if self.owners.open.len() < MOST_OPEN {
                self.owners.open.push_back((end, now));
            } else {
                self.owners.unasked = self.owners.unasked.saturating_add(1);
                self.nobody(&end, TOO_MANY);
            }
        }
        if self.owners.open.is_empty() {
            return;
        }
        self.owners.attribution.poll();
        let patience = if self.owners.programs.at_work { THEIRS_FIRST + PATIENCE } else { PATIENCE };
        for _ in 0..self.owners.open.len() {
            let Some((end, since)) = self.owners.open.pop_front() else { break };
            if !self.traffic.is_open(&end) {
                continue;
            }
            let waited = now.saturating_duration_since(since);
            if self.owners.programs.at_work && waited < THEIRS_FIRST {
                self.owners.open.push_back((end, since));
                continue;
            }
            match self.owners.attribution.lookup_since(&end.end, Some(end.began)) {
                Lookup::Found(owner, quality) => self.traffic.assign(&end, owner, quality),
                Lookup::Never(reason) => self.nobody(&end, reason),
                Lookup::Later if waited >= patience => self.nobody(&end, TOO_LATE),
                Lookup::Later => self.owners.open.push_back((end, since)),
            }
        }
        self.owners.attribution.wanted();
    }

    fn nobody(&mut self, end: &OpenEnd, reason: &'static str) {
        let owner = self.owners.attribution.unknown(reason);
        self.traffic.assign(end, owner, MatchQuality::Unknown);
    }

    /// What each process moved since the last tick; those over the threshold are marked and told.
    pub(super) fn processes(&mut self) -> Vec<ProcessFacts> {
        let elapsed = self.owners.looked.replace(Instant::now()).map(|looked| looked.elapsed());
        let recent = self.traffic.take_recent_of_owners();
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

//! Finds the owners of flows that the worker does not know, and knows who each owner is.
use std::time::{Duration, Instant};

use hashbrown::HashSet;

use super::Engine;
use crate::attribution::{Directory, Nobody, OwnerId};
use crate::detect::ProcessFacts;

/// A shorter tick says nothing about a rate.
const SHORTEST: Duration = Duration::from_millis(200);

/// Who owners are.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// When the last tick looked at what they moved.
    looked: Option<Instant>,
    pub(super) directory: Nobody,
}

impl Engine {
    /// What each process moved since the last tick; those over the threshold are marked.
    pub(super) fn processes(&mut self) -> Vec<ProcessFacts> {
        let elapsed = self.owners.looked.replace(Instant::now()).map(|looked| looked.elapsed());
        let recent = self.traffic.take_recent_of_owners();
        let Some(elapsed) = elapsed.filter(|elapsed| *elapsed >= SHORTEST) else { return Vec::new() };
        let rate = |bytes: u64| {
            bytes.saturating_mul(1_000) / u64::try_from(elapsed.as_millis()).unwrap_or(1_000).max(1)
        };
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

    pub(super) fn directory(&self) -> &dyn Directory {
        &self.owners.directory
    }
}

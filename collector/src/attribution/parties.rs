//! Who began which connection, as it was seen when it began (`early`), until its flow is asked for.
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SocketEnd;
use super::clocks::SECOND;
use super::processes::Process;

/// Connections that are remembered, and for how long.
const MOST_REMEMBERED: usize = 4_096;
const REMEMBERED: Duration = Duration::from_secs(5);
/// Two stamps of one packet.
const SAME_PACKET: u64 = 2 * SECOND / 1_000;

#[derive(Debug)]
struct Party {
    end: SocketEnd,
    /// Nanoseconds since boot.
    began: u64,
    noted: Instant,
    process: Arc<Process>,
}

#[derive(Debug, Default)]
pub(super) struct Parties {
    in_order: VecDeque<Party>,
    /// How many there are of each end.
    ends: HashMap<SocketEnd, usize>,
}

impl Parties {
    pub(super) fn remember(&mut self, end: SocketEnd, began: u64, process: Arc<Process>) {
        let now = Instant::now();
        let is_old = |party: &Party| now.saturating_duration_since(party.noted) >= REMEMBERED;
        while self.in_order.len() >= MOST_REMEMBERED || self.in_order.front().is_some_and(is_old) {
            let Some(old) = self.in_order.pop_front() else { break };
            if let Some(left) = self.ends.get_mut(&old.end) {
                *left -= 1;
                if *left == 0 {
                    self.ends.remove(&old.end);
                }
            }
        }
        *self.ends.entry(end).or_default() += 1;
        self.in_order.push_back(Party { end, began, noted: now, process });
    }

    /// Who began the connection that began then.
    pub(super) fn of(&self, end: &SocketEnd, began: Option<u64>) -> Option<Arc<Process>> {
        let began = began.filter(|_| self.ends.contains_key(end))?;
        let same = |party: &&Party| party.end == *end && party.began.abs_diff(began) <= SAME_PACKET;
        self.in_order.iter().rev().find(same).map(|party| Arc::clone(&party.process))
    }
}

#[cfg(test)]
mod tests {
    use super::super::processes::Identity;
    use super::*;

    fn end(port: u16) -> SocketEnd {
        let here = std::net::IpAddr::from([127, 0, 0, 1]);
        SocketEnd {
            protocol: 6,
            local: (here, port),
            remote: (here, 80),
            is_initiator: true,
            is_forwarded: false,
        }
    }

    fn process(pid: u32) -> Arc<Process> {
        Arc::new(Process::dead(Identity { pid, start: 1, name: "x".to_owned() }))
    }

    #[test]
    fn the_second_connection_of_the_same_addresses_has_its_own_party() {
        let mut parties = Parties::default();
        parties.remember(end(5000), 10 * SECOND, process(1));
        parties.remember(end(5000), 11 * SECOND, process(2));
        let of = |end, began| parties.of(&end, began).map(|process| process.identity.pid);
        assert_eq!(of(end(5000), Some(10 * SECOND + 1)), Some(1));
        assert_eq!(of(end(5000), Some(11 * SECOND)), Some(2));
        assert_eq!(of(end(5000), Some(10 * SECOND + SECOND / 2)), None);
        assert_eq!(of(end(5000), None), None);
        assert_eq!(of(end(5001), Some(10 * SECOND)), None);
    }

    #[test]
    fn no_more_are_remembered_than_the_bound() {
        let mut parties = Parties::default();
        for port in 0..u16::try_from(MOST_REMEMBERED).unwrap() + 10 {
            parties.remember(end(port), SECOND, process(1));
        }
        assert_eq!((parties.in_order.len(), parties.ends.len()), (MOST_REMEMBERED, MOST_REMEMBERED));
        assert!(parties.of(&end(0), Some(SECOND)).is_none());
    }
}

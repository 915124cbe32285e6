//! Owners of all interfaces: who moves what now, who moved what since the start or in the session, and who is not known.
use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};
use weir_shared::process::{MatchQuality, Owner, OwnerRow};
use weir_shared::report::{Others, Ranked, RxTx};

use super::interface::Interface;
use super::owners::{Account, NO_SESSION, Share};
use super::{OpenEnd, Traffic, hosts, minus, plus, rank};
use crate::attribution::{Directory, OwnerId};

/// Who moved something within so many nanoseconds is active.
const RECENT: u64 = 5_000_000_000;

/// Which owners a list is of.
#[derive(Clone, Copy, Debug)]
pub struct OwnerQuery<'a> {
    /// Empty: over interfaces.
    pub interface: &'a str,
    /// Part of a name, executable, user, unit or container, or a whole pid.
    pub search: &'a str,
    /// Since the running session began, not since the start.
    pub of_session: bool,
    pub rows: usize,
}

/// Numbers of the worker's whose meaning is kept; it remembers half as many itself.
const MOST_TOLD: usize = 131_072;

/// The IANA number of a protocol, source and destination of a packet.
pub type Tuple = (u8, (IpAddr, u16), (IpAddr, u16));
/// Who holds a socket, and how that is known.
pub type Held = (OwnerId, MatchQuality);

/// One owner's account over interfaces, and its rate.
#[derive(Clone, Debug)]
struct Joined {
    owner: OwnerId,
    account: Account,
    per_second: RxTx,
}

impl Traffic {
    /// What a number of the worker's means from now on.
    pub fn owner_told(&mut self, number: u32, owner: OwnerId) {
        self.owning.marks.insert(number, owner);
        if self.owning.marks.len() > MOST_TOLD {
            // numbers rise, and the worker has long forgotten the lower half
            let oldest = number.saturating_sub(u32::try_from(MOST_TOLD / 2).unwrap_or(u32::MAX));
            self.owning.marks.retain(|number, _| *number > oldest);
        }
    }

    /// Numbers of a worker that is gone mean nothing any more.
    pub fn forget_told_owners(&mut self) {
        self.owning.marks.clear();
    }

    /// Ends of flows that came since the last call and whose owner nobody knows.
    pub fn take_open_ends(&mut self) -> Vec<OpenEnd> {
        self.captures.iter_mut().flat_map(|(id, capture)| capture.take_open_ends(*id)).collect()
    }

    /// Whether the end still waits for its owner.
    pub fn is_open(&self, end: &OpenEnd) -> bool {
        let flow = self.captures.get(&end.capture).and_then(|capture| capture.mirror.get(end.slot));
        flow.is_some_and(|flow| {
            flow.generation == end.generation && flow.sides.get(end.side).is_some_and(Option::is_none)
        })
    }

    /// The owner of an end was found. What it moved in the open window, and before as far as that is kept, is its own.
    pub fn assign(&mut self, end: &OpenEnd, owner: OwnerId, quality: MatchQuality) {
        let Some(capture) = self.captures.get_mut(&end.capture) else { return };
        let Some(interface) = self.interfaces.get_mut(&capture.name) else { return };
        capture.assign(interface, end, (owner, quality), self.owning.session);
    }

    /// Fills in who holds the ends of these flows, as far as it is known: source's, then destination's.
    pub fn owners_of(&self, capture: u16, wanted: &mut HashMap<Tuple, [Option<Held>; 2]>) {
        let Some(capture) = self.captures.get(&capture) else { return };
        let slots = capture.mirror.active.iter().flatten();
        for flow in slots.filter_map(|slot| capture.mirror.get(*slot)) {
            let identity = &flow.identity;
            let initiator = (identity.initiator, identity.initiator_port);
            let responder = (identity.responder, identity.responder_port);
            let [of_initiator, of_responder] = flow.sides;
            if let Some(found) = wanted.get_mut(&(identity.protocol, initiator, responder)) {
                *found = [of_initiator, of_responder];
            }
            if let Some(found) = wanted.get_mut(&(identity.protocol, responder, initiator)) {
                *found = [of_responder, of_initiator];
            }
        }
    }

    /// A session begins with nothing.
    pub fn begin_session(&mut self) {
        self.owning.last_session += 1;
        self.owning.session = self.owning.last_session;
        for capture in self.captures.values_mut() {
            capture.mirror.forget_shares();
        }
    }

    /// From now on owners move nothing of a session.
    pub fn end_session(&mut self) {
        self.owning.session = NO_SESSION;
    }

    /// What each owner moved since the last call, over the interfaces that count.
    pub fn take_recent_of_owners(&mut self) -> HashMap<OwnerId, RxTx> {
        let mut recent: HashMap<OwnerId, RxTx> = HashMap::new();
        for interface in self.interfaces.values_mut() {
            let counts = interface.in_owner_totals;
            for (owner, moved) in interface.owners.take_recent().filter(|_| counts) {
                *recent.entry(owner).or_default() += moved;
            }
        }
        recent
    }

    /// Whose rows say that they are over the bandwidth threshold, until the next call.
    pub fn mark_over(&mut self, owners: HashSet<OwnerId>) {
        self.owning.over = owners;
    }

    /// Owners that moved something lately.
    pub fn active_owners(&self) -> usize {
        let now = self.now();
        let active =
            self.counted("").flat_map(|(_, interface)| interface.owners.iter()).filter(|(owner, account)| {
                *owner >= OwnerId::FIRST_PROCESS && account.last_seen.saturating_add(RECENT) >= now
            });
        active.map(|(owner, _)| owner).collect::<HashSet<_>>().len()
    }

    /// Those that move most now, then those that moved most; of an interface, or over interfaces ("").
    pub fn live_owners(&self, interface: &str, rows: usize, directory: &dyn Directory) -> Ranked<OwnerRow> {
        let mut all = self.joined(interface);
        let whole = self.whole(interface, &all);
        rank::first(&mut all, rows, |a, b| {
            let by_rate = hosts::bytes(&b.per_second).cmp(&hosts::bytes(&a.per_second));
            by_rate.then_with(|| order(a, b, |account| account.total.traffic))
        });
        let list = self.owner_rows(&all, interface, directory, |account| account.total);
        ranked(list, whole)
    }

    /// By bytes, the dead included.
    pub fn owners(&self, query: &OwnerQuery<'_>, directory: &dyn Directory) -> Ranked<OwnerRow> {
        let session = self.owning.session;
        let part =
            |account: &Account| if query.of_session { account.in_session(session) } else { account.total };
        let mut all = self.joined(query.interface);
        all.retain(|joined| !part(&joined.account).traffic.is_zero());
        let mut whole = self.whole(query.interface, &all);
        if query.of_session {
            let forgotten = self.counted(query.interface).map(|(_, interface)| interface.owners.forgotten());
            let forgotten: u64 = forgotten.map(|forgotten| forgotten.in_session(session).0).sum();
            whole = Others { rows: all.len() as u64 + forgotten, traffic: whole.session_traffic, ..whole };
        }
        if !query.search.is_empty() {
            let search = query.search.to_lowercase();
            all.retain(|joined| is_meant(&directory.owner(joined.owner), &search));
        }
        rank::first(&mut all, query.rows, |a, b| order(a, b, |account| part(account).traffic));
        let list = self.owner_rows(&all, query.interface, directory, part);
        ranked(list, whole)
    }

    /// All owners, those that are kept no more included.
    fn whole(&self, interface: &str, all: &[Joined]) -> Others {
        let session = self.owning.session;
        let mut whole = Others { rows: all.len() as u64, ..Others::default() };
        for Joined { account, .. } in all {
            whole.traffic += account.total.traffic;
            whole.session_traffic += account.in_session(session).traffic;
        }
        for (_, interface) in self.counted(interface) {
            let forgotten = interface.owners.forgotten();
            whole.rows += forgotten.rows;
            whole.traffic += forgotten.total;
            whole.session_traffic += forgotten.in_session(session).1;
        }
        whole
    }

    fn owner_rows(
        &self,
        all: &[Joined],
        interface: &str,
        directory: &dyn Directory,
        part: impl Fn(&Account) -> Share,
    ) -> Vec<OwnerRow> {
        let row = |joined: &Joined| {
            let share = part(&joined.account);
            let session = self.owning.session;
            let mut row = joined.account.row(
                (interface, joined.owner),
                (&share, joined.per_second),
                session,
                directory,
            );
            row.over_threshold = self.owning.over.contains(&joined.owner);
            row
        };
        all.iter().map(row).collect()
    }

    fn joined(&self, interface: &str) -> Vec<Joined> {
        let now = self.now();
        let mut all: HashMap<OwnerId, Joined> = HashMap::new();
        for (_, interface) in self.counted(interface) {
            // whoever had it all taken away again, since its owner was found, had nothing
            let owners = interface.owners.iter();
            for (owner, account) in owners.filter(|(_, account)| !account.total.traffic.is_zero()) {
                let per_second = account.rate.at(now);
                match all.get_mut(&owner) {
                    Some(joined) => {
                        joined.account.join(account, self.owning.session);
                        joined.per_second += per_second;
                    }
                    None => {
                        let account = account.clone();
                        all.insert(owner, Joined { owner, account, per_second });
                    }
                }
            }
        }
        all.into_values().collect()
    }

    /// The named interface, or those whose owners count in lists over interfaces.
    fn counted<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a String, &'a Interface)> {
        self.interfaces.iter().filter(move |(own, interface)| {
            if name.is_empty() { interface.in_owner_totals } else { own.as_str() == name }
        })
    }

    /// The latest time that any capture has come to.
    fn now(&self) -> u64 {
        self.captures.values().map(|capture| capture.time).max().unwrap_or_default()
    }
}

fn order(a: &Joined, b: &Joined, traffic: impl Fn(&Account) -> RxTx) -> std::cmp::Ordering {
    let by_bytes = hosts::bytes(&traffic(&b.account)).cmp(&hosts::bytes(&traffic(&a.account)));
    by_bytes.then_with(|| a.owner.cmp(&b.owner))
}

/// `whole`: what the rows are the first of.
fn ranked(rows: Vec<OwnerRow>, whole: Others) -> Ranked<OwnerRow> {
    let shown = |part: fn(&OwnerRow) -> RxTx| rows.iter().map(part).fold(RxTx::default(), plus);
    let others = Others {
        rows: whole.rows.saturating_sub(rows.len() as u64),
        traffic: minus(whole.traffic, shown(|row| row.traffic)),
        session_traffic: minus(whole.session_traffic, shown(|row| row.session_traffic)),
    };
    Ranked { rows, others }
}

/// Whether `search`, in lower case, is its whole pid or part of one of its texts.
pub fn is_meant(owner: &Owner, search: &str) -> bool {
    let texts = [&owner.name, &owner.executable, &owner.user, &owner.unit, &owner.container];
    owner.pid.is_some_and(|pid| pid.to_string() == search)
        || texts.iter().any(|text| text.to_lowercase().contains(search))
}

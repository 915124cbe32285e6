//! Owners of all interfaces: who moves what now, who moved what since the start or in the session, and who is not known.
use hashbrown::{HashMap, HashSet};
use weir_shared::process::{MatchQuality, Owner, OwnerRow};
use weir_shared::report::{Others, Ranked, RxTx};

use super::interface::{Capture, Interface};
use super::owners::{Account, NO_SESSION, Share};
use super::{OpenEnd, Traffic, hosts, minus, plus, rank};
use crate::attribution::{Directory, OwnerId, PortHold};
use crate::flows::record::FlowIdentity;
use crate::worker::packets::LineFlow;

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

/// Who holds a socket, and how that is known.
pub type Held = (OwnerId, MatchQuality);

/// What one owner moved, over interfaces.
#[derive(Clone, Copy, Debug)]
struct Joined {
    owner: OwnerId,
    total: RxTx,
    of_session: RxTx,
    per_second: RxTx,
    last_seen: u64,
}

/// Owners of a live view.
#[derive(Debug)]
pub struct LiveOwners {
    pub list: Ranked<OwnerRow>,
    /// How many processes moved something lately.
    pub active: usize,
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
            flow.generation == end.generation
                && flow.sides.get(end.side).is_some_and(Option::is_none)
                && !flow.is_sent_from_here()
        })
    }

    /// The owner of an end was found. What it moved in the open window, and before as far as that is kept, is its own.
    pub fn assign(&mut self, end: &OpenEnd, owner: OwnerId, quality: MatchQuality) {
        let Some((capture, interface, session)) = self.place_of(end) else { return };
        capture.assign(interface, end, (owner, quality), session);
    }

    /// The owner of an end was found by a port that another program may take next: what came since the same one was found
    /// there is its own, and of what comes it will be asked again. `hold`: the socket, where it is alone there.
    pub fn assign_for_now(
        &mut self,
        end: &OpenEnd,
        (owner, quality): (OwnerId, MatchQuality),
        hold: Option<PortHold>,
    ) {
        let Some((capture, interface, session)) = self.place_of(end) else { return };
        capture.assign_for_now(interface, end, ((owner, quality), hold), session);
    }

    /// The socket that an end was asked with had the port until then, nanoseconds of the timeline, and nobody else since
    /// it was found there.
    pub fn assign_until(&mut self, end: &OpenEnd, until: u64) {
        let Some((capture, interface, session)) = self.place_of(end) else { return };
        capture.assign_until(interface, end, until, session);
    }

    fn place_of(&mut self, end: &OpenEnd) -> Option<(&mut Capture, &mut Interface, u64)> {
        let capture = self.captures.get_mut(&end.capture)?;
        let interface = self.interfaces.get_mut(&capture.name)?;
        Some((capture, interface, self.owning.session))
    }

    /// Who holds the ends of a packet's flow, as far as it is known: the source's, then the destination's. None: the flow
    /// was not told yet, or is gone.
    pub fn holders_of(&self, line: &LineFlow) -> Option<[Option<Held>; 2]> {
        let flow = self.captures.get(&line.id)?.mirror.get(line.slot)?;
        if flow.generation != line.generation {
            return None;
        }
        let [of_initiator, of_responder] = flow.holders();
        let FlowIdentity { initiator, initiator_port, responder, .. } = flow.identity;
        let (address, port) = line.source;
        // an echo has no ports, but an identifier in their place
        let is_initiators = address == initiator && (initiator != responder || port == initiator_port);
        Some(if is_initiators { [of_initiator, of_responder] } else { [of_responder, of_initiator] })
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

    /// What each owner moved since the last call, so many seconds ago, over the interfaces that count. Rates of owners and
    /// hosts go by what is taken here.
    pub fn take_recent(&mut self, seconds: u64) -> HashMap<OwnerId, RxTx> {
        self.look = self.look.next(seconds);
        let mut recent: HashMap<OwnerId, RxTx> = HashMap::new();
        for interface in self.interfaces.values_mut() {
            interface.hosts.look(self.look);
            let counts = interface.in_owner_totals;
            for (owner, moved) in interface.owners.take_recent(self.look).filter(|_| counts) {
                *recent.entry(owner).or_default() += moved;
            }
        }
        recent
    }

    /// Whose rows say that they are over the bandwidth threshold, until the next call.
    pub fn mark_over(&mut self, owners: HashSet<OwnerId>) {
        self.owning.over = owners;
    }

    /// Those that move most now, then those that moved most; of an interface, or over interfaces ("").
    pub fn live_owners(&self, interface: &str, rows: usize, directory: &dyn Directory) -> LiveOwners {
        let mut all = self.joined(interface);
        let (whole, now) = (self.whole(interface, &all), self.now());
        let is_active = |joined: &&Joined| {
            joined.owner >= OwnerId::FIRST_PROCESS && joined.last_seen.saturating_add(RECENT) >= now
        };
        let active = all.iter().filter(is_active).count();
        rank::first(&mut all, rows, |a, b| {
            let by_rate = hosts::bytes(&b.per_second).cmp(&hosts::bytes(&a.per_second));
            by_rate.then_with(|| order(a, b, |joined| joined.total))
        });
        let list = self.owner_rows(&all, interface, directory, |account| account.total);
        LiveOwners { list: ranked(list, whole), active }
    }

    /// What of an interface's captured bytes, since the start, has an owner who is known.
    pub fn attributed_bytes(&self, interface: &str) -> u64 {
        self.interfaces.get(interface).map_or(0, |interface| interface.owners.attributed_bytes())
    }

    /// By bytes, the dead included.
    pub fn owners(&self, query: &OwnerQuery<'_>, directory: &dyn Directory) -> Ranked<OwnerRow> {
        let session = self.owning.session;
        let moved = |joined: &Joined| if query.of_session { joined.of_session } else { joined.total };
        let mut all = self.joined(query.interface);
        all.retain(|joined| !moved(joined).is_zero());
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
        rank::first(&mut all, query.rows, |a, b| order(a, b, moved));
        let list = self.owner_rows(&all, query.interface, directory, |account| {
            if query.of_session { account.in_session(session) } else { account.total }
        });
        ranked(list, whole)
    }

    /// All owners, those that are kept no more included.
    fn whole(&self, interface: &str, all: &[Joined]) -> Others {
        let session = self.owning.session;
        let mut whole = Others { rows: all.len() as u64, ..Others::default() };
        for joined in all {
            whole.traffic += joined.total;
            whole.session_traffic += joined.of_session;
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
        let session = self.owning.session;
        let row = |joined: &Joined| {
            let account = self.account(interface, joined.owner)?;
            let shown = (&part(&account), joined.per_second);
            let row = account.row((interface, joined.owner), shown, session, directory);
            Some(OwnerRow { over_threshold: self.owning.over.contains(&joined.owner), ..row })
        };
        all.iter().filter_map(row).collect()
    }

    /// Over the counted interfaces.
    fn account(&self, interface: &str, owner: OwnerId) -> Option<Account> {
        let mut accounts = self.counted(interface).filter_map(|(_, interface)| interface.owners.get(owner));
        let mut account = accounts.next()?.clone();
        accounts.for_each(|other| account.join(other, self.owning.session));
        Some(account)
    }

    fn joined(&self, interface: &str) -> Vec<Joined> {
        let (now, session) = (self.look.time(), self.owning.session);
        let mut all: HashMap<OwnerId, Joined> = HashMap::new();
        for (_, interface) in self.counted(interface) {
            // whoever had it all taken away again, since its owner was found, had nothing
            let owners = interface.owners.iter();
            for (owner, account) in owners.filter(|(_, account)| !account.total.traffic.is_zero()) {
                let nothing = RxTx::default();
                let joined = all.entry(owner).or_insert(Joined {
                    owner,
                    total: nothing,
                    of_session: nothing,
                    per_second: nothing,
                    last_seen: 0,
                });
                joined.total += account.total.traffic;
                joined.of_session += account.in_session(session).traffic;
                joined.per_second += account.rate.at(now);
                joined.last_seen = joined.last_seen.max(account.last_seen);
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

fn order(a: &Joined, b: &Joined, moved: impl Fn(&Joined) -> RxTx) -> std::cmp::Ordering {
    let by_bytes = hosts::bytes(&moved(b)).cmp(&hosts::bytes(&moved(a)));
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

//! What each owner moved on one interface since the start, and in the open window.
use hashbrown::HashMap;
use weir_shared::process::{MatchQuality, OwnerRow};
use weir_shared::report::{Others, Ranked, RxTx};

use super::rate::{Look, Rate};
use super::{count, hosts, plus, rank, rate, timestamp};
use crate::attribution::{Directory, OwnerId};
use crate::flows::protocols::Protocols;
use crate::flows::record::Tally;

/// Growth of one end's owner: what its socket received and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub traffic: RxTx,
    /// Bytes above the transport header, received and sent.
    pub payload: [u64; 2],
}

impl Share {
    /// Of the initiator's side of a flow; the responder's is the other way round.
    pub(super) fn of(received: Tally, sent: Tally, payload: [u64; 2]) -> Self {
        Self { traffic: RxTx { rx: count(received), tx: count(sent) }, payload }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.traffic += other.traffic;
        for (sum, part) in self.payload.iter_mut().zip(other.payload) {
            *sum = sum.saturating_add(part);
        }
    }

    /// The same as the other end of the flow has it.
    pub(super) fn mirrored(&self) -> Self {
        let [received, sent] = self.payload;
        Self { traffic: RxTx { rx: self.traffic.tx, tx: self.traffic.rx }, payload: [sent, received] }
    }

    pub(super) fn take(&mut self, other: &Self) {
        self.traffic = super::minus(self.traffic, other.traffic);
        for (sum, part) in self.payload.iter_mut().zip(other.payload) {
            *sum = sum.saturating_sub(part);
        }
    }
}

/// One owner's account on one interface.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub total: Share,
    /// Of the window numbered `window`.
    pub grown: Share,
    pub window: u64,
    /// Of the session numbered `session`; see `in_session`.
    of_session: Share,
    session: u64,
    /// Since the engine looked last.
    pub recent: RxTx,
    /// By looks.
    pub rate: Rate,
    pub first_seen: u64,
    pub last_seen: u64,
    pub protocols: Protocols,
    /// The weakest of its parts.
    pub quality: MatchQuality,
}

/// When, and by what, an account grew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub window: u64,
    pub session: u64,
    pub first_seen: u64,
    pub last_seen: u64,
    pub protocols: Protocols,
    /// So much of it is in live figures already.
    pub ahead: RxTx,
    /// The rest came in over so many seconds.
    pub seconds: u64,
}

/// A session's number where none runs.
pub(super) const NO_SESSION: u64 = 0;

/// What accounts held that are kept no more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forgotten {
    pub rows: u64,
    pub total: RxTx,
    /// Of the session numbered `session`.
    of_session: RxTx,
    rows_of_session: u64,
    session: u64,
}

impl Forgotten {
    fn add(&mut self, account: &Account) {
        self.rows += 1;
        self.total += account.total.traffic;
        if self.session < account.session {
            (self.of_session, self.rows_of_session, self.session) = (RxTx::default(), 0, account.session);
        }
        if self.session == account.session {
            self.of_session += account.of_session.traffic;
            self.rows_of_session += 1;
        }
    }

    /// Rows, and what they moved in the session.
    pub(super) fn in_session(&self, session: u64) -> (u64, RxTx) {
        let of_it = session != NO_SESSION && self.session == session;
        if of_it { (self.rows_of_session, self.of_session) } else { (0, RxTx::default()) }
    }
}

/// Accounts by owner. Past the bound those that rested longest make room; their sums join the others.
#[derive(Debug, Default)]
pub(super) struct Owners {
    accounts: HashMap<OwnerId, Account>,
    forgotten: Forgotten,
    attributed_bytes: u64,
}

const MOST_ACCOUNTS: usize = 16_384;

impl Owners {
    pub(super) fn iter(&self) -> impl Iterator<Item = (OwnerId, &Account)> {
        self.accounts.iter().map(|(owner, account)| (*owner, account))
    }

    pub(super) fn get(&self, owner: OwnerId) -> Option<&Account> {
        self.accounts.get(&owner)
    }

    /// What each moved in the seconds of a look, by which rates go.
    pub(super) fn take_recent(&mut self, look: Look) -> impl Iterator<Item = (OwnerId, RxTx)> {
        let moving = self.accounts.iter_mut().filter(|(_, account)| !account.recent.is_zero());
        moving.map(move |(owner, account)| (*owner, account.rate.look(&mut account.recent, look)))
    }

    pub(super) fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    /// What of the captured bytes has an owner who is known, each byte once.
    pub(super) fn attributed_bytes(&self) -> u64 {
        self.attributed_bytes
    }

    /// Both ends of a local flow have these bytes in accounts of owners who are known.
    pub(super) fn counted_twice(&mut self, share: &Share) {
        self.less(share);
    }

    fn attribute(&mut self, owner: OwnerId, share: &Share) {
        if owner.is_known() {
            self.attributed_bytes = self.attributed_bytes.saturating_add(hosts::bytes(&share.traffic));
        }
    }

    /// The owner's account; a new one begins at a time of the timeline, in the window of that number.
    pub(super) fn open(
        &mut self,
        (owner, quality): (OwnerId, MatchQuality),
        (window, time): (u64, u64),
    ) -> &mut Account {
        if self.accounts.len() >= MOST_ACCOUNTS && !self.accounts.contains_key(&owner) {
            self.make_room(window);
        }
        self.accounts.entry(owner).or_insert_with(|| Account {
            first_seen: time,
            quality,
            ..Account::default()
        })
    }

    /// What counts in live figures now, and in sums when it is told.
    pub(super) fn moves(&mut self, owner: OwnerId, news: &RxTx, time: u64) {
        if let Some(account) = self.accounts.get_mut(&owner) {
            account.recent += *news;
            account.last_seen = account.last_seen.max(time);
        }
    }

    pub(super) fn add(&mut self, owner: OwnerId, quality: MatchQuality, share: &Share, said: &Said) {
        self.attribute(owner, share);
        let account = self.open((owner, quality), (said.window, said.first_seen));
        account.enter(said);
        account.grown.add(share);
        account.of_session.add(share);
        account.total.add(share);
        let news = super::minus(share.traffic, said.ahead);
        account.recent += rate::in_a_second(&news, said.seconds);
        account.last_seen = account.last_seen.max(said.last_seen);
        account.protocols.join(said.protocols);
        account.quality = account.quality.max(quality);
    }

    /// Growth of windows that have closed.
    pub(super) fn add_earlier(&mut self, owner: OwnerId, quality: MatchQuality, share: &Share, said: &Said) {
        let nothing = Share::default();
        self.add(owner, quality, &nothing, said);
        self.attribute(owner, share);
        if let Some(account) = self.accounts.get_mut(&owner) {
            account.total.add(share);
            account.of_session.add(share);
        }
    }

    /// What nobody was known for belongs to somebody after all.
    pub(super) fn take(&mut self, owner: OwnerId, share: &Share, window: u64, session: u64) {
        let Some(account) = self.accounts.get_mut(&owner) else { return };
        account.total.take(share);
        if account.window == window {
            account.grown.take(share);
        }
        if account.session == session {
            account.of_session.take(share);
        }
        if owner.is_known() {
            self.less(share);
        }
    }

    fn less(&mut self, share: &Share) {
        self.attributed_bytes = self.attributed_bytes.saturating_sub(hosts::bytes(&share.traffic));
    }

    /// A sixteenth of those that did not grow in this window, the longest at rest.
    fn make_room(&mut self, window: u64) {
        let mut resting: Vec<_> = self
            .accounts
            .iter()
            .filter(|(owner, account)| account.window != window && **owner >= OwnerId::FIRST_PROCESS)
            .map(|(owner, account)| (account.last_seen, *owner))
            .collect();
        resting.sort_unstable();
        for (_, owner) in resting.into_iter().take(MOST_ACCOUNTS / 16) {
            if let Some(account) = self.accounts.remove(&owner) {
                self.forgotten.add(&account);
            }
        }
    }
}

impl Account {
    /// Opens the sums of a new window or session.
    fn enter(&mut self, said: &Said) {
        if self.window != said.window {
            self.window = said.window;
            self.grown = Share::default();
        }
        if self.session != said.session {
            self.session = said.session;
            self.of_session = Share::default();
        }
    }

    /// What it moved in the session of that number; nothing where none runs.
    pub(super) fn in_session(&self, session: u64) -> Share {
        let of_it = session != NO_SESSION && self.session == session;
        if of_it { self.of_session } else { Share::default() }
    }

    /// Together with the same owner's account on another interface.
    pub(super) fn join(&mut self, other: &Self, session: u64) {
        self.total.add(&other.total);
        if self.session != session {
            self.of_session = Share::default();
            self.session = session;
        }
        if other.session == session {
            self.of_session.add(&other.of_session);
        }
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.protocols.join(other.protocols);
        self.quality = self.quality.max(other.quality);
    }

    /// `shown`: what of it, and its rate.
    pub(super) fn row(
        &self,
        (interface, owner): (&str, OwnerId),
        (share, per_second): (&Share, RxTx),
        session: u64,
        directory: &dyn Directory,
    ) -> OwnerRow {
        let mut known = directory.owner(owner);
        known.quality = self.quality;
        let [rx_payload_bytes, tx_payload_bytes] = share.payload;
        OwnerRow {
            interface: interface.to_owned(),
            owner: known,
            traffic: share.traffic,
            rx_payload_bytes,
            tx_payload_bytes,
            per_second,
            protocols: self.protocols.names(),
            first_seen: timestamp(self.first_seen),
            last_seen: timestamp(self.last_seen),
            over_threshold: false,
            session_traffic: self.in_session(session).traffic,
        }
    }
}

/// The largest owners of a window that ends, and the rest.
pub(super) fn of_window(
    owners: &Owners,
    (interface, window, session): (&str, u64, u64),
    length: u64,
    rows: usize,
    directory: &dyn Directory,
) -> Ranked<OwnerRow> {
    let mut all: Vec<(OwnerId, Account)> = owners
        .iter()
        .filter(|(_, account)| account.window == window && !account.grown.traffic.is_zero())
        .map(|(owner, account)| (owner, account.clone()))
        .collect();
    let total = all.iter().map(|(_, account)| account.grown.traffic).fold(RxTx::default(), plus);
    let known = all.len();
    rank::first(&mut all, rows, |a, b| {
        let by_bytes = hosts::bytes(&b.1.grown.traffic).cmp(&hosts::bytes(&a.1.grown.traffic));
        by_bytes.then_with(|| a.0.cmp(&b.0))
    });
    let shown = all.iter().map(|(_, account)| account.grown.traffic).fold(RxTx::default(), plus);
    let row = |(owner, account): &(OwnerId, Account)| {
        let per_second = rate::mean(&account.grown.traffic, length);
        account.row((interface, *owner), (&account.grown, per_second), session, directory)
    };
    let list: Vec<_> = all.iter().map(row).collect();
    let others = Others {
        rows: (known - list.len()) as u64,
        traffic: super::minus(total, shown),
        ..Others::default()
    };
    Ranked { rows: list, others }
}

//! Ends that nothing but a port speaks for: datagrams of a socket that is not connected. Whoever has the port has what came
//! between two times that it was found there, as far as it came before the second was asked for; and what came since,
//! where the kernel tells that its socket was closed and no other had the port. The rest is nobody's.
use std::collections::VecDeque;

use weir_shared::process::MatchQuality;

use super::crediting::{OpenEnd, settle};
use super::interface::{Capture, Interface};
use super::mirror::Flow;
use super::owners::Share;
use crate::attribution::{OwnerId, PortHold};
use crate::flows::record::{FlowDirection, FlowNews};

/// So many nanoseconds after a port's holder was found it is looked for again.
const HOLDS: u64 = 500_000_000;
/// Questions about one end that are so many nanoseconds apart are not the same one.
const APART: u64 = 10_000_000;
/// A packet's stamp and that of its socket's end are so many nanoseconds apart at most.
const SLACK: u64 = 10_000_000;
/// Ends that are looked at again although they do not grow.
const MOST_DUE: usize = 16_384;

type Holder = (OwnerId, MatchQuality);

/// Who has the port at an end of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForNow {
    pub holder: Option<Holder>,
    /// The one socket there.
    hold: Option<PortHold>,
    /// When that was found: nanoseconds of the timeline.
    since: u64,
    /// From when on it is looked for again; None while it is.
    again: Option<u64>,
    /// The next row may tell of packets from before.
    is_mixed: bool,
}

/// An end that is looked at again at this time, by slot, generation and side.
#[derive(Clone, Copy, Debug)]
struct Due {
    time: u64,
    end: (u32, u32, usize),
}

#[derive(Debug, Default)]
pub(super) struct DueEnds(VecDeque<Due>);

impl DueEnds {
    fn add(&mut self, time: u64, end: (u32, u32, usize)) {
        if self.0.len() < MOST_DUE {
            self.0.push_back(Due { time, end });
        }
    }

    fn next(&mut self, time: u64) -> Option<(u32, u32, usize)> {
        self.0.pop_front_if(|due| due.time <= time).map(|due| due.end)
    }
}

impl ForNow {
    fn of(holder: Option<Holder>, hold: Option<PortHold>, end: &OpenEnd, time: u64) -> Self {
        Self {
            holder,
            hold,
            since: time.max(end.began.saturating_add(APART)),
            again: Some(time.saturating_add(HOLDS)),
            is_mixed: false,
        }
    }

    /// The same holder by the same socket, as far as that is told.
    fn is(&self, (owner, _): Holder, hold: Option<PortHold>) -> bool {
        let is_another = self.hold.zip(hold).is_some_and(|(before, now)| !before.is_socket_of(now));
        self.holder.is_some_and(|(holder, _)| holder == owner) && !is_another
    }
}

impl Flow {
    /// Since when it is to be known who has the port, nanoseconds of the timeline; and the socket that had it then.
    pub(super) fn to_be_known(&self) -> (u64, Option<PortHold>) {
        let for_now = self.for_now.as_deref();
        for_now.map_or((self.identity.first_seen, None), |now| (now.since, now.hold))
    }

    /// Whether it is time to look again who has the port.
    pub(super) fn asks_again(&mut self, time: u64) -> bool {
        self.for_now.as_mut().is_some_and(|now| now.again.take_if(|again| time >= *again).is_some())
    }

    /// A row was added. Where somebody else had the port before, its packets may be of either.
    pub(super) fn leave_out_mixed(&mut self, row: &FlowNews) {
        let Some(now) = self.for_now.as_mut().filter(|now| now.is_mixed) else { return };
        now.is_mixed = false;
        let packets = row.forward.packets.saturating_add(row.backward.packets);
        if packets > 1 || self.last_seen <= now.since.saturating_add(APART) {
            self.forget_shares();
        }
    }

    /// What is kept of the initiator's share, whenever it came.
    pub(super) fn kept(&self) -> Share {
        let mut kept = self.share_before;
        kept.add(&self.share);
        kept
    }

    /// What of it came since a question was put.
    fn kept_since(&self, end: &OpenEnd) -> Share {
        let mut kept = self.kept();
        if self.begun == end.begun {
            kept.take(&end.kept);
        }
        kept
    }

    /// Only the latest growth, so much, is kept.
    fn keep(&mut self, later: &Share) {
        let (mut window, mut credited, mut before) = (self.share, self.share, *later);
        before.take(&window);
        credited.take(later);
        window.take(&credited);
        self.forget_shares();
        (self.share, self.share_before) = (window, before);
    }

    fn has_one_end_here(&self) -> bool {
        matches!(self.identity.direction, FlowDirection::Ingress | FlowDirection::Egress)
    }

    /// Nobody has the port, as far as is known. What came is nobody's for good.
    fn nobody_for_now(&mut self, end: &OpenEnd, time: u64) {
        self.forget_shares();
        self.for_now = Some(ForNow::of(None, None, end, time).into());
    }
}

impl Capture {
    fn asked_for(&mut self, end: &OpenEnd) -> Option<&mut Flow> {
        let flow = self.mirror.get_mut(end.slot).filter(|flow| flow.generation == end.generation)?;
        let is_open = flow.sides.get(end.side).is_some_and(Option::is_none);
        (is_open && !flow.is_sent_from_here()).then_some(flow)
    }

    /// The owner of an end was found, or will not be.
    pub(super) fn assign(&mut self, interface: &mut Interface, end: &OpenEnd, found: Holder, session: u64) {
        let time = self.time;
        let Some(flow) = self.asked_for(end) else { return };
        match flow.for_now.as_deref() {
            Some(_) if !found.0.is_known() => return flow.nobody_for_now(end, time),
            Some(now) if !now.is(found, None) => flow.forget_shares(),
            Some(_) | None => {}
        }
        settle(interface, flow, end.side, found, session, &Share::default());
    }

    /// The owner of an end was found by a port, which `hold` has for itself.
    pub(super) fn assign_for_now(
        &mut self,
        interface: &mut Interface,
        end: &OpenEnd,
        (found, hold): (Holder, Option<PortHold>),
        session: u64,
    ) {
        let time = self.time;
        let Some(flow) = self.asked_for(end) else { return };
        if !flow.has_one_end_here() {
            return self.assign(interface, end, found, session);
        }
        let is_another = flow.for_now.as_deref().is_some_and(|now| !now.is(found, hold));
        if is_another {
            flow.forget_shares();
        } else {
            let later = flow.kept_since(end);
            settle(interface, flow, end.side, found, session, &later);
            flow.open_again(end.side);
            flow.keep(&later);
        }
        let now = ForNow { is_mixed: is_another, ..ForNow::of(Some(found), hold, end, time) };
        flow.for_now = Some(now.into());
        self.mirror.due.add(time.saturating_add(HOLDS), (end.slot, end.generation, end.side));
    }

    /// The socket that was asked with had the port until then, nanoseconds of the timeline.
    pub(super) fn assign_until(
        &mut self,
        interface: &mut Interface,
        end: &OpenEnd,
        until: u64,
        session: u64,
    ) {
        let time = self.time;
        let Some(flow) = self.asked_for(end) else { return };
        let now = flow.for_now.as_deref().filter(|now| now.hold.is_some() && now.hold == end.hold);
        let holder = now.and_then(|now| now.holder).filter(|_| flow.last_seen <= until.saturating_add(SLACK));
        let Some(found) = holder else { return flow.nobody_for_now(end, time) };
        settle(interface, flow, end.side, found, session, &Share::default());
        flow.open_again(end.side);
        flow.forget_shares();
        // what it moved last may not be told yet
        flow.for_now = Some(ForNow::of(Some(found), end.hold, end, time).into());
        self.mirror.due.add(time.saturating_add(HOLDS), (end.slot, end.generation, end.side));
    }

    /// Ends that have come to rest since their port's holder was found.
    pub(super) fn ask_of_what_rests(&mut self) {
        while let Some(end) = self.mirror.due.next(self.time) {
            let (slot, generation, _) = end;
            let flow = self.mirror.get_mut(slot).filter(|flow| flow.generation == generation);
            let has_grown = flow.filter(|flow| flow.kept() != Share::default());
            if has_grown.is_some_and(|flow| flow.asks_again(self.time)) {
                self.open_ends.push(end);
            }
        }
    }
}

impl Flow {
    fn open_again(&mut self, side: usize) {
        if let Some(side) = self.sides.get_mut(side) {
            *side = None;
        }
    }
}

//! Whose bytes a row's are. The owner of an end is told by the worker, found later by the collector, or known by the
//! protocol; until then the end's bytes are nobody's, and move to the owner that is found.
use hashbrown::{HashMap, HashSet};
use weir_shared::process::MatchQuality;
use weir_shared::report::RxTx;

use super::interface::{Capture, Interface};
use super::mirror::Flow;
use super::owners::{Said, Share};
use crate::attribution::{OwnerId, PortHold, SocketEnd};
use crate::flows::owned::side_of_owner;
use crate::flows::protocols::Protocols;
use crate::flows::record::{FlowDirection, FlowIdentity, FlowKind, FlowNews, Match, OwnerMark};
use crate::flows::sums::SumsRecord;

/// What the worker's numbers mean, and which session runs.
#[derive(Debug, Default)]
pub(super) struct Owning {
    pub marks: HashMap<u32, OwnerId>,
    /// The running session's number, or `NO_SESSION`.
    pub session: u64,
    /// The highest number that a session had.
    pub last_session: u64,
    /// Owners that are over the bandwidth threshold at this tick.
    pub over: HashSet<OwnerId>,
}

/// An end of a flow that is on this machine and whose owner is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenEnd {
    pub capture: u16,
    pub slot: u32,
    pub generation: u32,
    /// 0: the initiator's; 1: the responder's.
    pub side: usize,
    pub end: SocketEnd,
    /// When what is asked for began: nanoseconds of the timeline.
    pub began: u64,
    /// Where it was found by a port before: the socket.
    pub hold: Option<PortHold>,
    /// What the flow's initiator had moved when this was asked, of what has no owner; and which beginning of it that is.
    pub(super) kept: Share,
    pub(super) begun: u8,
}

/// Ends that wait to be asked for; what is over stays unknown.
const MOST_OPEN_ENDS: usize = 16_384;

/// Whose bytes are on their way through this machine.
pub(super) const PASSING: (OwnerId, MatchQuality) = (OwnerId::FORWARDED, MatchQuality::Kernel);

impl Flow {
    /// Who is credited with a side's bytes, given who holds its socket: that is told everywhere, and counts where the
    /// packets have the socket's own addresses.
    fn account(&self, side: usize, found: (OwnerId, MatchQuality)) -> (OwnerId, MatchQuality) {
        if self.passes.get(side).copied().unwrap_or(false) { PASSING } else { found }
    }

    /// Both ends are on this machine, and known.
    fn is_known_twice(&self) -> bool {
        let is_known =
            |side: &Option<(OwnerId, MatchQuality)>| side.is_some_and(|(owner, _)| owner.is_known());
        self.identity.direction == FlowDirection::Local && self.sides.iter().all(is_known)
    }
}

impl Owning {
    pub(super) fn of(&self, mark: OwnerMark) -> Option<(OwnerId, MatchQuality)> {
        let quality = match mark.quality {
            Match::None => return None,
            Match::Exact | Match::Frames => MatchQuality::Exact,
            Match::Listener => MatchQuality::Listener,
            Match::Shared => MatchQuality::Shared,
            Match::Kernel => return Some((OwnerId::KERNEL, MatchQuality::Kernel)),
            Match::Forwarded => return Some(PASSING),
            Match::Several => return Some((OwnerId::UNKNOWN, MatchQuality::Unknown)),
        };
        self.marks.get(&mark.owner).map(|owner| (*owner, quality))
    }
}

/// What no socket of a program sends or receives.
fn by_protocol(identity: &FlowIdentity, side: usize) -> Option<(OwnerId, MatchQuality)> {
    let kernel = match (identity.protocol, identity.kind) {
        (2, _) => true,
        (1 | 58, FlowKind::Remnant) => true,
        (1 | 58, FlowKind::Flow) => side == 1, // echo requests are answered by the kernel
        _ => false,
    };
    kernel.then_some((OwnerId::KERNEL, MatchQuality::Kernel))
}

impl Capture {
    /// Credits a row that the mirror has taken in. `is_new`: the flow was introduced by it; `seconds`: it came in over so many.
    pub(super) fn credit(
        &mut self,
        interface: &mut Interface,
        row: &FlowNews,
        (time, is_new, seconds): (u64, bool, u64),
        owning: &Owning,
    ) {
        let Some(flow) = self.mirror.get_mut(row.slot) else { return };
        let late = Said { seconds, ..said(flow, interface.window, owning.session) };
        self.told += super::mirror::grown(row);
        let initiators = Share::of(row.backward, row.forward, [row.payload[1], row.payload[0]]);
        flow.share.add(&initiators);
        flow.leave_out_mixed(row);
        if flow.identity.direction == FlowDirection::Forwarded {
            let was_open = flow.facing.is_some();
            let (owner, quality, share, is_told) = forwarded(interface, flow, row, owning, &initiators);
            let said = if is_told { self.ahead.said(owner, &share, &late) } else { late };
            interface.owners.add(owner, quality, &share, &said);
            let opened = flow.facing.filter(|side| !was_open && matches!(flow.sides.get(*side), Some(None)));
            if let Some(side) = opened.filter(|_| self.open_ends.len() < MOST_OPEN_ENDS) {
                self.open_ends.push((row.slot, row.generation, side));
            }
            return;
        }
        for (side, _) in counted(flow, row, owning).into_iter().enumerate().filter(|(_, here)| *here) {
            let mark = row.owners.get(side).copied().unwrap_or_default();
            let told = owning.of(mark);
            if let Some(passes) = flow.passes.get_mut(side).filter(|_| told.is_some()) {
                *passes = mark.passes;
            }
            let found = told.or_else(|| by_protocol(&flow.identity, side));
            if let Some((owner, quality)) = found {
                settle(interface, flow, side, (owner, quality), owning.session, &initiators);
            } else if self.open_ends.len() < MOST_OPEN_ENDS && (is_new || flow.asks_again(time)) {
                self.open_ends.push((row.slot, row.generation, side));
            }
            let share = oriented(&initiators, side);
            let known = flow.sides.get(side).copied().flatten().map(|found| flow.account(side, found));
            let (owner, quality) = known.unwrap_or((OwnerId::UNKNOWN, MatchQuality::Unknown));
            let said = if told.is_some() { self.ahead.said(owner, &share, &late) } else { late };
            interface.owners.add(owner, quality, &share, &said);
        }
        if flow.is_known_twice() {
            interface.owners.counted_twice(&initiators);
        }
    }

    pub(super) fn take_open_ends(&mut self, id: u16) -> Vec<OpenEnd> {
        self.ask_of_what_rests();
        let ends = std::mem::take(&mut self.open_ends);
        let open = ends.into_iter().filter_map(|(slot, generation, side)| {
            let flow = self.mirror.get(slot).filter(|flow| flow.generation == generation)?;
            let known = flow.sides.get(side)?.is_some() || flow.is_sent_from_here();
            let (began, hold) = flow.to_be_known();
            (!known).then(|| OpenEnd {
                capture: id,
                slot,
                generation,
                side,
                end: socket_end(&flow.identity, side),
                began,
                hold,
                kept: flow.kept(),
                begun: flow.begun,
            })
        });
        open.collect()
    }

    /// Sums of flows that were not told one by one.
    pub(super) fn credit_sums(&mut self, interface: &mut Interface, record: &SumsRecord, owning: &Owning) {
        let (start, time) = (self.window_start(), self.time);
        for (mark, sum) in &record.owners {
            let known = owning.of(*mark).map(|found| if mark.passes { PASSING } else { found });
            let (owner, quality) = known.unwrap_or((OwnerId::UNKNOWN, MatchQuality::Unknown));
            let share = Share::of(sum.received, sum.sent, [sum.received_payload, sum.sent_payload]);
            let late = Said {
                window: interface.window,
                session: owning.session,
                first_seen: start,
                last_seen: time,
                protocols: sum.protocols,
                ahead: RxTx::default(),
                seconds: self.late.seconds(),
            };
            let said = if known.is_some() { self.ahead.said(owner, &share, &late) } else { late };
            interface.owners.add(owner, quality, &share, &said);
        }
    }
}

/// The ends that are on this machine. A frame need not bear this machine's addresses: what a program here has sent to a
/// group in another's name, as DHCP clients do, is its own, and nobody's here who would receive it.
fn counted(flow: &Flow, row: &FlowNews, owning: &Owning) -> [bool; 2] {
    let [mark, _] = row.owners;
    let is_frames = matches!(mark.quality, Match::Frames | Match::Several) && owning.of(mark).is_some();
    let comes_in = flow.identity.direction == FlowDirection::Ingress;
    if comes_in && (is_frames || flow.is_sent_from_here()) {
        [true, false]
    } else {
        flow.identity.direction.here()
    }
}

/// Whose a row of a forwarded flow is, and whether the worker knows that too. A process in a network namespace behind this
/// machine has its flow on the interface that leads to it. On all others, and where no such process is known, the flow is
/// passing through: so it counts once over interfaces.
fn forwarded(
    interface: &mut Interface,
    flow: &mut Flow,
    row: &FlowNews,
    owning: &Owning,
    initiators: &Share,
) -> (OwnerId, MatchQuality, Share, bool) {
    let side = flow.learn_facing(row).map(|facing| side_of_owner(facing, &row.owners));
    let told = side.and_then(|side| Some((side, row.owners.get(side).and_then(|mark| owning.of(*mark))?)));
    if let Some((side, found)) = told {
        settle(interface, flow, side, found, owning.session, initiators);
    }
    let known = side.and_then(|side| Some((side, flow.sides.get(side).copied().flatten()?)));
    match known {
        Some((side, (owner, quality))) => (owner, quality, oriented(initiators, side), told.is_some()),
        None => {
            let share = Share { traffic: super::mirror::grown(row), payload: [0; 2] };
            (PASSING.0, PASSING.1, share, true)
        }
    }
}

/// What nobody was known for in this and earlier windows moves to the owner, but for `coming`: what came last of it.
pub(super) fn settle(
    interface: &mut Interface,
    flow: &mut Flow,
    side: usize,
    (owner, quality): (OwnerId, MatchQuality),
    session: u64,
    coming: &Share,
) {
    let Some(place) = flow.sides.get_mut(side) else { return };
    if place.replace((owner, quality)).is_some() {
        return;
    }
    let is_local = flow.identity.direction == FlowDirection::Local;
    if !is_local && flow.sides.get(1 - side).is_some_and(Option::is_some) {
        return; // what it moved until now is the other's
    }
    let (owner, quality) = flow.account(side, (owner, quality));
    let (mut window, mut before, mut beyond) = (flow.share, flow.share_before, *coming);
    beyond.take(&window);
    window.take(coming);
    before.take(&beyond);
    if flow.window != interface.window {
        // it has not grown since its window ended
        before.add(&std::mem::take(&mut window));
    }
    let mut said = said(flow, interface.window, session);
    for (share, number) in [(window, interface.window), (before, 0)] {
        let share = oriented(&share, side);
        if share == Share::default() {
            continue;
        }
        let (nobody, nobodys) = nobodys(flow, side, &share);
        interface.owners.take(nobody, &nobodys, number, session);
        said.window = interface.window;
        if number == 0 {
            interface.owners.add_earlier(owner, quality, &share, &said);
        } else {
            interface.owners.add(owner, quality, &share, &said);
        }
        if flow.is_known_twice() {
            interface.owners.counted_twice(&share);
        }
    }
}

/// Who stood for the owner of a side until it was known, and what it had been given of the side's share.
fn nobodys(flow: &Flow, side: usize, share: &Share) -> (OwnerId, Share) {
    match flow.identity.direction {
        FlowDirection::Forwarded => {
            // as the interface sees it: what came in is what the side that it leads to has sent
            let passed = if flow.facing == Some(side) { share.mirrored() } else { *share };
            (OwnerId::FORWARDED, Share { payload: [0; 2], ..passed })
        }
        FlowDirection::Ingress if side == 0 => (OwnerId::UNKNOWN, share.mirrored()),
        _ => (OwnerId::UNKNOWN, *share),
    }
}

fn said(flow: &Flow, window: u64, session: u64) -> Said {
    let mut protocols = Protocols::default();
    protocols.add(flow.identity.protocol, flow.application);
    let (first_seen, last_seen) = (flow.identity.first_seen, flow.last_seen);
    Said { window, session, first_seen, last_seen, protocols, ahead: RxTx::default(), seconds: 1 }
}

/// The initiator's share as the given side has it.
fn oriented(initiators: &Share, side: usize) -> Share {
    if side == 0 { *initiators } else { initiators.mirrored() }
}

fn socket_end(identity: &FlowIdentity, side: usize) -> SocketEnd {
    let initiator = (identity.initiator, identity.initiator_port);
    let responder = (identity.responder, identity.responder_port);
    let (local, remote) = if side == 0 { (initiator, responder) } else { (responder, initiator) };
    let is_forwarded = identity.direction == FlowDirection::Forwarded;
    SocketEnd { protocol: identity.protocol, local, remote, is_initiator: side == 0, is_forwarded }
}

//! The flows of one opened interface, as its worker told them: by slot and generation.
use std::cmp::Ordering;

use weir_shared::net::{Direction, Endpoint, Transport};
use weir_shared::process::{MatchQuality, OwnerReference};
use weir_shared::report::{FlowRow, RxTx};

use super::chunks::Chunks;
use super::owners::Share;
use super::ports::{DueEnds, ForNow};
use super::rate::Rate;
use super::{RecordError, hosts, timestamp};
use crate::attribution::{Directory, OwnerId};
use crate::decode::application::Application;
use crate::flows::owned;
use crate::flows::record::{FlowDirection, FlowIdentity, FlowKind, FlowNews, Tally, TcpNews};

#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub generation: u32,
    pub identity: FlowIdentity,
    pub application: Application,
    pub name: Option<Box<str>>,
    pub tcp: Option<TcpNews>,
    pub total: RxTx,
    /// Of the window numbered `window`.
    pub grown: RxTx,
    pub window: u64,
    pub rate: Rate,
    pub last_seen: u64,
    /// The initiator's share of the window numbered `window`, and of earlier ones as far as somebody may turn out to have
    /// moved them; the responder's is its mirror image.
    pub share: Share,
    pub share_before: Share,
    /// Who holds the initiator's and the responder's socket.
    pub sides: [Option<(OwnerId, MatchQuality)>; 2],
    /// At the end that is on this machine, while its side is open.
    pub for_now: Option<Box<ForNow>>,
    /// Counts, modulo 256, how often the shares were begun anew.
    pub begun: u8,
    /// Whether the bytes of the initiator and the responder count on another interface, where their packets have the
    /// socket's own addresses.
    pub passes: [bool; 2],
    /// Of a forwarded flow: which side's packets come in on this interface.
    pub facing: Option<usize>,
}

/// A slot without a flow.
const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// By slot, the place in `flows`: of a large table only the flows that were told take room.
    places: Vec<u32>,
    flows: Chunks<Option<Flow>>,
    free: Vec<u32>,
    /// Slots whose flow grew in this window, and in the one before.
    pub active: [Vec<u32>; 2],
    /// How many hold flows, and not packets of none.
    known: usize,
    /// Ends that are looked at again although they do not grow.
    pub due: DueEnds,
}

/// Received and sent parts of a row.
pub(super) fn grown(row: &FlowNews) -> RxTx {
    let received = owned::received(row.forward, row.backward, row.sent);
    let count = |tally: Tally| weir_shared::report::Count { packets: tally.packets, bytes: tally.bytes };
    RxTx { rx: count(received), tx: count(row.sent) }
}

fn facing(row: &FlowNews, identity: &FlowIdentity) -> Option<usize> {
    owned::facing([row.forward, row.backward, row.sent], identity.sends_of_initiator)
}

impl Mirror {
    pub(super) fn get(&self, slot: u32) -> Option<&Flow> {
        let place = self.places.get(slot as usize)?;
        self.flows.get(*place as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Flow> {
        let place = self.places.get(slot as usize)?;
        self.flows.get_mut(*place as usize)?.as_mut()
    }

    /// From now on no earlier growth finds an owner: a session begins with nothing.
    pub(super) fn forget_shares(&mut self) {
        self.flows.iter_mut().flatten().for_each(Flow::forget_shares);
    }

    pub(super) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().flatten()
    }

    /// The flow a row speaks of; a new one in the slot gives back the one before it. True: it is new.
    pub(super) fn introduce(
        &mut self,
        row: &FlowNews,
        most: usize,
    ) -> Result<(bool, Option<Flow>), RecordError> {
        let slot = row.slot as usize;
        if slot >= most {
            return Err(RecordError::SlotBeyondTable { slot: row.slot, most });
        }
        let known = self.get(row.slot).is_some_and(|flow| flow.generation == row.generation);
        let Some(identity) = row.identity else {
            let unknown = RecordError::UnknownFlow { slot: row.slot, generation: row.generation };
            return if known { Ok((false, None)) } else { Err(unknown) };
        };
        if known {
            return Ok((false, None));
        }
        let flow = Flow {
            generation: row.generation,
            identity,
            application: row.application,
            name: None,
            tcp: None,
            total: RxTx::default(),
            grown: RxTx::default(),
            window: 0,
            rate: Rate::default(),
            last_seen: identity.first_seen,
            share: Share::default(),
            share_before: Share::default(),
            sides: [None; 2],
            for_now: None,
            begun: 0,
            passes: [false; 2],
            facing: None,
        };
        Ok((true, self.put(row.slot, flow)))
    }

    fn put(&mut self, slot: u32, flow: Flow) -> Option<Flow> {
        let index = slot as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, NONE);
        }
        let place = self.places.get_mut(index)?;
        if *place == NONE {
            *place = self.free.pop().unwrap_or_else(|| {
                self.flows.push(None);
                u32::try_from(self.flows.len() - 1).unwrap_or(NONE)
            });
        }
        self.known += usize::from(flow.is_flow());
        let old = self.flows.get_mut(*place as usize)?.replace(flow)?;
        self.known -= usize::from(old.is_flow());
        Some(old)
    }

    /// How many flows there are.
    pub(super) fn known(&self) -> usize {
        self.known
    }

    /// Adds a row to its flow, which was introduced.
    pub(super) fn grow(&mut self, row: &mut FlowNews, window: u64, time: u64) {
        let place = self.places.get(row.slot as usize).copied().unwrap_or(NONE);
        let Some(flow) = self.flows.get_mut(place as usize).and_then(Option::as_mut) else { return };
        let grown = grown(row);
        if flow.window != window {
            flow.window = window;
            flow.grown = RxTx::default();
            let share = std::mem::take(&mut flow.share);
            flow.share_before.add(&share);
            let [active, _] = &mut self.active;
            active.push(row.slot);
        }
        flow.grown += grown;
        flow.total += grown;
        flow.rate.add(&grown, time);
        flow.last_seen = time.saturating_sub(u64::from(row.age_millis) * 1_000_000).max(flow.last_seen);
        flow.application = row.application;
        flow.name = row.name.take().or_else(|| flow.name.take());
        flow.tcp = row.tcp.or(flow.tcp);
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Flow> {
        let place = self.places.get_mut(slot as usize)?;
        let flow = self.flows.get_mut(*place as usize)?.take()?;
        self.free.push(std::mem::replace(place, NONE));
        self.known -= usize::from(flow.is_flow());
        Some(flow)
    }

    /// The next window's flows are told from now on.
    pub(super) fn window_ends(&mut self) {
        let [active, before] = &mut self.active;
        std::mem::swap(active, before);
        active.clear();
    }
}

impl Flow {
    /// The one that has moved most comes first, then the older one.
    pub(super) fn by_total(a: &Self, b: &Self) -> Ordering {
        let by_total = hosts::bytes(&b.total).cmp(&hosts::bytes(&a.total));
        by_total.then_with(|| a.identity.first_seen.cmp(&b.identity.first_seen))
    }

    /// The side that this interface leads to, as soon as a row tells.
    pub(super) fn learn_facing(&mut self, row: &FlowNews) -> Option<usize> {
        self.facing = self.facing.or_else(|| facing(row, &self.identity));
        self.facing
    }

    /// A program on this machine made up the address that it comes from.
    pub(super) fn is_sent_from_here(&self) -> bool {
        self.identity.direction == FlowDirection::Ingress && matches!(self.sides, [Some(_), _])
    }

    /// What came until now is nobody's for good.
    pub(super) fn forget_shares(&mut self) {
        self.share = Share::default();
        self.share_before = Share::default();
        self.begun = self.begun.wrapping_add(1);
    }

    /// Who holds the initiator's and the responder's socket, as was found last.
    pub(super) fn holders(&self) -> [Option<(OwnerId, MatchQuality)>; 2] {
        let for_now = self.for_now.as_deref().and_then(|now| now.holder);
        let [initiator, responder] = self.sides;
        let [initiator_here, responder_here] = self.identity.direction.here();
        [initiator.or(for_now.filter(|_| initiator_here)), responder.or(for_now.filter(|_| responder_here))]
    }

    pub(super) fn is_flow(&self) -> bool {
        self.identity.kind == FlowKind::Flow
    }

    /// `shown`: the traffic and its rate.
    pub(super) fn row(
        &self,
        interface: &str,
        name: &str,
        shown: (RxTx, RxTx),
        directory: &dyn Directory,
    ) -> FlowRow {
        let [initiator_owner, responder_owner] = self.holders().map(|side| {
            side.map(|(owner, quality)| OwnerReference { quality, ..directory.owner(owner).reference() })
        });
        let tcp = self.tcp.unwrap_or_default();
        FlowRow {
            interface: interface.to_owned(),
            protocol: Transport::from_number(self.identity.protocol),
            initiator: Endpoint { address: self.identity.initiator, port: self.identity.initiator_port },
            responder: Endpoint { address: self.identity.responder, port: self.identity.responder_port },
            application: if matches!(self.identity.protocol, 6 | 17) { self.application.name() } else { "" }
                .to_owned(),
            name: self.name.as_deref().unwrap_or(name).to_owned(),
            direction: match self.identity.direction {
                FlowDirection::Ingress => Direction::Ingress,
                FlowDirection::Egress => Direction::Egress,
                FlowDirection::Local => Direction::Local,
                FlowDirection::Forwarded => Direction::Forwarded,
            },
            traffic: shown.0,
            per_second: shown.1,
            first_seen: timestamp(self.identity.first_seen),
            last_seen: timestamp(self.last_seen),
            round_trip_micros: (tcp.round_trip_micros > 0).then_some(u64::from(tcp.round_trip_micros)),
            retransmitted_segments: u64::from(tcp.retransmitted_segments),
            zero_windows: u64::from(tcp.zero_windows),
            resets: u64::from(tcp.resets),
            state: self.tcp.map(|tcp| tcp.state.name().to_owned()).unwrap_or_default(),
            initiator_owner,
            responder_owner,
        }
    }
}

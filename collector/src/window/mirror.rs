//! The flows of one opened interface, as its worker told them: by slot and generation.
use weir_shared::net::{Direction, Endpoint, Transport};
use weir_shared::report::{FlowRow, RxTx};

use super::rate::Rate;
use super::{RecordError, timestamp};
use crate::decode::application::Application;
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
}

const _: () = assert!(size_of::<Option<Flow>>() <= 208);

#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// In place: a flood of new flows then costs no allocation each.
    slots: Vec<Option<Flow>>,
    /// Slots whose flow grew in this window, and in the one before.
    pub active: [Vec<u32>; 2],
}

/// Received and sent parts of a row.
pub(super) fn grown(row: &FlowNews) -> RxTx {
    let mut all = row.forward;
    all.add(row.backward);
    let count = |tally: Tally| weir_shared::report::Count { packets: tally.packets, bytes: tally.bytes };
    RxTx { rx: count(all.since(row.sent)), tx: count(row.sent) }
}

impl Mirror {
    pub(super) fn get(&self, slot: u32) -> Option<&Flow> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.slots.iter().flatten()
    }

    /// The flow a row speaks of; a new one in the slot gives back the one before it.
    pub(super) fn introduce(&mut self, row: &FlowNews, most: usize) -> Result<Option<Flow>, RecordError> {
        let slot = row.slot as usize;
        if slot >= most {
            return Err(RecordError::SlotBeyondTable { slot: row.slot, most });
        }
        let known = self.get(row.slot).is_some_and(|flow| flow.generation == row.generation);
        let Some(identity) = row.identity else {
            let unknown = RecordError::UnknownFlow { slot: row.slot, generation: row.generation };
            return if known { Ok(None) } else { Err(unknown) };
        };
        if known {
            return Ok(None);
        }
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
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
        };
        Ok(self.slots.get_mut(slot).and_then(|place| place.replace(flow)))
    }

    /// Adds a row to its flow, which was introduced.
    pub(super) fn grow(&mut self, row: &mut FlowNews, window: u64, time: u64) {
        let Some(flow) = self.slots.get_mut(row.slot as usize).and_then(Option::as_mut) else { return };
        let grown = grown(row);
        if flow.window != window {
            flow.window = window;
            flow.grown = RxTx::default();
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
        self.slots.get_mut(slot as usize).and_then(Option::take)
    }

    /// The next window's flows are told from now on.
    pub(super) fn window_ends(&mut self) {
        let [active, before] = &mut self.active;
        std::mem::swap(active, before);
        active.clear();
    }
}

impl Flow {
    pub(super) fn is_flow(&self) -> bool {
        self.identity.kind == FlowKind::Flow
    }

    /// `shown`: the traffic and its rate.
    pub(super) fn row(&self, interface: &str, name: &str, shown: (RxTx, RxTx)) -> FlowRow {
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
            initiator_owner: None,
            responder_owner: None,
        }
    }
}

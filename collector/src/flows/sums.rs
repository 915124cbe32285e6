//! What is told of flows that are too many and too small to be told one by one: their sums by address and by owner. The
//! sums stay exact for whoever takes part in many of them, such as the victim of a flood; addresses that make room for
//! others join what the lists leave out.
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::addresses::ByAddress;
use super::owned;
use super::protocols::Protocols;
use super::record::{FlowDirection, FlowKind, OwnerMark, Tally};
use crate::decode::application::Application;

/// Addresses that sums are kept of, in a window.
const MOST_ADDRESSES: usize = 16_384;
/// Of them the largest are told.
const MOST_TOLD: usize = 2_048;
const MOST_OWNERS: usize = 4_096;

/// One address's part in flows that were not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSum {
    /// As a source and as a destination of packets.
    pub sent: Tally,
    pub received: Tally,
    /// As the remote end: what the interface received of the flows, and what it sent.
    pub remote_received: Tally,
    pub remote_sent: Tally,
    pub protocols: Protocols,
}

/// One owner's part, as its sockets received and sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerSum {
    pub received: Tally,
    pub sent: Tally,
    pub received_payload: u64,
    pub sent_payload: u64,
    pub protocols: Protocols,
}

/// A flow's growth that joins the sums.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Numbers of the initiator's and the responder's address, see `key::number`.
    pub ends: [u128; 2],
    pub protocol: u8,
    pub kind: FlowKind,
    pub direction: FlowDirection,
    pub application: Application,
    pub forward: Tally,
    pub backward: Tally,
    /// The part of both that the interface sent.
    pub sent: Tally,
    /// Bytes above the transport header, forward and backward.
    pub payload: [u64; 2],
    /// The interface sends what the initiator has sent, by the first packet.
    pub sends_of_initiator: Option<bool>,
    pub owners: [OwnerMark; 2],
}

/// A window's sums.
#[derive(Debug)]
pub struct Sums {
    addresses: ByAddress<AddressSum>,
    owners: HashMap<OwnerMark, OwnerSum>,
    /// The last owner's since another's: mostly it is one and the same.
    last: (OwnerMark, OwnerSum),
    told: SumsRecord,
    /// Where the last initiator and responder were.
    near: [u32; 2],
}

/// The sums of a window that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumsRecord {
    /// Flows in them, and what the interface received and sent of these.
    pub flows: u64,
    pub of_flows: [Tally; 2],
    /// Of packets of no flow likewise.
    pub of_no_flow: [Tally; 2],
    pub addresses: Vec<(IpAddr, AddressSum)>,
    pub owners: Vec<(OwnerMark, OwnerSum)>,
}

impl OwnerSum {
    fn join(&mut self, other: Self) {
        self.received.add(other.received);
        self.sent.add(other.sent);
        self.received_payload = self.received_payload.saturating_add(other.received_payload);
        self.sent_payload = self.sent_payload.saturating_add(other.sent_payload);
        self.protocols.join(other.protocols);
    }
}

impl Sums {
    pub fn new(seed: [u64; 2]) -> Self {
        Self {
            addresses: ByAddress::new(MOST_ADDRESSES, seed),
            owners: HashMap::new(),
            last: Default::default(),
            told: SumsRecord::default(),
            near: [0; 2],
        }
    }

    pub fn add(&mut self, growth: &Growth) {
        let received = owned::received(growth.forward, growth.backward, growth.sent);
        let [in_all, out_all] = if growth.kind == FlowKind::Flow {
            self.told.flows += 1;
            &mut self.told.of_flows
        } else {
            &mut self.told.of_no_flow
        };
        in_all.add(received);
        out_all.add(growth.sent);
        let [initiator, responder] = growth.ends;
        let of_initiator = growth.direction.remote_is_initiator(growth.ends);
        let (forward, backward) = (growth.forward, growth.backward);
        self.end(0, (initiator, of_initiator), (forward, backward), (received, growth));
        self.end(1, (responder, !of_initiator), (backward, forward), (received, growth));
        self.owned(growth);
    }

    /// An end's part: what it sent and received, and of the remote one what the interface received of the flow.
    #[inline]
    fn end(
        &mut self,
        place: usize,
        (address, is_remote): (u128, bool),
        (sent, received): (Tally, Tally),
        (received_here, growth): (Tally, &Growth),
    ) {
        let Some(near) = self.near.get_mut(place) else { return };
        let Some(sum) = self.addresses.value_near(address, near) else { return };
        sum.sent.add(sent);
        sum.received.add(received);
        if is_remote {
            sum.remote_received.add(received_here);
            sum.remote_sent.add(growth.sent);
            sum.protocols.add(growth.protocol, growth.application);
        }
    }

    #[inline]
    fn owned(&mut self, growth: &Growth) {
        for (mark, part) in growth.owned().into_iter().flatten() {
            if self.last.0 != mark {
                self.keep_last();
                self.last.0 = mark;
            }
            self.last.1.join(part);
        }
    }

    #[cold]
    fn keep_last(&mut self) {
        let (mark, grown) = std::mem::take(&mut self.last);
        if grown == OwnerSum::default() {
            return;
        }
        let has_room = self.owners.len() < MOST_OWNERS || self.owners.contains_key(&mark);
        self.owners.entry(if has_room { mark } else { OwnerMark::default() }).or_default().join(grown);
    }

    pub fn owners(&mut self) -> impl Iterator<Item = (&OwnerMark, &OwnerSum)> {
        self.keep_last();
        self.owners.iter()
    }

    /// In records of at most `rows` rows. Addresses beyond the largest are left to the lists' remainders.
    pub fn records(mut self, rows: usize) -> Vec<SumsRecord> {
        self.keep_last();
        let mut addresses: Vec<_> =
            self.addresses.rows().iter().map(|row| (row.address(), row.value)).collect();
        let bytes = |sum: &AddressSum| sum.sent.bytes.saturating_add(sum.received.bytes);
        if addresses.len() > MOST_TOLD {
            addresses.select_nth_unstable_by_key(MOST_TOLD, |(_, sum)| std::cmp::Reverse(bytes(sum)));
            addresses.truncate(MOST_TOLD);
        }
        let owners: Vec<_> = self.owners.iter().map(|(mark, sum)| (*mark, *sum)).collect();
        let mut records = vec![self.told.clone()];
        records.extend(
            addresses
                .chunks(rows.max(1))
                .map(|part| SumsRecord { addresses: part.to_vec(), ..SumsRecord::default() }),
        );
        records.extend(
            owners
                .chunks(rows.max(1))
                .map(|part| SumsRecord { owners: part.to_vec(), ..SumsRecord::default() }),
        );
        records
    }
}

//! Frames that belong to no flow and that a program has sent past the IP stack, ARP for one. The kernel says who, capture
//! how many there were: the program has of these what it sent, and never more than was captured.
use std::collections::BTreeMap;

use weir_shared::process::MatchQuality;
use weir_shared::report::RxTx;

use super::count;
use super::interface::Interface;
use super::owners::{Said, Share};
use crate::attribution::OwnerId;
use crate::flows::record::Tally;

/// Programs that sent frames in a window; those of others stay nobody's.
const MOST_SENDERS: usize = 1_024;

/// Since the window began, and what was too much for the one before: news is sooner than packets.
#[derive(Debug, Default)]
pub(super) struct Frames {
    sent: BTreeMap<OwnerId, Tally>,
    early: BTreeMap<OwnerId, Tally>,
}

impl Frames {
    pub(super) fn sent(&mut self, owner: OwnerId, sent: Tally) {
        if self.sent.len() < MOST_SENDERS || self.sent.contains_key(&owner) {
            self.sent.entry(owner).or_default().add(sent);
        }
    }

    /// Shares out what the interface has sent of no flow in the window that ends; what is left is nobody's.
    pub(super) fn credit(&mut self, interface: &mut Interface, no_flow: RxTx, said: &Said) -> RxTx {
        let mut left = Tally { packets: no_flow.tx.packets, bytes: no_flow.tx.bytes };
        for (owner, sent) in std::mem::take(&mut self.early) {
            share_out(interface, (owner, sent), &mut left, said);
        }
        for (owner, sent) in std::mem::take(&mut self.sent) {
            let early = share_out(interface, (owner, sent), &mut left, said);
            if early.packets > 0 {
                self.early.insert(owner, early);
            }
        }
        RxTx { tx: count(left), ..no_flow }
    }
}

/// Says what of it was too much.
fn share_out(
    interface: &mut Interface,
    (owner, sent): (OwnerId, Tally),
    left: &mut Tally,
    said: &Said,
) -> Tally {
    let part = Tally { packets: sent.packets.min(left.packets), bytes: sent.bytes.min(left.bytes) };
    if !part.is_zero() {
        let traffic = RxTx { tx: count(part), ..RxTx::default() };
        let share = Share { traffic, payload: [0; 2] };
        interface.owners.add(owner, MatchQuality::Exact, &share, said);
    }
    *left = left.since(part);
    sent.since(part)
}

//! Frames without a 5-tuple (ARP, LLDP, EAPOL …) that programs send past the IP stack: how many, by whom, on which
//! interface. They belong to no flow, so whoever sent them is told beside the flows.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::FramesEvent;
use crate::flows::record::Tally;

/// Programs and interfaces in one tick; frames of others stay nobody's.
const MOST_SENDERS: usize = 1_024;
/// Rows of one record, which stay under the bound of a message.
const MOST_IN_RECORD: usize = 256;

/// What one program sent on one interface since this was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FramesRow {
    /// Its index.
    pub interface: u32,
    /// The owner's number.
    pub owner: u32,
    pub sent: Tally,
}

#[derive(Debug, Default)]
pub(super) struct Frames(BTreeMap<(u32, u32), Tally>);

impl Frames {
    pub(super) fn add(&mut self, event: &FramesEvent, number: u32) {
        let place = (event.interface, number);
        if self.0.len() < MOST_SENDERS || self.0.contains_key(&place) {
            self.0.entry(place).or_default().add(event.sent);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<FramesRow> {
        let taken = std::iter::from_fn(|| self.0.pop_first()).take(MOST_IN_RECORD);
        taken.map(|((interface, owner), sent)| FramesRow { interface, owner, sent }).collect()
    }
}

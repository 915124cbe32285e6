//! What flows carry: by content first, by well-known port second, then the rest of that flow.
use super::Pipeline;
use crate::decode::application::by_ports;
use crate::decode::{Ip, Transport};
use crate::flows::record::NameRecord;
use crate::flows::table::Entry;

/// State of looking into payloads.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    names: Vec<NameRecord>,
}

impl Inspection {
    pub(super) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    pub(super) fn take_names(&mut self, most: usize) -> Vec<NameRecord> {
        let at = self.names.len().saturating_sub(most);
        self.names.split_off(at)
    }
}

impl Pipeline {
    /// The port's word, until content says more.
    #[inline]
    pub(super) fn expect(&self, entry: &mut Entry, packet: &Ip<'_>) {
        let (initiator, responder) = if entry.from_low {
            (entry.key.low().1, entry.key.high().1)
        } else {
            (entry.key.high().1, entry.key.low().1)
        };
        match packet.transport {
            Transport::Tcp(_) => entry.application = by_ports(true, initiator, responder),
            Transport::Udp { .. } => entry.application = by_ports(false, initiator, responder),
            _ => {}
        }
    }

    #[inline]
    pub(super) fn inspect(&mut self, _slot: u32, _packet: &Ip<'_>, _forward: bool) {}
}

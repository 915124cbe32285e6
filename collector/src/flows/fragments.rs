//! Which flow the later fragments of a datagram belong to, for as long as they may come.
use std::collections::HashMap;
use std::collections::VecDeque;

use crate::decode::Ip;

/// RFC 8200 section 4.5 allows a minute; what matters comes within seconds.
const KEPT: u64 = 30_000_000_000;
const MOST: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Datagram {
    source: [u8; 16],
    destination: [u8; 16],
    identification: u32,
    version_6: bool,
}

/// Datagrams whose first fragment passed, the latest thousand.
#[derive(Debug, Default)]
pub struct Fragments {
    owners: HashMap<Datagram, Owner>,
    order: VecDeque<Datagram>,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    slot: u32,
    generation: u32,
    time: u64,
}

fn datagram(packet: &Ip<'_>, identification: u32) -> Datagram {
    Datagram {
        source: packet.source,
        destination: packet.destination,
        identification,
        version_6: packet.version_6,
    }
}

impl Fragments {
    pub fn first(&mut self, packet: &Ip<'_>, identification: u32, flow: (u32, u32), time: u64) {
        let datagram = datagram(packet, identification);
        let (slot, generation) = flow;
        if self.owners.insert(datagram, Owner { slot, generation, time }).is_some() {
            return;
        }
        self.order.push_back(datagram);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.owners.remove(&oldest);
        }
    }

    /// Slot and generation of the flow that the later fragment belongs to.
    pub fn later(&self, packet: &Ip<'_>, identification: u32, time: u64) -> Option<(u32, u32)> {
        let owner = self.owners.get(&datagram(packet, identification))?;
        (time.saturating_sub(owner.time) <= KEPT).then_some((owner.slot, owner.generation))
    }
}

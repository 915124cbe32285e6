//! What a packet does to its flow, and when a flow begins and ends.
use std::time::Duration;

use super::batch::Decoded;
use super::counting::Course;
use super::{Mode, Pipeline, Settings};
use crate::decode::application::Application;
use crate::decode::{Fragment, Ip, Tcp, Transport};
use crate::flows::key::Key;
use crate::flows::own::{OwnAddresses, is_group};
use crate::flows::record::{FlowDirection, FlowKind, TcpState};
use crate::flows::table::Entry;
use crate::flows::tcp::{ACK, Detail, RST, SYN};

/// Which ends are here, by own addresses; what is sent to a group arrives at its members.
pub(super) fn place(entry: &mut Entry, own: &OwnAddresses) {
    let [low, high] = entry.key.numbers();
    let (initiator, responder) = if entry.from_low { (low, high) } else { (high, low) };
    let initiator_here = own.has(initiator);
    let responder_here = own.has(responder) || !initiator_here && is_group(responder);
    entry.direction = FlowDirection::of([initiator_here, responder_here]);
}

/// After how many quiet nanoseconds a flow's record has ended.
#[derive(Debug)]
pub(super) struct Ends {
    closed: u64,
    idle_tcp: u64,
    idle_other: u64,
}

impl Ends {
    pub(super) fn new(settings: &Settings) -> Self {
        let nanos = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let closed = if settings.mode == Mode::Live { settings.closed } else { settings.idle_tcp };
        Self {
            closed: nanos(closed),
            idle_tcp: nanos(settings.idle_tcp),
            idle_other: nanos(settings.idle_other),
        }
    }
}

impl Pipeline {
    /// Counts a packet to its flow.
    #[inline]
    pub(super) fn flow(
        &mut self,
        packet: &Ip<'_>,
        decoded: &Decoded<'_>,
        (bytes, sent): (u64, Option<bool>),
        time: u64,
    ) -> Course {
        let Decoded { key, from_low, hash, .. } = *decoded;
        let mut found = match decoded.slot {
            Some(slot) if self.table.holds(slot, &key) => Some(slot),
            None if decoded.is_new => None,
            _ => self.table.find(&key, hash),
        };
        if let Fragment::Later(identification) = packet.fragment {
            // before the remnant of the same addresses, which one lost first fragment is enough to leave behind
            found = self.owner_of_fragment(packet, identification, time).or(found);
        }
        let mut first = false;
        let slot = match found {
            Some(slot) => {
                if self.starts_anew(slot, packet, time) {
                    self.next_record(slot, packet, from_low, time);
                    first = true;
                }
                slot
            }
            None => {
                first = true;
                self.introduce(key, hash, packet, from_low, time)
            }
        };
        if first {
            self.owners.began(slot, sent.unwrap_or(false), from_low);
        }
        if self.settings.mode == Mode::Live
            && let Fragment::First(identification) = packet.fragment
            && let Some(entry) = self.table.get(slot)
        {
            self.fragments.first(packet, identification, (slot, entry.generation), time);
        }
        self.count(slot, packet, (from_low, first), bytes, sent)
    }

    fn owner_of_fragment(&self, packet: &Ip<'_>, identification: u32, time: u64) -> Option<u32> {
        if self.settings.mode != Mode::Live {
            return None;
        }
        let (slot, generation) = self.fragments.later(packet, identification, time)?;
        self.table.get(slot).filter(|entry| entry.generation == generation).map(|_| slot)
    }

    #[inline]
    fn count(
        &mut self,
        slot: u32,
        packet: &Ip<'_>,
        (from_low, first): (bool, bool),
        bytes: u64,
        sent: Option<bool>,
    ) -> Course {
        let now = self.clock.now();
        let fallback = Course { source_here: false, destination_here: false, sent: sent.unwrap_or(false) };
        let Some(entry) = self.table.get(slot) else { return fallback };
        if entry.waiting && entry.window != self.window {
            self.spill(slot, false);
        }
        let Some(entry) = self.table.get_mut(slot) else { return fallback };
        let forward = from_low == entry.from_low;
        let [initiator_here, responder_here] = entry.direction.here();
        let (source_here, destination_here) =
            if forward { (initiator_here, responder_here) } else { (responder_here, initiator_here) };
        let course =
            Course { source_here, destination_here, sent: sent.unwrap_or(source_here && !destination_here) };
        entry.count(forward, course.sent, (bytes, u64::from(packet.payload_length)));
        entry.last_seen = now;
        entry.used |= !first;
        if !entry.waiting {
            entry.waiting = true;
            entry.window = self.window;
            self.telling.waits(slot, entry);
        }
        match &packet.transport {
            Transport::Tcp(tcp) => {
                let expected = self.segment(slot, tcp, forward, first);
                self.carried(slot, packet, forward, (bytes, expected));
            }
            Transport::Udp { .. } => self.carried(slot, packet, forward, (bytes, None)),
            _ => {}
        }
        course
    }

    /// What the flow carries, and the packet's count to it.
    #[inline]
    fn carried(&mut self, slot: u32, packet: &Ip<'_>, forward: bool, (bytes, expected): (u64, Option<u32>)) {
        self.inspect(slot, packet, forward, expected);
        let application = self.table.get(slot).map_or(Application::Other, |entry| entry.application);
        self.counting.application(application, bytes);
    }

    /// The sequence number that was expected before it.
    #[inline]
    fn segment(&mut self, slot: u32, tcp: &Tcp<'_>, forward: bool, first: bool) -> Option<u32> {
        let now = self.clock.now();
        let entry = self.table.get_mut(slot)?;
        if first {
            return None;
        }
        if entry.tcp == u32::MAX {
            let detail = Detail::new(entry.state == TcpState::New);
            if let Some(free) = self.free_details.pop() {
                entry.tcp = free;
                if let Some(place) = self.details.get_mut(free as usize) {
                    *place = detail;
                }
            } else {
                entry.tcp = u32::try_from(self.details.len()).unwrap_or(u32::MAX);
                self.details.push(detail);
            }
        }
        let detail = self.details.get_mut(entry.tcp as usize)?;
        let expected = detail.expected(forward);
        let changes = detail.segment(tcp, forward, entry.state, [entry.first_seen, now]);
        entry.state = detail.next_state(entry.state, tcp.flags, forward);
        let counters = &mut self.counting.counters;
        counters.retransmitted_segments += u64::from(changes.retransmitted);
        counters.zero_windows += u64::from(changes.zero_window);
        if let Some(micros) = changes.round_trip_micros {
            counters.handshakes += 1;
            counters.round_trip_micros += u64::from(micros);
            self.clock.round_trip(u64::from(micros));
        }
        expected
    }

    /// Whether the key's record has ended, so that this packet begins the next one.
    #[inline]
    fn starts_anew(&self, slot: u32, packet: &Ip<'_>, time: u64) -> bool {
        let Some(entry) = self.table.get(slot) else { return false };
        if let Transport::Tcp(tcp) = &packet.transport
            && tcp.flags & (SYN | ACK) == SYN
            && matches!(entry.state, TcpState::Closed | TcpState::Closing | TcpState::Reset)
        {
            return true;
        }
        self.has_ended(entry, time)
    }

    #[inline]
    fn has_ended(&self, entry: &Entry, time: u64) -> bool {
        let limit = match (entry.key.protocol, entry.state) {
            (6, TcpState::Closed | TcpState::Reset) => self.ends.closed,
            (6, _) => self.ends.idle_tcp,
            _ => self.ends.idle_other,
        };
        time.saturating_sub(entry.last_seen) > limit
    }

    #[cold]
    fn next_record(&mut self, slot: u32, packet: &Ip<'_>, from_low: bool, time: u64) {
        self.spill(slot, true);
        let Some(entry) = self.table.get(slot) else { return };
        let mut next = entry.next_record(from_low, time);
        let detail = entry.tcp;
        self.free_detail(detail);
        self.begin(&mut next, packet);
        if let Some(place) = self.table.get_mut(slot) {
            *place = next;
        }
        self.owners.introduced(slot);
    }

    fn introduce(&mut self, key: Key, hash: u64, packet: &Ip<'_>, from_low: bool, time: u64) -> u32 {
        if let Some(victim) = self.table.victim() {
            self.counting.counters.evicted_flows += 1;
            self.forget(victim);
        }
        if key.kind() == FlowKind::Flow {
            match key.protocol {
                6 => self.flow_counts.tcp += 1,
                17 => self.flow_counts.udp += 1,
                1 | 58 => self.flow_counts.icmp += 1,
                _ => self.flow_counts.other += 1,
            }
        }
        let mut entry = Entry::new(key, from_low, time);
        self.begin(&mut entry, packet);
        let slot = self.table.insert(hash, entry);
        self.owners.introduced(slot);
        slot
    }

    /// What the first packet says of its flow.
    #[inline]
    fn begin(&self, entry: &mut Entry, packet: &Ip<'_>) {
        if let Transport::Tcp(tcp) = &packet.transport {
            entry.state = match tcp.flags & (SYN | ACK | RST) {
                SYN => TcpState::New,
                flags if flags & RST != 0 => TcpState::Reset,
                flags if flags & SYN != 0 => {
                    entry.from_low = !entry.from_low; // an answer: the other side began
                    TcpState::HalfOpen
                }
                _ => TcpState::Established,
            };
        }
        place(entry, &self.own);
        self.expect(entry, packet);
    }

    /// Tells what the slot holds outside its turn, and frees it.
    #[cold]
    fn forget(&mut self, slot: u32) {
        self.spill(slot, true);
        self.take_name(slot);
        self.inspection.forget(slot);
        let Some(entry) = self.table.get(slot) else { return };
        let detail = entry.tcp;
        if self.settings.mode == Mode::File {
            self.top.evict(slot, entry.key);
        }
        self.free_detail(detail);
        self.table.remove(slot);
    }

    /// Most flows have none, and most of the time nobody has.
    #[inline]
    pub(super) fn take_name(&mut self, slot: u32) -> Option<Box<str>> {
        if self.flow_names.is_empty() { None } else { self.flow_names.remove(&slot) }
    }

    fn free_detail(&mut self, detail: u32) {
        if detail != u32::MAX {
            self.free_details.push(detail);
        }
    }

    /// An eighth of the table at a time: flows that have ended leave it.
    pub(super) fn forget_ended(&mut self) {
        let slots = self.table.slots();
        let now = self.clock.now();
        for _ in 0..slots.div_ceil(8) {
            self.sweep = if self.sweep + 1 < slots { self.sweep + 1 } else { 0 };
            let Ok(slot) = u32::try_from(self.sweep) else { return };
            if self.table.get(slot).is_some_and(|entry| self.has_ended(entry, now)) {
                self.forget(slot);
            }
        }
    }
}

//! The bounded flow table: entries in a slab, found through an index of four bytes a flow.
use super::index::Index;
use super::key::Key;
use super::record::{FlowDirection, Tally, TcpState};
use crate::decode::application::Application;

/// One flow. Two cache lines; what few flows have lies elsewhere.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Entry {
    pub key: Key,
    pub application: Application,
    /// Payloads that may still be looked at for what they carry.
    pub looks: u8,
    /// The low end of the key is the initiator.
    pub from_low: bool,
    /// The identity was told.
    pub introduced: bool,
    /// Growth waits to be told, in the window `window`.
    pub waiting: bool,
    /// Used since the hand of eviction came by.
    pub used: bool,
    pub state: TcpState,
    pub direction: FlowDirection,
    /// Of the slot: the number, modulo 65,535 and from 1 on, of the window in which it stands among those that were not
    /// told yet; 0: in none.
    pub queued: u16,
    pub generation: u32,
    /// Index into the TCP details, `u32::MAX` without.
    pub tcp: u32,
    pub window: u32,
    /// Growth not told: packets forward, backward and sent, then bytes.
    packets: [u32; 3],
    bytes: [u64; 3],
    /// Of it above the transport header, forward and backward.
    payload: [u64; 2],
    pub first_seen: u64,
    pub last_seen: u64,
}

const _: () = assert!(size_of::<Entry>() == 128);

/// Growth of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    pub forward: Tally,
    pub backward: Tally,
    /// What of both was sent.
    pub sent: Tally,
    /// Bytes above the transport header, forward and backward.
    pub payload: [u64; 2],
}

impl Entry {
    #[inline]
    pub fn count(&mut self, forward: bool, sent: bool, (bytes, payload): (u64, u64)) {
        let [packets_forward, packets_backward, packets_sent] = &mut self.packets;
        let [bytes_forward, bytes_backward, bytes_sent] = &mut self.bytes;
        let [payload_forward, payload_backward] = &mut self.payload;
        let (packets, total, above) = if forward {
            (packets_forward, bytes_forward, payload_forward)
        } else {
            (packets_backward, bytes_backward, payload_backward)
        };
        *packets = packets.wrapping_add(1);
        *total = total.wrapping_add(bytes);
        *above = above.wrapping_add(payload);
        if sent {
            *packets_sent = packets_sent.wrapping_add(1);
            *bytes_sent = bytes_sent.wrapping_add(bytes);
        }
    }

    /// What was not told.
    pub fn growth(&self) -> Growth {
        let ([p0, p1, p2], [b0, b1, b2]) = (self.packets, self.bytes);
        let tally = |packets: u32, bytes| Tally { packets: u64::from(packets), bytes };
        Growth { forward: tally(p0, b0), backward: tally(p1, b1), sent: tally(p2, b2), payload: self.payload }
    }

    /// What was not told counts as told from now on.
    pub fn settle(&mut self) -> Growth {
        let growth = self.growth();
        self.packets = [0; 3];
        self.bytes = [0; 3];
        self.payload = [0; 2];
        self.waiting = false;
        growth
    }

    /// Bytes that wait to be told.
    pub fn growth_bytes(&self) -> u64 {
        let [forward, backward, _] = self.bytes;
        forward.saturating_add(backward)
    }
}

/// What looking a key up came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Old(u32),
    New(u32),
}

/// Entries by key.
#[derive(Debug)]
pub struct Table {
    index: Index,
    entries: Vec<Entry>,
    free: Vec<u32>,
    most: usize,
    hand: usize,
    seed: [u64; 2],
}

/// How many used entries the hand passes before it takes one nevertheless.
const MOST_CHANCES: usize = 8;

impl Table {
    pub fn new(most: usize, seed: [u64; 2]) -> Self {
        let most = most.clamp(1, u32::MAX as usize - 1);
        Self { index: Index::default(), entries: Vec::new(), free: Vec::new(), most, hand: 0, seed }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Slots that were ever used; some may be free.
    pub fn slots(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub fn get(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot as usize)
    }

    #[inline]
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    #[inline]
    pub fn hash(&self, key: &Key) -> u64 {
        key.hash(self.seed)
    }

    /// Has what `find` looks at first fetched: for the keys of several packets at once.
    #[inline]
    pub fn fetch(&self, hash: u64) {
        self.index.fetch(hash);
    }

    /// Has what removing the next `count` victims needs fetched.
    pub fn fetch_victims(&self, count: usize) {
        if self.entries.len() < self.most || self.free.len() >= count {
            return;
        }
        for entry in self.entries.iter().skip(self.hand).take(count).filter(|entry| !entry.used) {
            self.index.fetch(entry.key.hash(self.seed));
        }
    }

    /// The slot of a key, whose hash is given.
    #[inline]
    pub fn find(&self, key: &Key, hash: u64) -> Option<u32> {
        self.index.find(hash, |slot| self.holds(slot, key))
    }

    /// Whether the next `insert` needs room, and which slot it takes: the caller tells what that one holds and `remove`s it.
    pub fn victim(&mut self) -> Option<u32> {
        if !self.free.is_empty() || self.entries.len() < self.most {
            return None;
        }
        for _ in 0..MOST_CHANCES {
            match self.entries.get_mut(self.hand) {
                Some(entry) if entry.used => entry.used = false,
                _ => break,
            }
            self.step();
        }
        let slot = u32::try_from(self.hand).ok();
        self.step();
        slot
    }

    fn step(&mut self) {
        self.hand = if self.hand + 1 < self.entries.len() { self.hand + 1 } else { 0 };
    }

    /// Makes the slot free; its generation goes on.
    pub fn remove(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot as usize) else { return };
        if self.index.remove(entry.key.hash(self.seed), slot) {
            self.free.push(slot);
        }
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.last_seen = u64::MAX; // a free slot has nothing that could end
            entry.waiting = false;
            entry.key = Key::FREE;
        }
    }

    /// Room must be there: see `victim`. The entry's generation follows the slot's last one.
    pub fn insert(&mut self, hash: u64, mut entry: Entry) -> u32 {
        let slot = if let Some(slot) = self.free.pop() {
            if let Some(place) = self.entries.get_mut(slot as usize) {
                entry.follow(place);
                *place = entry;
            }
            slot
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        };
        let (entries, seed) = (&self.entries, self.seed);
        self.index
            .insert(hash, slot, |slot| entries.get(slot as usize).map_or(0, |entry| entry.key.hash(seed)));
        slot
    }

    /// Whether the slot holds this key now.
    #[inline]
    pub fn holds(&self, slot: u32, key: &Key) -> bool {
        self.get(slot).is_some_and(|entry| entry.key == *key)
    }
}

impl Entry {
    pub fn new(key: Key, from_low: bool, time: u64) -> Self {
        Self {
            key,
            application: Application::Other,
            looks: 0,
            from_low,
            introduced: false,
            waiting: false,
            used: false, // one packet is no use yet: a flood of such flows must not drive out the others
            state: TcpState::New,
            direction: FlowDirection::Forwarded,
            queued: 0,
            generation: 0,
            tcp: u32::MAX,
            window: 0,
            packets: [0; 3],
            bytes: [0; 3],
            payload: [0; 2],
            first_seen: time,
            last_seen: time,
        }
    }

    /// Takes the slot of an entry that has ended.
    fn follow(&mut self, ended: &Self) {
        self.generation = ended.generation.wrapping_add(1);
        self.queued = ended.queued;
    }

    /// The same key's next record.
    pub fn next_record(&self, from_low: bool, time: u64) -> Self {
        let mut next = Self::new(self.key, from_low, time);
        next.follow(self);
        next
    }
}

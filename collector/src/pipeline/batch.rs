//! A few packets of the ring together, so that memory is not waited for packet by packet. They are copied: a packet stays
//! where it is only until the next one is asked for.
use super::{Pipeline, Sample};
use crate::decode::{Content, Frame, decode};
use crate::flows::key::Key;
use crate::flows::tcp::Detail;

/// Enough that what they need from memory is fetched at the same time.
const MOST: usize = 16;

/// Flows whose entries stay in the caches of a processor.
const MOST_AT_HAND: usize = 4_096;

/// A frame's facts, and where its flow is looked for.
#[derive(Debug)]
pub struct Decoded<'a> {
    pub(super) time: u64,
    pub(super) wire_length: u32,
    pub(super) captured: u32,
    /// VLAN tags, outer and inner.
    pub(super) tags: u8,
    /// Whether this interface sent it, where that can be told.
    pub(super) sent: Option<bool>,
    pub(super) content: Content<'a>,
    pub(super) key: Key,
    pub(super) from_low: bool,
    pub(super) hash: u64,
    /// Where `fetch` found its flow.
    pub(super) slot: Option<u32>,
    /// `fetch` found none, and no packet since may have begun it.
    pub(super) is_new: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    stamp: u64,
    time: u64,
    wire_length: u32,
    end: usize,
}

/// Packets that wait to be counted.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Batch {
    /// `stamp` is what `count` says of it. True: the batch is full and must be counted.
    #[inline]
    pub fn add(&mut self, Sample { time, wire_length, data }: Sample<'_>, stamp: u64) -> bool {
        self.bytes.extend_from_slice(data);
        self.places.push(Place { stamp, time, wire_length, end: self.bytes.len() });
        self.places.len() >= MOST
    }

    /// Counts all, in their order; `before` each is called with the packet's stamp.
    #[inline]
    pub fn count(&mut self, pipeline: &mut Pipeline, mut before: impl FnMut(&mut Pipeline, u64)) {
        let Self { bytes, places } = &*self;
        let mut decoded = Vec::with_capacity(MOST);
        let mut begin = 0;
        decoded.extend(places.iter().map(|place| {
            let data = bytes.get(begin..place.end).unwrap_or_default();
            begin = place.end;
            pipeline.decode(Sample { time: place.time, wire_length: place.wire_length, data })
        }));
        pipeline.fetch(&mut decoded);
        for (place, decoded) in places.iter().zip(&decoded) {
            before(pipeline, place.stamp);
            pipeline.count_frame(decoded);
        }
        self.places.clear();
        self.bytes.clear();
    }
}

impl Pipeline {
    /// Whether there are so many flows that most packets wait for memory: then it pays to count them in batches.
    #[inline]
    pub fn is_large(&self) -> bool {
        self.table.slots() > MOST_AT_HAND
    }

    /// The first half of `packet`. Whoever has a few packets does it for all of them and then has their flows fetched, so
    /// that memory is not waited for packet by packet.
    #[inline]
    pub fn decode<'a>(&self, sample: Sample<'a>) -> Decoded<'a> {
        let Sample { time, wire_length, data } = sample;
        let Frame { tags, sent, source_mac, content, .. } = decode(self.link, wire_length, data);
        let sent = match (self.own.mac(), source_mac) {
            (Some(own), Some(source)) => Some(own == source),
            _ => sent,
        };
        let (key, from_low, hash) = match &content {
            Content::Ip(packet) => {
                let (key, from_low) = Key::of(packet);
                (key, from_low, self.table.hash(&key))
            }
            _ => (Key::default(), false, 0),
        };
        let captured = u32::try_from(data.len()).unwrap_or(u32::MAX);
        Decoded {
            time,
            wire_length,
            captured,
            tags,
            sent,
            content,
            key,
            from_low,
            hash,
            slot: None,
            is_new: false,
        }
    }

    /// Looks up the flows of decoded frames, so that memory is waited for once for all of them.
    #[inline]
    pub fn fetch(&self, decoded: &mut [Decoded<'_>]) {
        decoded.iter().for_each(|decoded| self.table.fetch(decoded.hash));
        let all = decoded.iter_mut();
        // a bit of 64 for each new key: most are new to the batch too
        let (mut new, mut bits) = (0, 0u64);
        for decoded in all.filter(|decoded| matches!(decoded.content, Content::Ip(_))) {
            decoded.slot = self.table.find(&decoded.key, decoded.hash);
            let entry = decoded.slot.and_then(|slot| self.table.get(slot));
            let detail = entry.and_then(|entry| self.details.get(entry.tcp as usize));
            std::hint::black_box(detail.is_some_and(Detail::is_measured));
            if decoded.slot.is_none() {
                let bit = 1 << (decoded.hash >> 58);
                decoded.is_new = bits & bit == 0;
                bits |= bit;
                new += 1;
            }
        }
        if new > 0 {
            self.table.fetch_victims(new);
        }
    }
}

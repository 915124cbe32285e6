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
    pub(super) sample: Sample<'a>,
    pub(super) frame: Frame<'a>,
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
        let mut decoded = [const { None }; MOST];
        let mut begin = 0;
        for (decoded, place) in decoded.iter_mut().zip(&self.places) {
            let data = self.bytes.get(begin..place.end).unwrap_or_default();
            *decoded =
                Some(pipeline.decode(Sample { time: place.time, wire_length: place.wire_length, data }));
            begin = place.end;
        }
        pipeline.fetch(&mut decoded);
        for (place, decoded) in self.places.iter().zip(decoded.iter().flatten()) {
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
        let frame = decode(self.link, sample.wire_length, sample.data);
        let (key, from_low, hash) = match &frame.content {
            Content::Ip(packet) => {
                let (key, from_low) = Key::of(packet);
                (key, from_low, self.table.hash(&key))
            }
            _ => (Key::default(), false, 0),
        };
        Decoded { sample, frame, key, from_low, hash, slot: None, is_new: false }
    }

    /// Looks up the flows of decoded frames, so that memory is waited for once for all of them.
    #[inline]
    pub fn fetch(&self, decoded: &mut [Option<Decoded<'_>>]) {
        decoded.iter().flatten().for_each(|decoded| self.table.fetch(decoded.hash));
        let all = decoded.iter_mut().flatten();
        // a bit of 64 for each new key: most are new to the batch too
        let (mut new, mut bits) = (0, 0u64);
        for decoded in all.filter(|decoded| matches!(decoded.frame.content, Content::Ip(_))) {
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

//! A few packets of the ring together, so that memory is not waited for packet by packet. They are copied: a packet stays
//! where it is only until the next one is asked for.
use super::{Pipeline, Sample};

/// Enough that what they need from memory is fetched at the same time.
const MOST: usize = 16;

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

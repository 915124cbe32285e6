//! Blocks of a pcapng file (draft-ietf-opsawg-pcapng).
use super::file::{Bytes, Fault, LONGEST_RECORD, Located, Packet, word};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const MOST_INTERFACES: usize = 65_536;
/// In April 2262: what a broken stamp becomes leaves room for the end of the window that it is in.
const LATEST: u64 = i64::MAX.unsigned_abs();

#[derive(Clone, Copy, Debug)]
struct Interface {
    link_type: i32,
    snap_length: u32,
    resolution: Resolution,
    /// Seconds.
    offset: i64,
}

/// Ticks a second.
#[derive(Clone, Copy, Debug)]
enum Resolution {
    Microseconds,
    Nanoseconds,
    Other(u128),
}

/// The section that is being read.
#[derive(Debug, Default)]
pub(super) struct Sections {
    swapped: bool,
    interfaces: Vec<Interface>,
    /// Of the last packet: simple packets have none.
    time: u64,
}

/// Where a packet lies in its block.
struct Place {
    interface: usize,
    ticks: Option<u64>,
    wire_length: u32,
    length: usize,
    at: usize,
}

impl Sections {
    pub(super) fn link_type(&self) -> Option<i32> {
        self.interfaces.first().map(|interface| interface.link_type)
    }

    pub(super) fn next<'a>(&mut self, bytes: &'a mut Bytes) -> Located<Option<Packet<'a>>> {
        loop {
            let offset = Some(bytes.offset());
            let Some((kind, length)) = self.block(bytes).map_err(|fault| (offset, fault))? else {
                return Ok(None);
            };
            let place = match kind {
                OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {
                    Some(self.place(kind, bytes.peeked(8, length - 12)).ok_or_else(|| {
                        (offset, Fault::Broken("a packet that does not fit its block".into()))
                    })?)
                }
                INTERFACE => {
                    let interface = interface(bytes.peeked(8, length - 12), self.swapped)
                        .filter(|_| self.interfaces.len() < MOST_INTERFACES)
                        .ok_or_else(|| {
                            (offset, Fault::Broken("an interface block that is not valid".into()))
                        })?;
                    self.interfaces.push(interface);
                    None
                }
                _ => None,
            };
            bytes.skip(length);
            if let Some(place) = place {
                let interface = self.interfaces.get(place.interface).ok_or_else(|| {
                    (offset, Fault::Broken(format!("interface {} is not described", place.interface)))
                })?;
                if let Some(ticks) = place.ticks {
                    self.time = interface.time(ticks);
                }
                let passed = bytes.passed(length);
                let data = passed.get(place.at..place.at + place.length).unwrap_or_default();
                return Ok(Some(Packet {
                    time: self.time,
                    wire_length: place.wire_length.max(u32::try_from(place.length).unwrap_or(0)),
                    link_type: interface.link_type,
                    data,
                }));
            }
        }
    }

    /// Kind and whole length of the next block, which is in the buffer; one of another kind is stepped over, and has 0.
    fn block(&mut self, bytes: &mut Bytes) -> Result<Option<(u32, usize)>, Fault> {
        let head = bytes.peek(12)?;
        if head.is_empty() {
            return Ok(None);
        }
        let [Some(kind), Some(length), Some(order)] = [0, 4, 8].map(|at| head.get(at..at + 4)) else {
            return Err(Fault::Missing(12 - head.len()));
        };
        let mut kind = word(kind, self.swapped);
        if word(head, false) == SECTION {
            self.swapped = match word(order, false) {
                0x1a2b_3c4d => false,
                0x4d3c_2b1a => true,
                _ => return Err(Fault::Broken("a section without its byte order".into())),
            };
            self.interfaces.clear();
            kind = SECTION;
        }
        let length = word(length, self.swapped) as usize;
        let is_read = matches!(kind, SECTION | INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET);
        if length < 12 || !length.is_multiple_of(4) || is_read && length > LONGEST_RECORD {
            return Err(Fault::Broken(format!("a block of {length} bytes")));
        }
        if !is_read {
            return step_over(bytes, length).map(|()| Some((kind, 0)));
        }
        let there = bytes.peek(length)?.len();
        if there < length { Err(Fault::Missing(length - there)) } else { Ok(Some((kind, length))) }
    }

    fn place(&self, kind: u32, body: &[u8]) -> Option<Place> {
        let field = |at: usize| body.get(at..at + 4).map(|field| word(field, self.swapped));
        let ticks = || Some(u64::from(field(4)?) << 32 | u64::from(field(8)?));
        let mut place = match kind {
            SIMPLE_PACKET => {
                let wire_length = field(0)?;
                let snap = self.interfaces.first().map_or(0, |interface| interface.snap_length);
                let length = if snap == 0 { wire_length } else { wire_length.min(snap) } as usize;
                Place {
                    interface: 0,
                    ticks: None,
                    wire_length,
                    length: length.min(body.len().checked_sub(4)?),
                    at: 12,
                }
            }
            _ => {
                let interface = field(0)?;
                let interface = match (kind, self.swapped) {
                    (ENHANCED_PACKET, _) => interface,
                    (_, false) => interface & 0xffff,
                    (_, true) => interface >> 16,
                };
                Place {
                    interface: interface as usize,
                    ticks: Some(ticks()?),
                    wire_length: field(16)?,
                    length: field(12)? as usize,
                    at: 28,
                }
            }
        };
        if place.at - 8 + place.length > body.len() {
            return None;
        }
        place.wire_length = place.wire_length.max(u32::try_from(place.length).ok()?);
        Some(place)
    }
}

/// Passes a block that may be longer than the buffer: names, secrets and other programs' own blocks.
fn step_over(bytes: &mut Bytes, length: usize) -> Result<(), Fault> {
    let mut left = length;
    while left > 0 {
        let there = bytes.peek(left.min(LONGEST_RECORD))?.len();
        if there == 0 {
            return Err(Fault::Missing(left));
        }
        bytes.skip(there);
        left -= there;
    }
    Ok(())
}

fn interface(body: &[u8], swapped: bool) -> Option<Interface> {
    let head: &[u8; 8] = body.first_chunk()?;
    let half = |a: u8, b: u8| if swapped { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
    let mut interface = Interface {
        link_type: i32::from(half(head[0], head[1])),
        snap_length: word(body.get(4..)?, swapped),
        resolution: Resolution::Microseconds,
        offset: 0,
    };
    let mut options = body.get(8..)?;
    while let Some([c0, c1, l0, l1]) = options.first_chunk().copied() {
        let (code, length) = (half(c0, c1), usize::from(half(l0, l1)));
        let Some(value) = options.get(4..4 + length) else { break };
        match (code, value) {
            (0, _) => break,
            (9, [resolution]) => interface.resolution = Resolution::from_option(*resolution)?,
            (14, [..]) if length == 8 => {
                let value = u64::from_le_bytes(*value.first_chunk()?);
                interface.offset = (if swapped { value.swap_bytes() } else { value }).cast_signed();
            }
            _ => {}
        }
        options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(interface)
}

impl Resolution {
    /// `if_tsresol`: a negative power of 10, or of 2 with the highest bit set.
    fn from_option(option: u8) -> Option<Self> {
        Some(match option {
            6 => Self::Microseconds,
            9 => Self::Nanoseconds,
            ten @ 0..=127 => Self::Other(10u128.checked_pow(u32::from(ten))?),
            two => Self::Other(1u128.checked_shl(u32::from(two & 127))?),
        })
    }
}

impl Interface {
    fn time(&self, ticks: u64) -> u64 {
        let nanos = match self.resolution {
            Resolution::Microseconds => u128::from(ticks) * 1000,
            Resolution::Nanoseconds => u128::from(ticks),
            Resolution::Other(a_second) => {
                let ticks = u128::from(ticks);
                ticks / a_second * 1_000_000_000 + (ticks % a_second).saturating_mul(1_000_000_000) / a_second
            }
        };
        let offset = i128::from(self.offset) * 1_000_000_000;
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX).saturating_add(offset);
        u64::try_from(nanos.max(0)).unwrap_or(u64::MAX).min(LATEST)
    }
}

#[cfg(test)]
#[path = "pcapng_tests.rs"]
mod tests;

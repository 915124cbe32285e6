//! DNS over TCP (RFC 7766): messages with their lengths before them, cut into segments anywhere.
//!
//! Where a stream was not seen from its beginning nothing says where a message begins. So a segment that is made of whole
//! ones is read at once, and one that ends within a message begins to be put together only where it follows on what came
//! before and looks like DNS.
use super::Pipeline;
use crate::decode::application::assembly::{Assembly, LONGEST};
use crate::decode::application::dns;
use crate::decode::{Payload, Tcp};
use crate::flows::tcp::distance;

const MOST_UNFINISHED: usize = 512;
/// Of the length before each message.
const LENGTH_BYTES: usize = 2;

/// Messages of one direction of a flow of which parts are missing.
#[derive(Debug)]
pub(super) struct Unfinished {
    generation: u32,
    /// The sequence number of the first one's length.
    base: u32,
    assembly: Assembly,
}

/// What a stream begins with, as far as it is there.
enum First<'a> {
    /// And how many bytes it takes with its length.
    Whole(&'a [u8], usize),
    /// And how many bytes it will take.
    Part(usize),
    /// Its length is not there.
    Nothing,
    NotDns,
}

fn first(stream: &[u8]) -> First<'_> {
    let [high, low, rest @ ..] = stream else { return First::Nothing };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length < dns::HEAD_BYTES || !dns::may_begin(rest) {
        return First::NotDns;
    }
    match rest.get(..length) {
        Some(message) => First::Whole(message, length + LENGTH_BYTES),
        None => First::Part(length + LENGTH_BYTES),
    }
}

/// A segment's messages, None where it does not end with one.
fn whole_messages(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut messages = Vec::new();
    while let [high, low, next @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (message, next) = next.split_at_checked(length)?;
        messages.push(message);
        rest = next;
    }
    rest.is_empty().then_some(messages)
}

impl Pipeline {
    pub(super) fn messages(&mut self, slot: u32, tcp: &Tcp<'_>, forward: bool, expected: Option<u32>) {
        let generation = self.table.get(slot).map_or(0, |entry| entry.generation);
        let begun = self.inspection.messages.remove(&(slot, forward));
        let begun = begun.filter(|begun| begun.generation == generation);
        let unfinished = match (begun, whole_messages(tcp.payload.data)) {
            (Some(begun), _) => begun,
            (None, Some(messages)) => {
                return messages.into_iter().for_each(|message| self.message(message, true));
            }
            (None, None) if expected == Some(tcp.sequence) => {
                Unfinished { generation, base: tcp.sequence, assembly: Assembly::default() }
            }
            (None, None) => return,
        };
        if let Some(unfinished) = self.go_on(unfinished, tcp) {
            if self.inspection.messages.len() >= MOST_UNFINISHED {
                self.inspection.messages.clear(); // whoever fills this begins messages and does not end them
            }
            self.inspection.messages.insert((slot, forward), unfinished);
        }
    }

    /// Takes in a segment; None: there is nothing to wait for.
    fn go_on(&mut self, mut unfinished: Unfinished, tcp: &Tcp<'_>) -> Option<Unfinished> {
        let Payload { mut data, length } = tcp.payload;
        let end = tcp.sequence.wrapping_add(length);
        if distance(unfinished.base, end) <= 0 {
            return Some(unfinished); // it is read, or passed over
        }
        if !tcp.payload.is_whole() {
            return None; // the rest of it was not kept
        }
        while !data.is_empty() {
            let sequence = end.wrapping_sub(u32::try_from(data.len()).unwrap_or(0));
            let ahead = distance(unfinished.base, sequence);
            let Ok(at) = usize::try_from(ahead) else {
                data = data.get(ahead.unsigned_abs() as usize..).unwrap_or_default();
                continue;
            };
            let (piece, rest) = data.split_at(LONGEST.saturating_sub(at).min(data.len()));
            let assembly = &mut unfinished.assembly;
            let leaves_gap = at > assembly.start().len();
            let added = if leaves_gap { assembly.add(at, piece) } else { assembly.follow(at, piece) };
            if !added || !self.read(&mut unfinished) {
                return None;
            }
            data = rest;
        }
        (unfinished.base != end || !unfinished.assembly.is_empty()).then_some(unfinished)
    }

    /// Reads what has become whole. False: it is not DNS.
    fn read(&mut self, unfinished: &mut Unfinished) -> bool {
        loop {
            let taken = match first(unfinished.assembly.start()) {
                First::Whole(message, taken) => {
                    self.message(message, true);
                    taken
                }
                First::Part(taken) if taken > LONGEST => taken, // passed over
                First::Part(_) | First::Nothing => return true,
                First::NotDns => return false,
            };
            unfinished.base = unfinished.base.wrapping_add(u32::try_from(taken).unwrap_or(0));
            unfinished.assembly.advance(taken);
        }
    }
}

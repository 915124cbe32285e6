//! Hellos that take more than one segment or datagram, put together from the pieces that pass by.
use super::Pipeline;
use super::inspect::{ASSEMBLING, Look};
use crate::decode::Tcp;
use crate::decode::application::Application;
use crate::decode::application::assembly::Assembly;
use crate::decode::application::quic;
use crate::decode::application::tls::{self, Hello};
use crate::flows::tcp::PSH;

const MOST_ASSEMBLIES: usize = 512;

/// A hello of which parts are missing.
#[derive(Debug)]
pub(super) struct Beginning {
    generation: u32,
    /// The sequence number of the stream's first byte; 0 for QUIC.
    base: u32,
    assembly: Assembly,
    /// QUIC's first destination connection id.
    destination: Box<[u8]>,
}

impl Pipeline {
    pub(super) fn begin_hello(&mut self, slot: u32, tcp: &Tcp<'_>, base: u32) {
        let in_order = tcp.sequence == base;
        if in_order {
            self.found(slot, Look::Tls(None));
            self.pushed_too_early(tcp);
        }
        let Some(entry) = self.table.get_mut(slot) else { return };
        entry.looks = ASSEMBLING;
        let mut assembly = Assembly::default();
        assembly.add(tcp.sequence.wrapping_sub(base) as usize, tcp.payload.data);
        let generation = entry.generation;
        let beginning = Beginning { generation, base, assembly, destination: Box::default() };
        self.keep(slot, beginning);
    }

    fn keep(&mut self, slot: u32, beginning: Beginning) {
        if self.inspection.hellos.len() >= MOST_ASSEMBLIES {
            self.inspection.hellos.clear(); // whoever fills this opens hellos and does not end them
        }
        self.inspection.hellos.insert(slot, beginning);
    }

    /// A sender that pushes ends its message there: one that ends before a hello's fixed part has bad lengths.
    fn pushed_too_early(&mut self, tcp: &Tcp<'_>) {
        if tcp.flags & PSH != 0 && tcp.payload.is_whole() && (tcp.payload.length as usize) < tls::FIXED_PART {
            self.counting.counters.malformed_messages += 1;
        }
    }

    pub(super) fn inspect_more(&mut self, slot: u32, tcp: &Tcp<'_>) {
        let generation = self.table.get(slot).map_or(0, |entry| entry.generation);
        let Some(beginning) =
            self.inspection.hellos.get_mut(&slot).filter(|beginning| beginning.generation == generation)
        else {
            return self.found(slot, Look::Is(Application::Https));
        };
        let at = tcp.sequence.wrapping_sub(beginning.base) as usize;
        let again = at == 0;
        let goes_on = beginning.assembly.add(at, tcp.payload.data);
        let hello = tls::stream(beginning.assembly.start());
        if again {
            self.pushed_too_early(tcp);
        }
        match hello {
            Hello::More if goes_on => {}
            Hello::Not if goes_on && self.missing_start(slot) => {}
            Hello::Whole(name) => self.found(slot, Look::Tls(name)),
            hello => {
                self.counting.counters.malformed_messages += u64::from(hello == Hello::Bad);
                self.found(
                    slot,
                    Look::Is(self.table.get(slot).map_or(Application::Other, |entry| entry.application)),
                );
            }
        }
    }

    fn missing_start(&self, slot: u32) -> bool {
        self.inspection.hellos.get(&slot).is_some_and(|beginning| beginning.assembly.start().is_empty())
    }

    /// A client's Initial: its hello may span several.
    pub(super) fn initial(&mut self, slot: u32, datagram: &[u8], long: &quic::Long<'_>) -> Look {
        let generation = self.table.get(slot).map_or(0, |entry| entry.generation);
        let begun = self.inspection.hellos.get(&slot).filter(|begun| begun.generation == generation);
        let continued = begun.and_then(|begun| long.open(datagram, &begun.destination));
        let goes_back = continued.is_none(); // to the start, as after a Retry, with the keys of another id
        let Some(opened) = continued.or_else(|| long.open(datagram, long.destination)) else {
            return Look::Quic(None);
        };
        let begun = self.inspection.hellos.remove(&slot).filter(|_| !goes_back);
        let destination = long.destination;
        let mut beginning = begun.unwrap_or_else(|| Beginning {
            generation,
            base: 0,
            assembly: Assembly::default(),
            destination: destination.into(),
        });
        let goes_on = opened.crypto.iter().all(|(at, piece)| beginning.assembly.add(*at, piece));
        match tls::handshake(beginning.assembly.start()) {
            Hello::Whole(name) => Look::Quic(name),
            Hello::More if goes_on => {
                self.keep(slot, beginning);
                Look::More
            }
            _ => Look::Quic(None),
        }
    }
}

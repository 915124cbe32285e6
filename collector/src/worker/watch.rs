//! Live packet lists: which packets somebody is watching, told as headers and never payload, capped in rate, with exact
//! figures of everything that matched.
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::filter::{ETHERNET, Program};
use super::packets::{
    MOST_DETAIL_BYTES, MOST_HEADER_BYTES, MOST_LINES, PacketLine, PacketTotals, Packets, rank,
};
use super::records::{MOST_WATCHES, Record, Watch};
use crate::decode::{Described, describe};
use crate::flows::key::Key;
use crate::flows::own::OwnAddresses;
use crate::flows::record::Tally;

/// Addresses a list keeps figures of.
const MOST_ADDRESSES: usize = 4_096;
/// Lines of one list that wait for room in the socket.
const MOST_WAITING: usize = 1_024;
const SECOND: u64 = 1_000_000_000;

/// A packet with what a list says of it beyond its bytes.
pub(super) struct Seen<'a> {
    pub(super) id: u16,
    pub(super) link_type: i32,
    pub(super) own: &'a OwnAddresses,
    pub(super) time: u64,
    pub(super) wire_length: u32,
    pub(super) data: &'a [u8],
}

#[derive(Default)]
pub(super) struct Watches {
    open: Vec<List>,
    /// A bare IP packet behind an Ethernet header made up for it: programs are compiled for Ethernet.
    framed: Vec<u8>,
}

/// A line that is to be told.
struct Waiting {
    line: PacketLine,
    key: Option<Key>,
}

struct List {
    watch: Watch,
    begun: u64,
    latest: u64,
    second: u64,
    in_second: u32,
    waiting: Vec<Waiting>,
    matched: Tally,
    not_sent: u64,
    protocols: BTreeMap<u8, Tally>,
    sources: HashMap<IpAddr, Tally>,
    destinations: HashMap<IpAddr, Tally>,
    changed: bool,
}

impl Watches {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A list over the bound is not opened; the collector keeps to it.
    pub(super) fn start(&mut self, watch: Watch, now: u64) {
        if self.open.len() < MOST_WATCHES {
            self.open.push(List {
                watch,
                begun: now,
                latest: now,
                second: 0,
                in_second: 0,
                waiting: Vec::new(),
                matched: Tally::default(),
                not_sent: 0,
                protocols: BTreeMap::new(),
                sources: HashMap::new(),
                destinations: HashMap::new(),
                changed: true,
            });
        }
    }

    /// The last figures of a list; lines that still wait are counted as not sent.
    pub(super) fn stop(&mut self, watch: u32) -> Option<Record> {
        let at = self.open.iter().position(|list| list.watch.watch == watch)?;
        let mut list = self.open.remove(at);
        let first = list.waiting.len().min(MOST_LINES);
        let left = list.waiting.split_off(first);
        list.not_sent += u64::try_from(left.len()).unwrap_or(0);
        Some(list.packets(true, |_, _| None))
    }

    pub(super) fn packet(&mut self, seen: &Seen<'_>) {
        let mut described: Option<Described> = None;
        for list in &mut self.open {
            let watched = list.watch.interfaces.is_empty() || list.watch.interfaces.contains(&seen.id);
            if watched
                && list.watch.program.as_ref().is_none_or(|program| wants(program, seen, &mut self.framed))
            {
                let described = described
                    .get_or_insert_with(|| describe(seen.link_type, seen.own, seen.wire_length, seen.data));
                list.count(seen, described);
                list.show(seen, described);
            }
        }
    }

    pub(super) fn tick(&mut self, now: u64) {
        for list in &mut self.open {
            list.latest = list.latest.max(now);
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.open.iter().any(|list| list.changed)
    }

    /// `flow_of`: slot and generation of the flow that has a key on an interface. It is asked only now, since the first
    /// packet of a flow is shown before it is counted.
    pub(super) fn take(&mut self, flow_of: impl Fn(u16, &Key) -> Option<(u32, u32)>) -> Option<Record> {
        self.open.iter_mut().find(|list| list.changed).map(|list| list.packets(false, flow_of))
    }
}

fn wants(program: &Program, seen: &Seen<'_>, framed: &mut Vec<u8>) -> bool {
    if seen.link_type == ETHERNET {
        return program.matches(seen.data, seen.wire_length);
    }
    let kind: [u8; 2] =
        if seen.data.first().is_some_and(|first| first >> 4 == 6) { [0x86, 0xdd] } else { [0x08, 0x00] };
    framed.clear();
    framed.extend_from_slice(&[0; 12]);
    framed.extend_from_slice(&kind);
    framed.extend_from_slice(seen.data);
    program.matches(framed, seen.wire_length)
}

impl List {
    fn count(&mut self, seen: &Seen<'_>, described: &Described) {
        let bytes = u64::from(seen.wire_length);
        self.changed = true;
        self.latest = self.latest.max(seen.time);
        self.matched.count(bytes);
        self.protocols.entry(described.protocol.number()).or_default().count(bytes);
        for (end, table) in
            [(described.source, &mut self.sources), (described.destination, &mut self.destinations)]
        {
            if let Some(end) = end {
                if let Some(tally) = table.get_mut(&end.address) {
                    tally.count(bytes);
                } else if table.len() < MOST_ADDRESSES {
                    table.entry(end.address).or_default().count(bytes);
                }
            }
        }
    }

    fn show(&mut self, seen: &Seen<'_>, described: &Described) {
        let second = seen.time / SECOND;
        if second != self.second {
            (self.second, self.in_second) = (second, 0);
        }
        if self.in_second >= self.watch.most_packets_per_second || self.waiting.len() >= MOST_WAITING {
            self.not_sent += 1;
        } else {
            self.in_second += 1;
            self.waiting.push(Waiting { line: line(seen, described), key: described.key });
        }
    }

    fn packets(&mut self, last: bool, flow_of: impl Fn(u16, &Key) -> Option<(u32, u32)>) -> Record {
        let later = self.waiting.split_off(self.waiting.len().min(MOST_LINES));
        let line = |Waiting { line, key }| {
            let flow = key.as_ref().and_then(|key| flow_of(line.id, key));
            PacketLine { flow, ..line }
        };
        let lines = std::mem::replace(&mut self.waiting, later).into_iter().map(line).collect();
        self.changed = !self.waiting.is_empty();
        let totals = PacketTotals {
            matched: self.matched,
            not_sent: self.not_sent,
            millis: self.latest.saturating_sub(self.begun) / 1_000_000,
            protocols: self.protocols.iter().map(|(number, tally)| (*number, *tally)).collect(),
            sources: top(&self.sources),
            destinations: top(&self.destinations),
        };
        Record::Packets(Box::new(Packets { watch: self.watch.watch, lines, totals, last }))
    }
}

fn top(table: &HashMap<IpAddr, Tally>) -> Vec<(IpAddr, Tally)> {
    let mut rows: Vec<(IpAddr, Tally)> = table.iter().map(|(address, tally)| (*address, *tally)).collect();
    rank(&mut rows);
    rows
}

fn line(seen: &Seen<'_>, described: &Described) -> PacketLine {
    let mut detail = described.detail.clone();
    detail.truncate(detail.floor_char_boundary(MOST_DETAIL_BYTES));
    let header = seen.data.get(..described.header_length.min(MOST_HEADER_BYTES)).unwrap_or(seen.data);
    PacketLine {
        id: seen.id,
        time: seen.time,
        source: described.source.map(|end| (end.address, end.port)),
        destination: described.destination.map(|end| (end.address, end.port)),
        protocol: described.protocol.number(),
        application: described.application.to_owned(),
        wire_bytes: seen.wire_length,
        captured_bytes: u32::try_from(seen.data.len()).unwrap_or(u32::MAX),
        direction: described.direction.into(),
        vlan: described.vlan,
        tcp_flags: described.tcp_flags,
        detail,
        source_mac: described.source_mac,
        destination_mac: described.destination_mac,
        header: header.iter().take(MOST_HEADER_BYTES).copied().collect(),
        link_type: seen.link_type,
        flow: None,
    }
}

//! A live packet list as it crosses to the collector: a line for each packet shown, and the exact figures of all that
//! matched.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_shared::net::{Direction, Endpoint, Transport};
use weir_shared::packets::{PacketHeader, PacketSummary};
use weir_shared::report::{AddressRow, Count};

use super::records::RecordError;
use crate::flows::record::Tally;

/// A packet's line carries no more of its frame.
pub const MOST_HEADER_BYTES: usize = 256;
/// Escaped text of a packet's line.
pub const MOST_DETAIL_BYTES: usize = 512;
/// Lines of one `Packets` record.
pub const MOST_LINES: usize = 64;
/// Rows of each top list of `PacketTotals`.
pub const TOP_ADDRESSES: usize = 10;

/// Lines of a live packet list, and the exact figures of everything that matched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    pub watch: u32,
    pub lines: Vec<PacketLine>,
    pub totals: PacketTotals,
    pub last: bool,
}

/// Since the list was opened in this worker. A worker that was started again begins at zero: who joins them adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketTotals {
    pub matched: Tally,
    /// Matched, but over the rate of the list.
    pub not_sent: u64,
    /// Of the timeline, since the list was opened.
    pub millis: u64,
    /// By IANA number, 255 where there is none (frames of no flow).
    pub protocols: Vec<(u8, Tally)>,
    /// By bytes. Out of a bounded table: where more than 4,096 addresses matched, later ones are missing.
    pub sources: Vec<(IpAddr, Tally)>,
    pub destinations: Vec<(IpAddr, Tally)>,
}

impl PacketTotals {
    /// Both together, as of a list that went on in another worker. Addresses that only one of the top lists holds keep
    /// what that one knows.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.matched.add(other.matched);
        self.not_sent = self.not_sent.saturating_add(other.not_sent);
        self.millis = self.millis.saturating_add(other.millis);
        join(&mut self.protocols, &other.protocols);
        for (own, others) in
            [(&mut self.sources, &other.sources), (&mut self.destinations, &other.destinations)]
        {
            join(own, others);
            rank(own);
        }
        self
    }

    /// As a list shows it; names of addresses are whoever's who knows them.
    pub fn summary(&self) -> PacketSummary {
        let count = |tally: &Tally| Count { packets: tally.packets, bytes: tally.bytes };
        let rows = |list: &[(IpAddr, Tally)]| {
            let row = |(address, tally): &(IpAddr, Tally)| AddressRow {
                address: *address,
                name: String::new(),
                count: count(tally),
            };
            list.iter().map(row).collect()
        };
        PacketSummary {
            packets: self.matched.packets,
            bytes: self.matched.bytes,
            not_sent: self.not_sent,
            duration_millis: self.millis,
            protocols: self
                .protocols
                .iter()
                .map(|(number, tally)| (protocol(*number).to_string(), count(tally)))
                .collect(),
            top_sources: rows(&self.sources),
            top_destinations: rows(&self.destinations),
        }
    }
}

/// By bytes, ties by address, at most `TOP_ADDRESSES`.
pub(super) fn rank(rows: &mut Vec<(IpAddr, Tally)>) {
    rows.sort_unstable_by(|(a, x), (b, y)| y.bytes.cmp(&x.bytes).then(a.cmp(b)));
    rows.truncate(TOP_ADDRESSES);
}

fn join<K: Copy + PartialEq>(own: &mut Vec<(K, Tally)>, others: &[(K, Tally)]) {
    for (key, tally) in others {
        match own.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => known.add(*tally),
            None => own.push((*key, *tally)),
        }
    }
}

/// One packet of a live list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketLine {
    /// The interface.
    pub id: u16,
    /// Nanoseconds of the timeline since the Unix epoch.
    pub time: u64,
    pub source: Option<(IpAddr, u16)>,
    pub destination: Option<(IpAddr, u16)>,
    /// The IANA number, 255 where there is none.
    pub protocol: u8,
    pub application: String,
    pub wire_bytes: u32,
    pub captured_bytes: u32,
    pub direction: LineDirection,
    pub vlan: u16,
    pub tcp_flags: u8,
    pub detail: String,
    pub source_mac: Option<[u8; 6]>,
    pub destination_mac: Option<[u8; 6]>,
    pub header: Vec<u8>,
    pub link_type: i32,
    /// Slot and generation of the packet's flow, while the worker has it.
    pub flow: Option<(u32, u32)>,
}

/// Of a packet whose flow is known: where it is told who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineFlow {
    /// The interface.
    pub id: u16,
    pub slot: u32,
    pub generation: u32,
    pub source: (IpAddr, u16),
    pub direction: LineDirection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineDirection {
    Ingress,
    Egress,
    Local,
    Forwarded,
}

impl From<Direction> for LineDirection {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Ingress => Self::Ingress,
            Direction::Egress => Self::Egress,
            Direction::Local => Self::Local,
            Direction::Forwarded => Self::Forwarded,
        }
    }
}

impl From<LineDirection> for Direction {
    fn from(direction: LineDirection) -> Self {
        match direction {
            LineDirection::Ingress => Self::Ingress,
            LineDirection::Egress => Self::Egress,
            LineDirection::Local => Self::Local,
            LineDirection::Forwarded => Self::Forwarded,
        }
    }
}

impl PacketLine {
    pub fn flow(&self) -> Option<LineFlow> {
        let (slot, generation) = self.flow?;
        Some(LineFlow { id: self.id, slot, generation, source: self.source?, direction: self.direction })
    }

    /// As a list shows it; `interface` is the name of `id`.
    pub fn into_header(self, interface: &str) -> PacketHeader {
        let endpoint = |(address, port)| Endpoint { address, port };
        let mac = |mac: Option<[u8; 6]>| {
            mac.map(|[a, b, c, d, e, f]| format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"))
                .unwrap_or_default()
        };
        PacketHeader {
            time: jiff::Timestamp::from_nanosecond(i128::from(self.time)).unwrap_or_default(),
            interface: interface.to_owned(),
            source: self.source.map(endpoint),
            destination: self.destination.map(endpoint),
            protocol: protocol(self.protocol),
            application: self.application,
            wire_bytes: self.wire_bytes,
            captured_bytes: self.captured_bytes,
            direction: self.direction.into(),
            vlan: self.vlan,
            tcp_flags: self.tcp_flags,
            detail: self.detail,
            source_mac: mac(self.source_mac),
            destination_mac: mac(self.destination_mac),
            header: self.header,
            link_type: self.link_type.unsigned_abs(),
            owner: None,
        }
    }
}

/// The protocol of a number as `PacketLine` and `PacketTotals` carry it.
pub const fn protocol(number: u8) -> Transport {
    match number {
        255 => Transport::NoFlow,
        number => Transport::from_number(number),
    }
}

impl Packets {
    /// Bounds of what people will see.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        let totals = &self.totals;
        if self.lines.len() > MOST_LINES {
            return Err(RecordError::Bound("the number of lines"));
        }
        if totals.sources.len() > TOP_ADDRESSES
            || totals.destinations.len() > TOP_ADDRESSES
            || totals.protocols.len() > 256
        {
            return Err(RecordError::Bound("the length of a list"));
        }
        let fits = |line: &PacketLine| {
            line.header.len() <= MOST_HEADER_BYTES
                && line.detail.len() <= MOST_DETAIL_BYTES
                && line.application.len() <= 32
        };
        if self.lines.iter().all(fits) { Ok(()) } else { Err(RecordError::Bound("a packet's line")) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::worker) fn line(detail: usize) -> PacketLine {
        PacketLine {
            id: 3,
            time: 1_700_000_000_000_000_007,
            source: Some(([10, 0, 0, 1].into(), 53)),
            destination: None,
            protocol: 255,
            application: "dns".into(),
            wire_bytes: 60,
            captured_bytes: 60,
            direction: LineDirection::Local,
            vlan: 7,
            tcp_flags: 2,
            detail: "x".repeat(detail),
            source_mac: Some([2, 0, 0, 0, 0, 0xab]),
            destination_mac: None,
            header: vec![1; MOST_HEADER_BYTES],
            link_type: 1,
            flow: None,
        }
    }

    #[test]
    fn a_line_of_no_flow_shows_its_mac_addresses() {
        let header = line(4).into_header("eth0");
        assert_eq!((header.protocol, header.source_mac.as_str()), (Transport::NoFlow, "02:00:00:00:00:ab"));
        assert_eq!((header.interface.as_str(), header.direction), ("eth0", Direction::Local));
    }

    #[test]
    fn a_list_that_went_on_in_another_worker_adds_up() {
        let tally = |packets, bytes| Tally { packets, bytes };
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let before = PacketTotals {
            matched: tally(3, 300),
            not_sent: 1,
            millis: 1_000,
            protocols: vec![(6, tally(3, 300))],
            sources: vec![(address(1), tally(2, 200)), (address(2), tally(1, 100))],
            destinations: vec![],
        };
        let after =
            PacketTotals { protocols: vec![(17, tally(1, 150)), (255, tally(2, 150))], ..before.clone() };
        let both = before.plus(&after);
        let summary = both.summary();
        assert_eq!(
            (summary.packets, summary.bytes, summary.not_sent, summary.duration_millis),
            (6, 600, 2, 2_000)
        );
        assert_eq!(summary.protocols.keys().collect::<Vec<_>>(), ["no_flow", "tcp", "udp"]);
        assert_eq!(summary.top_sources.iter().map(|row| row.count.bytes).collect::<Vec<_>>(), [400, 200]);
    }
}

//! Folds what the pipeline tells of a file: whole and by window.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use weir_shared::net::Transport;

use super::summary::{AddressCount, FlowCount, Mix, Name, TOP, Top, Window, count, endpoint};
use crate::flows::addresses::Addresses;
use crate::flows::key::Key;
use crate::flows::record::{
    Counters, FlowKind, FlowNews, FlowsRecord, NameRecord, NameSource, Tally, TrafficRecord, WindowRecord,
};
use crate::pipeline::Pipeline;
use crate::window::rank;

const MOST_NAMES: usize = 1000;
const MOST_NAMED_ADDRESSES: usize = 262_144;
const MOST_NAMES_OF_AN_ADDRESS: usize = 4;

/// Everything a replay keeps besides the pipeline.
#[derive(Debug)]
pub(super) struct Fold {
    addresses: Addresses,
    names: HashMap<IpAddr, Vec<(NameSource, Arc<str>)>>,
    flow_names: HashMap<Key, Arc<str>>,
    most_flow_names: usize,
    windows: Option<Windows>,
}

/// The open window's rows, and the closed ones.
#[derive(Debug)]
struct Windows {
    addresses: Addresses,
    flows: Vec<FlowNews>,
    counters: Counters,
    closed: Vec<Window>,
}

impl Fold {
    pub(super) fn new(most: usize, with_windows: bool) -> Self {
        let seed = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
        let windows = with_windows.then(|| Windows {
            addresses: Addresses::new(most, seed),
            flows: Vec::new(),
            counters: Counters::default(),
            closed: Vec::new(),
        });
        Self {
            addresses: Addresses::new(most, seed),
            names: HashMap::new(),
            flow_names: HashMap::new(),
            most_flow_names: most,
            windows,
        }
    }

    /// Takes all that the pipeline has to tell.
    pub(super) fn drain(&mut self, pipeline: &mut Pipeline) {
        while let Some(record) = pipeline.take(4096) {
            match record {
                TrafficRecord::Flows(record) => self.flows(record),
                TrafficRecord::Names(names) => names.into_iter().for_each(|name| self.name(name)),
                TrafficRecord::WindowEnd(record) => self.window_ends(&record),
                // a file's flows are all told
                TrafficRecord::Totals(_)
                | TrafficRecord::Seconds(_)
                | TrafficRecord::Sums(_)
                | TrafficRecord::Waiting(_) => {}
            }
        }
    }

    fn flows(&mut self, record: FlowsRecord) {
        for row in record.flows {
            let Some(identity) = row.identity else { continue };
            let (initiator, responder) = (identity.initiator, identity.responder);
            self.addresses.flow(initiator, responder, row.forward, row.backward);
            if let Some(name) = &row.name
                && self.flow_names.len() < self.most_flow_names
            {
                self.flow_names.insert(Key::of_identity(&identity), Arc::from(&**name));
            }
            if let Some(windows) = &mut self.windows {
                windows.addresses.flow(initiator, responder, row.forward, row.backward);
                if identity.kind == FlowKind::Flow {
                    windows.flow(row);
                }
            }
        }
    }

    fn name(&mut self, record: NameRecord) {
        if self.names.len() >= MOST_NAMED_ADDRESSES && !self.names.contains_key(&record.address) {
            return;
        }
        let names = self.names.entry(record.address).or_default();
        let known = names.iter().any(|(source, name)| *source == record.source && **name == *record.name);
        if !known && names.len() < MOST_NAMES_OF_AN_ADDRESS {
            names.push((record.source, Arc::from(record.name)));
        }
    }

    fn window_ends(&mut self, record: &WindowRecord) {
        let Some(mut windows) = self.windows.take() else { return };
        let counters = &record.counters;
        let rows = std::mem::take(&mut windows.flows);
        let flows =
            top_flows(rows.iter().filter_map(|row| {
                row.identity.as_ref().map(|identity| (sum(row), Key::of_identity(identity)))
            }));
        let received = counters.received.since(windows.counters.received);
        let mut all = counters.sent.since(windows.counters.sent);
        all.add(received);
        let window = Window {
            start: timestamp(record.start),
            seconds: seconds(record.length),
            count: count(all),
            mix: Mix::between(&windows.counters, counters),
            top: self.top(&windows.addresses, flows),
        };
        windows.closed.push(window);
        windows.addresses.clear();
        windows.counters = counters.clone();
        self.windows = Some(windows);
    }

    /// The lists of the whole file.
    pub(super) fn whole(&self, pipeline: &Pipeline) -> Top {
        self.top(&self.addresses, top_flows(pipeline.flows_told()))
    }

    /// Distinct addresses, and how many found no room any more.
    pub(super) fn hosts(&self) -> (u64, u64) {
        (self.addresses.seen(), self.addresses.evicted())
    }

    pub(super) fn take_windows(&mut self) -> Option<Vec<Window>> {
        self.windows.take().map(|windows| windows.closed)
    }

    /// Of the addresses with most bytes first.
    pub(super) fn names(&self) -> Vec<Name> {
        let bytes: HashMap<IpAddr, u64> = self
            .addresses
            .rows()
            .iter()
            .filter(|row| self.names.contains_key(&row.address()))
            .map(|row| (row.address(), row.value.sent.bytes + row.value.received.bytes))
            .collect();
        let mut named: Vec<_> = self
            .names
            .iter()
            .map(|(address, names)| {
                (bytes.get(address).copied().unwrap_or(0), address.to_string(), *address, names)
            })
            .collect();
        rank::first(&mut named, MOST_NAMES, |a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let all = named.into_iter().flat_map(|(_, _, address, names)| {
            names.iter().map(move |(source, name)| Name { address, name: name.to_string(), source: *source })
        });
        all.take(MOST_NAMES).collect()
    }

    fn top(&self, addresses: &Addresses, flows: Vec<(Tally, Key)>) -> Top {
        let rows = addresses.rows();
        Top {
            top_sources: top_addresses(rows.iter().map(|row| (row.value.sent, row.address()))),
            top_destinations: top_addresses(rows.iter().map(|row| (row.value.received, row.address()))),
            top_flows: flows.into_iter().map(|(tally, key)| self.flow(tally, &key)).collect(),
        }
    }

    fn flow(&self, tally: Tally, key: &Key) -> FlowCount {
        let (low, high) = (key.low(), key.high());
        let of_address =
            |address: &IpAddr| self.names.get(address).and_then(|names| names.last()).map(|(_, name)| name);
        let name = self.flow_names.get(key).or_else(|| of_address(&high.0)).or_else(|| of_address(&low.0));
        FlowCount {
            protocol: Transport::from_number(key.protocol),
            a: endpoint(key.protocol, low),
            b: endpoint(key.protocol, high),
            count: count(tally),
            name: name.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// Rows from which the first ten are chosen when there are so many.
const MOST_CANDIDATES: usize = 1024;

impl Windows {
    fn flow(&mut self, row: FlowNews) {
        self.flows.push(row);
        if self.flows.len() >= MOST_CANDIDATES {
            self.flows
                .select_nth_unstable_by_key(MOST_CANDIDATES / 2, |row| std::cmp::Reverse(sum(row).bytes));
            let edge = self.flows.get(TOP - 1..TOP).map(|_| MOST_CANDIDATES / 2).unwrap_or(MOST_CANDIDATES);
            self.flows.truncate(edge);
        }
    }
}

fn sum(row: &FlowNews) -> Tally {
    let mut sum = row.forward;
    sum.add(row.backward);
    sum
}

fn top_flows(flows: impl Iterator<Item = (Tally, Key)>) -> Vec<(Tally, Key)> {
    let low = |(_, key): &(Tally, Key)| endpoint(key.protocol, key.low());
    let high = |(_, key): &(Tally, Key)| endpoint(key.protocol, key.high());
    rank::largest(flows.map(|flow| (flow.0.bytes, flow)), TOP, (low, high))
}

fn top_addresses(rows: impl Iterator<Item = (Tally, IpAddr)>) -> Vec<AddressCount> {
    let rows = rows.filter(|(tally, _)| !tally.is_zero()).map(|row| (row.0.bytes, row));
    let largest = rank::largest(
        rows,
        TOP,
        (|(_, address): &(Tally, IpAddr)| address.to_string(), |_: &_| String::new()),
    );
    largest.into_iter().map(|(tally, address)| AddressCount { address, count: count(tally) }).collect()
}

/// RFC 3339 with nanoseconds, UTC.
pub(super) fn timestamp(nanos: u64) -> String {
    Timestamp::from_nanosecond(i128::from(nanos)).map(|time| format!("{time:.9}")).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people: 53 bits are enough")]
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

//! Remote hosts of one interface since the start.
use std::net::IpAddr;

use weir_shared::report::{HostRow, RxTx};

use super::rate::{self, Rate};
use super::{add, timestamp};
use crate::flows::addresses::ByAddress;
use crate::flows::protocols::Protocols;

pub(super) type Hosts = ByAddress<Host>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Host {
    pub total: RxTx,
    /// Of the window numbered `window`.
    pub grown: RxTx,
    pub window: u64,
    pub rate: Rate,
    pub first_seen: u64,
    pub last_seen: u64,
    protocols: Protocols,
}

/// What a row of a flow says of its remote host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub grown: RxTx,
    pub window: u64,
    pub time: u64,
    pub first_seen: u64,
    pub last_seen: u64,
    pub protocols: Protocols,
    /// It came in over so many seconds.
    pub seconds: u64,
}

impl Host {
    pub(super) fn add(&mut self, said: &Said) {
        if self.first_seen == 0 {
            self.first_seen = said.first_seen;
        }
        self.last_seen = self.last_seen.max(said.last_seen);
        if self.window != said.window {
            self.window = said.window;
            self.grown = RxTx::default();
        }
        self.grown += said.grown;
        self.total += said.grown;
        self.rate.add(&rate::in_a_second(&said.grown, said.seconds), said.time);
        self.protocols.join(said.protocols);
    }

    pub(super) fn row(&self, interface: &str, address: IpAddr, name: &str, shown: (RxTx, RxTx)) -> HostRow {
        HostRow {
            interface: interface.to_owned(),
            address,
            name: name.to_owned(),
            traffic: shown.0,
            per_second: shown.1,
            protocols: self.protocols.names(),
            first_seen: timestamp(self.first_seen),
            last_seen: timestamp(self.last_seen),
        }
    }
}

/// All rows that satisfy `wanted`, unsorted.
pub(super) fn select<'a>(
    hosts: &'a Hosts,
    wanted: impl Fn(&IpAddr, &Host) -> bool + 'a,
) -> impl Iterator<Item = (IpAddr, &'a Host)> {
    hosts
        .rows()
        .iter()
        .map(|row| (row.address(), &row.value))
        .filter(move |(address, host)| wanted(address, host))
}

/// Bytes, received and sent.
pub(super) fn bytes(traffic: &RxTx) -> u64 {
    add(traffic.rx, traffic.tx).bytes
}

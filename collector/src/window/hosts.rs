//! Remote hosts of one interface since the start.
use std::net::IpAddr;

use weir_shared::report::{HostRow, RxTx};

use super::rate::{self, Look, Rate};
use super::{add, timestamp};
use crate::flows::addresses::{ByAddress, Row};
use crate::flows::key::number;
use crate::flows::protocols::Protocols;

/// Hosts by address, bounded.
#[derive(Debug)]
pub(super) struct Hosts {
    all: ByAddress<Host>,
    /// Rows in which something moved since the last look, once or more.
    moved: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Host {
    pub total: RxTx,
    /// Of the window numbered `window`.
    pub grown: RxTx,
    pub window: u64,
    /// Since the last look.
    recent: RxTx,
    /// By looks.
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
    pub first_seen: u64,
    pub last_seen: u64,
    pub protocols: Protocols,
    /// It came in over so many seconds.
    pub seconds: u64,
}

impl Hosts {
    pub(super) fn new(most: usize, seed: [u64; 2]) -> Self {
        Self { all: ByAddress::new(most, seed), moved: Vec::new() }
    }

    pub(super) fn rows(&self) -> &[Row<Host>] {
        self.all.rows()
    }

    pub(super) fn add(&mut self, address: IpAddr, said: &Said) {
        let mut row = 0;
        let Some(host) = self.all.value_near(number(&address), &mut row) else { return };
        if host.recent.is_zero() {
            self.moved.push(row);
        }
        host.add(said);
    }

    /// Rates go by what moved in the seconds of a look.
    pub(super) fn look(&mut self, look: Look) {
        for row in self.moved.drain(..) {
            if let Some(host) = self.all.value_at(row) {
                host.rate.look(&mut host.recent, look);
            }
        }
    }

    /// All rows that satisfy `wanted`, unsorted.
    pub(super) fn select<'a>(
        &'a self,
        wanted: impl Fn(&IpAddr, &Host) -> bool + 'a,
    ) -> impl Iterator<Item = (IpAddr, &'a Host)> {
        let rows = self.rows().iter().map(|row| (row.address(), &row.value));
        rows.filter(move |(address, host)| wanted(address, host))
    }
}

impl Host {
    fn add(&mut self, said: &Said) {
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
        self.recent += rate::in_a_second(&said.grown, said.seconds);
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

/// Bytes, received and sent.
pub(super) fn bytes(traffic: &RxTx) -> u64 {
    add(traffic.rx, traffic.tx).bytes
}

#[cfg(test)]
mod tests {
    use weir_shared::report::Count;

    use super::*;

    fn said(bytes: u64) -> Said {
        Said {
            grown: RxTx { rx: Count { packets: 1, bytes }, tx: Count::default() },
            window: 1,
            first_seen: 1,
            last_seen: 1,
            protocols: Protocols::default(),
            seconds: 1,
        }
    }

    #[test]
    fn what_is_told_in_parts_of_a_second_is_the_rate_at_every_moment() {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let (mut hosts, mut look) = (Hosts::new(8, [1, 2]), Look::default());
        for second in 0..20 {
            for _ in 0..10 {
                hosts.add(address, &said(100_000));
                let rate = hosts.rows()[0].value.rate.at(look.time()).rx.bytes;
                assert!(second < 10 || (995_000..=1_000_000).contains(&rate), "{rate} in second {second}");
            }
            look = look.next(1);
            hosts.look(look);
        }
        assert_eq!(hosts.rows()[0].value.total.rx.bytes, 20_000_000);
        for _ in 0..60 {
            look = look.next(1);
            hosts.look(look);
        }
        assert_eq!(hosts.rows()[0].value.rate.at(look.time()), RxTx::default());
    }

    #[test]
    fn a_host_that_made_room_gives_its_successor_nothing() {
        let (mut hosts, look) = (Hosts::new(1, [1, 2]), Look::default().next(1));
        for last in 1..=3 {
            hosts.add(IpAddr::from([192, 0, 2, last]), &said(1_000));
        }
        hosts.look(look);
        let row = &hosts.rows()[0];
        assert_eq!((row.address(), row.value.total.rx.bytes), (IpAddr::from([192, 0, 2, 3]), 1_000));
        assert!(row.value.rate.at(look.time()).rx.bytes <= 1_000);
    }
}

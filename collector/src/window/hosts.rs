//! Remote hosts of one interface since the start.
use std::net::IpAddr;

use weir_shared::net::Transport;
use weir_shared::report::{HostRow, RxTx};

use super::addresses::ByAddress;
use super::rate::Rate;
use super::{add, timestamp};
use crate::decode::application::Application;

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
    /// One bit for each application, by its place in `Application::ALL`.
    applications: u64,
    /// One bit for each of `TRANSPORTS`.
    transports: u8,
}

const _: () = assert!(Application::ALL.len() <= 64);
const TRANSPORTS: [u8; 6] = [6, 17, 1, 58, 132, 255];

/// What a row of a flow says of its remote host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub grown: RxTx,
    pub window: u64,
    pub time: u64,
    pub first_seen: u64,
    pub last_seen: u64,
    pub protocol: u8,
    pub application: Application,
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
        self.rate.add(&said.grown, said.time);
        if said.application != Application::Other {
            self.applications |= 1 << said.application as u8;
        }
        let place = TRANSPORTS.iter().position(|number| *number == said.protocol).unwrap_or(5);
        self.transports |= 1 << place;
    }

    fn protocols(&self) -> Vec<String> {
        let transports = TRANSPORTS.iter().enumerate().filter(|(place, _)| self.transports & 1 << place != 0);
        let transports = transports.map(|(_, number)| match number {
            255 => "other".to_owned(),
            number => Transport::from_number(*number).to_string(),
        });
        let applications =
            Application::ALL.iter().filter(|name| self.applications & 1 << (**name as u8) != 0);
        transports.chain(applications.map(|application| application.name().to_owned())).collect()
    }

    pub(super) fn row(&self, interface: &str, address: IpAddr, name: &str, shown: (RxTx, RxTx)) -> HostRow {
        HostRow {
            interface: interface.to_owned(),
            address,
            name: name.to_owned(),
            traffic: shown.0,
            per_second: shown.1,
            protocols: self.protocols(),
            first_seen: timestamp(self.first_seen),
            last_seen: timestamp(self.last_seen),
        }
    }
}

/// The remote end: of a flow that is forwarded the one in the internet, otherwise the responder, so that each flow counts
/// to one host and the list sums to its total.
pub(super) fn remote(
    initiator: IpAddr,
    responder: IpAddr,
    direction: crate::flows::record::FlowDirection,
) -> IpAddr {
    use crate::flows::record::FlowDirection;
    match direction {
        FlowDirection::Ingress => initiator,
        FlowDirection::Egress | FlowDirection::Local => responder,
        FlowDirection::Forwarded if is_private(&responder) && !is_private(&initiator) => initiator,
        FlowDirection::Forwarded => responder,
    }
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_multicast(),
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_multicast()
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
        .map(|row| (row.address, &row.value))
        .filter(move |(address, host)| wanted(address, host))
}

/// Bytes, received and sent.
pub(super) fn bytes(traffic: &RxTx) -> u64 {
    add(traffic.rx, traffic.tx).bytes
}

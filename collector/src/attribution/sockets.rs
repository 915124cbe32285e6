//! A socket as the kernel lists it.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::SocketEnd;

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP_V6: u8 = 58;
pub(super) const SCTP: u8 = 132;
pub(super) const UDP_LITE: u8 = 136;
/// Of raw sockets only: any protocol may be sent through them.
pub(super) const RAW: u8 = 255;

/// TCP states as the kernel numbers them (include/net/tcp_states.h).
pub(super) mod state {
    pub(in crate::attribution) const ESTABLISHED: u8 = 1;
    pub(in crate::attribution) const SYN_SENT: u8 = 2;
    pub(in crate::attribution) const SYN_RECEIVED: u8 = 3;
    pub(in crate::attribution) const FIN_WAIT_1: u8 = 4;
    pub(in crate::attribution) const CLOSE: u8 = 7;
    pub(in crate::attribution) const CLOSE_WAIT: u8 = 8;
    pub(in crate::attribution) const LAST_ACK: u8 = 9;
    pub(in crate::attribution) const LISTEN: u8 = 10;
    pub(in crate::attribution) const NEW_SYN_RECEIVED: u8 = 12;
}

/// Raw sockets and those of ICMP echo are not told apart by their protocol number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Ports,
    Raw,
    Ping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Socket {
    pub(super) kind: Kind,
    pub(super) protocol: u8,
    /// As for TCP, whatever the protocol.
    pub(super) state: u8,
    /// IPv4 in IPv6 is shown as IPv4, but for the unspecified address, which says what the socket would take.
    pub(super) local: (IpAddr, u16),
    pub(super) remote: (IpAddr, u16),
    /// Takes no IPv4 although it is bound to no address.
    pub(super) only_v6: bool,
    /// Bound to an interface, by its number; 0: to none.
    pub(super) interface: u32,
    /// 0: no file refers to it.
    pub(super) inode: u64,
    pub(super) uid: u32,
    /// Of the socket, never used again; 0 where only a text table tells.
    pub(super) cookie: u64,
}

impl Socket {
    pub(super) fn is_connected(&self) -> bool {
        !self.remote.0.is_unspecified()
    }

    /// Waiting to be accepted: no file refers to it, yet nobody has closed it. A socket that was closed is never in
    /// these states (tcp_close in net/ipv4/tcp.c).
    pub(super) fn waits_for_accept(&self) -> bool {
        let open = [state::ESTABLISHED, state::SYN_RECEIVED, state::CLOSE_WAIT, state::NEW_SYN_RECEIVED];
        self.protocol == TCP && self.inode == 0 && open.contains(&self.state)
    }

    /// How well an unconnected socket fits: 0 not at all, more where it is bound to the address. RFC 4291 section 2.5.5.2
    /// for IPv4 that comes to an IPv6 socket.
    pub(super) fn fit(&self, end: &SocketEnd) -> u8 {
        let takes = match self.local.0 {
            IpAddr::V6(address) if address.is_unspecified() => end.local.0.is_ipv6() || !self.only_v6,
            IpAddr::V4(address) if address.is_unspecified() => end.local.0.is_ipv4(),
            address => address == end.local.0,
        };
        match (takes, self.local.0.is_unspecified()) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        }
    }
}

/// IPv4 that is written as IPv6 becomes IPv4 again.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// A multicast group or the broadcast address of IPv4: every socket bound to the port gets a copy.
pub(super) fn is_for_many(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

pub(super) const fn unspecified(version_6: bool) -> IpAddr {
    if version_6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) }
}

//! Addresses, protocols and directions as every part of Weir names them.
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Serialize, Serializer};

/// The final protocol of an IP packet, past IPv6 extension headers
/// (<https://www.iana.org/assignments/protocol-numbers>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    Tcp,
    Udp,
    Icmp,
    Icmpv6,
    Sctp,
    /// Any other, by its number: GRE is 47, ESP 50.
    Other(u8),
    /// Frames that belong to no flow: ARP, malformed, cut before the ports.
    NoFlow,
}

impl Transport {
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Icmp,
            6 => Self::Tcp,
            17 => Self::Udp,
            58 => Self::Icmpv6,
            132 => Self::Sctp,
            other => Self::Other(other),
        }
    }

    /// The IANA number; 255 (reserved) for frames of no flow.
    pub const fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmpv6 => 58,
            Self::Sctp => 132,
            Self::Other(number) => number,
            Self::NoFlow => 255,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Sctp => "sctp",
            Self::Other(47) => "gre",
            Self::Other(50) => "esp",
            Self::Other(51) => "ah",
            Self::Other(2) => "igmp",
            Self::Other(89) => "ospf",
            Self::Other(103) => "pim",
            Self::Other(112) => "vrrp",
            Self::Other(number) => return write!(f, "ip-{number}"),
            Self::NoFlow => "no_flow",
        })
    }
}

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As seen from this machine, by its own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Ingress,
    Egress,
    /// Both ends are here.
    Local,
    /// Neither end is here.
    Forwarded,
}

/// An address and, where the protocol has one, a port (else 0). Prints as `192.0.2.1:443` or `[2001:db8::1]:443`,
/// without the port where it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    pub address: IpAddr,
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == 0 { self.address.fmt(f) } else { SocketAddr::new(self.address, self.port).fmt(f) }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

//! Who owns a socket: a process by pid and start time, the kernel, or nobody known. Never a guess.
pub mod ebpf;

use std::net::IpAddr;

use jiff::Timestamp;
use weir_shared::process::{MatchQuality, Owner};

/// An owner, for as long as the collector runs. Small numbers stand for those without a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u32);

impl OwnerId {
    /// Not known, for now or for ever.
    pub const UNKNOWN: Self = Self(0);
    /// The kernel's own: resets, ICMP replies, tunnels' carriers.
    pub const KERNEL: Self = Self(1);
    /// Neither end is on this machine.
    pub const FORWARDED: Self = Self(2);
    /// Frames of no flow: ARP, malformed, cut.
    pub const NO_FLOW: Self = Self(3);
    /// The first that stands for a process.
    pub const FIRST_PROCESS: Self = Self(16);
}

/// One end of a flow, as the socket on this machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketEnd {
    /// The IANA number.
    pub protocol: u8,
    pub local: (IpAddr, u16),
    pub remote: (IpAddr, u16),
    /// This end sent the flow's first packet.
    pub is_initiator: bool,
}

/// Says who an owner is.
pub trait Directory {
    fn owner(&self, id: OwnerId) -> Owner;

    /// The owner that is this process, if it was ever one.
    fn find(&self, pid: u32, started: Timestamp) -> Option<OwnerId>;
}

/// Owners that are no process.
pub fn without_process(id: OwnerId) -> Owner {
    let (name, quality) = match id {
        OwnerId::KERNEL => ("kernel", MatchQuality::Kernel),
        OwnerId::FORWARDED => ("forwarded", MatchQuality::Kernel),
        OwnerId::NO_FLOW => ("no_flow", MatchQuality::Kernel),
        _ => ("unknown", MatchQuality::Unknown),
    };
    Owner { name: name.to_owned(), quality, ..Owner::default() }
}

/// Knows no process at all: attribution is off, or a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Directory for Nobody {
    fn owner(&self, id: OwnerId) -> Owner {
        without_process(id)
    }

    fn find(&self, _: u32, _: Timestamp) -> Option<OwnerId> {
        None
    }
}

//! One packet in words, for live packet lists.
use weir_shared::net::{Direction, Endpoint, Transport};

use crate::flows::own::OwnAddresses;

/// What a line about one packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub source: Option<Endpoint>,
    pub destination: Option<Endpoint>,
    pub protocol: Transport,
    /// As `Application::name`; empty where there is none.
    pub application: &'static str,
    pub direction: Direction,
    /// The outer VLAN id, 0 where there is no tag.
    pub vlan: u16,
    /// As on the wire, 0 for other protocols.
    pub tcp_flags: u8,
    /// Printable, escaped.
    pub detail: String,
    pub source_mac: Option<[u8; 6]>,
    pub destination_mac: Option<[u8; 6]>,
    /// Leading bytes up to the end of the transport header.
    pub header_length: usize,
}

/// Describes one frame of `link_type`.
pub fn describe(_link_type: i32, _own: &OwnAddresses, _wire_length: u32, _data: &[u8]) -> Described {
    Described {
        source: None,
        destination: None,
        protocol: Transport::NoFlow,
        application: "",
        direction: Direction::Ingress,
        vlan: 0,
        tcp_flags: 0,
        detail: String::new(),
        source_mac: None,
        destination_mac: None,
        header_length: 0,
    }
}

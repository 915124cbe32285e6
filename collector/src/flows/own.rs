//! Which addresses are this machine's, and which frames this interface sent.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// This machine's addresses (of all interfaces) and this interface's MAC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAddresses {
    /// Sorted.
    addresses: Vec<IpAddr>,
    mac: Option<[u8; 6]>,
}

impl OwnAddresses {
    pub fn new(mut addresses: Vec<IpAddr>, mac: Option<[u8; 6]>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        Self { addresses, mac: mac.filter(|mac| *mac != [0; 6]) }
    }

    pub fn contains(&self, address: &IpAddr) -> bool {
        address.is_loopback() || self.addresses.binary_search(address).is_ok()
    }

    /// Multicast and the limited broadcast address.
    pub fn is_group(&self, address: &IpAddr) -> bool {
        address.is_multicast() || matches!(address, IpAddr::V4(address) if address.is_broadcast())
    }

    /// None on interfaces without one, and on loopback, whose MAC of zeros says nothing.
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.mac
    }
}

//! Which addresses are this machine's, and which frames this interface sent.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::key::number;

/// This machine's addresses (of all interfaces) and this interface's MAC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAddresses {
    /// As numbers, sorted.
    addresses: Vec<u128>,
    /// A bit for each of them, by a hash: most addresses of others are told apart by it.
    bits: u64,
    mac: Option<[u8; 6]>,
}

impl OwnAddresses {
    pub fn new(addresses: Vec<IpAddr>, mac: Option<[u8; 6]>) -> Self {
        let mut addresses: Vec<u128> = addresses.iter().map(number).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let bits = addresses.iter().fold(0, |bits, address| bits | bit(*address));
        Self { addresses, bits, mac: mac.filter(|mac| *mac != [0; 6]) }
    }

    #[inline]
    pub fn contains(&self, address: &IpAddr) -> bool {
        let number = number(address);
        let is_one = self.bits & bit(number) != 0 && self.addresses.binary_search(&number).is_ok();
        is_one || address.is_loopback()
    }

    /// Multicast and the limited broadcast address.
    #[inline]
    pub fn is_group(&self, address: &IpAddr) -> bool {
        address.is_multicast() || matches!(address, IpAddr::V4(address) if address.is_broadcast())
    }

    /// None on interfaces without one, and on loopback, whose MAC of zeros says nothing.
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.mac
    }
}

/// One of 64 bits.
#[inline]
fn bit(number: u128) -> u64 {
    1 << (number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 122)
}

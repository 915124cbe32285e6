//! Which addresses are this machine's, and which frames this interface sent.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::key::{number, word};

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

    pub fn contains(&self, address: &IpAddr) -> bool {
        self.has(number(address))
    }

    /// Whether the address with this number is one, or loopback.
    #[inline]
    pub(crate) fn has(&self, number: u128) -> bool {
        let is_one = self.bits & bit(number) != 0 && self.addresses.binary_search(&number).is_ok();
        is_one || number >> 24 == 0x00ff_ff7f || number == 1
    }

    /// None on interfaces without one, and on loopback, whose MAC of zeros says nothing.
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.mac
    }
}

/// Multicast (RFC 5771, RFC 4291 section 2.7) and the limited broadcast address.
#[inline]
pub(crate) const fn is_group(number: u128) -> bool {
    number >> 28 == 0x000f_fffe || number == 0xffff_ffff_ffff || number >> 120 == 0xff
}

/// One of 64 bits.
#[inline]
fn bit(number: u128) -> u64 {
    let folded = word(number) ^ word(number >> 64);
    1 << (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
}

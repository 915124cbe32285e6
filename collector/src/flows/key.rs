//! A flow's key: the 5-tuple in canonical order, so that both directions meet.
use std::net::IpAddr;

use crate::decode::{Ip, Transport, address};
use crate::flows::record::{FlowIdentity, FlowKind};

/// The lower (address, port) by bytes comes first. An ICMP echo's identifier takes the place of both ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Key {
    low: [u8; 16],
    high: [u8; 16],
    low_port: u16,
    high_port: u16,
    pub protocol: u8,
    /// Bit 0: IPv6; bit 1: packets of no flow.
    form: u8,
}

const VERSION_6: u8 = 1;
const REMNANT: u8 = 2;

impl Key {
    /// Of a slot that holds no flow; no packet has it.
    pub const FREE: Self =
        Self { low: [0; 16], high: [0; 16], low_port: 0, high_port: 0, protocol: 0, form: u8::MAX };

    /// The key, and whether the packet's source is its low end.
    #[inline]
    pub fn of(packet: &Ip<'_>) -> (Self, bool) {
        let mut form = u8::from(packet.version_6);
        let (source_port, destination_port) = match packet.transport {
            Transport::Tcp(ref tcp) => (tcp.source_port, tcp.destination_port),
            Transport::Udp { source_port, destination_port, .. }
            | Transport::Sctp { source_port, destination_port } => (source_port, destination_port),
            Transport::Echo { identifier } => (identifier, identifier),
            Transport::Portless => (0, 0),
            Transport::None => {
                form |= REMNANT;
                (0, 0)
            }
        };
        let protocol = packet.protocol;
        let (source, destination) =
            (u128::from_be_bytes(packet.source), u128::from_be_bytes(packet.destination));
        if source < destination || source == destination && source_port <= destination_port {
            let (low_port, high_port) = (source_port, destination_port);
            (Self { low: packet.source, high: packet.destination, low_port, high_port, protocol, form }, true)
        } else {
            let (low_port, high_port) = (destination_port, source_port);
            (
                Self { low: packet.destination, high: packet.source, low_port, high_port, protocol, form },
                false,
            )
        }
    }

    /// The key of a flow that was told.
    pub fn of_identity(identity: &FlowIdentity) -> Self {
        let initiator = (identity.initiator, identity.initiator_port);
        let key = Self::between(identity.protocol, initiator, (identity.responder, identity.responder_port));
        let remnant = if identity.kind == FlowKind::Remnant { REMNANT } else { 0 };
        Self { form: key.form | remnant, ..key }
    }

    /// The key of a flow between these ends.
    pub fn between(protocol: u8, a: (IpAddr, u16), b: (IpAddr, u16)) -> Self {
        let form = u8::from(a.0.is_ipv6());
        let (a, b) = ((bytes(a.0), a.1), (bytes(b.0), b.1));
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        Self { low: low.0, high: high.0, low_port: low.1, high_port: high.1, protocol, form }
    }

    pub fn kind(&self) -> FlowKind {
        if self.form & REMNANT == 0 { FlowKind::Flow } else { FlowKind::Remnant }
    }

    /// Of the low and the high end.
    pub fn ports(&self) -> (u16, u16) {
        (self.low_port, self.high_port)
    }

    pub fn low(&self) -> (IpAddr, u16) {
        (address(self.form & VERSION_6 != 0, &self.low), self.low_port)
    }

    pub fn high(&self) -> (IpAddr, u16) {
        (address(self.form & VERSION_6 != 0, &self.high), self.high_port)
    }

    /// `number` of the low and the high end's address.
    #[inline]
    pub(crate) fn numbers(&self) -> [u128; 2] {
        [self.low, self.high].map(|bytes| {
            let all = u128::from_be_bytes(bytes);
            if self.form & VERSION_6 != 0 { all } else { MAPPED | all >> 96 }
        })
    }

    /// All but the addresses.
    #[inline]
    fn rest(&self) -> u64 {
        u64::from(self.low_port) << 48
            | u64::from(self.high_port) << 32
            | u64::from(self.protocol) << 8
            | u64::from(self.form)
    }

    /// Keyed: whoever sends packets chooses the keys.
    #[inline]
    pub fn hash(&self, seed: [u64; 2]) -> u64 {
        let [seed_0, seed_1] = seed;
        let (low, high) = (u128::from_le_bytes(self.low), u128::from_le_bytes(self.high));
        let mut hash = fold(word(low) ^ seed_0, word(high) ^ seed_1);
        if self.form & VERSION_6 != 0 {
            hash = fold(hash ^ word(low >> 64) ^ seed_1, word(high >> 64) ^ seed_0);
        }
        fold(hash ^ self.rest(), (0xa076_1d64_78bd_642f ^ seed_0) | 1)
    }
}

/// In five words rather than by its bytes.
impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for address in [self.low, self.high].map(u128::from_le_bytes) {
            state.write_u64(word(address));
            state.write_u64(word(address >> 64));
        }
        state.write_u64(self.rest());
    }
}

fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    }
}

const MAPPED: u128 = 0xffff << 32;

/// Different for every address: those of IPv4 are mapped (RFC 4291 section 2.5.5.2), which no packet has.
#[inline]
pub(crate) fn number(address: &IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => MAPPED | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with this number.
pub(crate) fn numbered(number: u128) -> IpAddr {
    match u32::try_from(number ^ MAPPED) {
        Ok(bits) => IpAddr::V4(bits.into()),
        Err(_) => IpAddr::V6(number.into()),
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
pub(super) const fn word(bytes: u128) -> u64 {
    bytes as u64
}

/// Both halves of the product, folded.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
pub(super) const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    product as u64 ^ (product >> 64) as u64
}

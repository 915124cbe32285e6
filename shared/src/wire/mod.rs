//! The wire types of `proto/`, and their conversion from and to the domain types. Nothing outside this folder, the
//! collector's rpc and `client` sees them.
//!
//! Domain to wire is `From<&T>` and `From<T>` and cannot fail; wire to domain is `TryFrom` where a value may be out of
//! range, and `From` where every value has a meaning. A missing message of plain numbers means zeros.
mod alerts;
mod common;
#[cfg(test)]
mod contract;
mod control;
mod packets;
mod process;
mod rows;
pub(crate) mod session;
#[cfg(test)]
mod tests;
mod traffic;
mod window;

use std::fmt;

use jiff::Timestamp;

#[allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("weir.v1");
}

/// The compiled `FileDescriptorSet` of `proto/`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// A message that does not say what its type promises, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` {problem}")]
pub struct WireError {
    /// As the proto file spells it.
    pub field: &'static str,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    Missing,
    /// An enum's number that this version does not know, or zero.
    UnknownNumber(i32),
    /// Neither 4 nor 16 bytes.
    AddressLength(usize),
    /// A number or text outside what the field may hold.
    OutOfRange(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::UnknownNumber(number) => write!(f, "has the unknown number {number}"),
            Self::AddressLength(length) => write!(f, "is an address of {length} bytes; 4 or 16 are allowed"),
            Self::OutOfRange(value) => write!(f, "is out of range: {value}"),
        }
    }
}

impl WireError {
    fn missing(field: &'static str) -> Self {
        Self { field, problem: Problem::Missing }
    }

    fn number(field: &'static str, number: i32) -> Self {
        Self { field, problem: Problem::UnknownNumber(number) }
    }

    fn range(field: &'static str, value: impl fmt::Display) -> Self {
        Self { field, problem: Problem::OutOfRange(value.to_string()) }
    }
}

/// Adds `From<T>` where `From<&T>` is, so that owners need not borrow.
macro_rules! by_value {
    ($($domain:ty => $wire:ty),+ $(,)?) => {
        $(impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                Self::from(&value)
            }
        })+
    };
}
use by_value;

fn or_zero<W, D: From<W> + Default>(message: Option<W>) -> D {
    message.map(D::from).unwrap_or_default()
}

fn try_or_zero<W, D>(message: Option<W>) -> Result<D, WireError>
where
    D: TryFrom<W, Error = WireError> + Default,
{
    message.map_or_else(|| Ok(D::default()), D::try_from)
}

fn required<W, D: TryFrom<W, Error = WireError>>(
    field: &'static str,
    message: Option<W>,
) -> Result<D, WireError> {
    D::try_from(message.ok_or_else(|| WireError::missing(field))?)
}

fn each<W, D: TryFrom<W, Error = WireError>>(messages: Vec<W>) -> Result<Vec<D>, WireError> {
    messages.into_iter().map(D::try_from).collect()
}

fn to_wire<'a, D: 'a, W: From<&'a D>>(rows: &'a [D]) -> Vec<W> {
    rows.iter().map(W::from).collect()
}

/// A message's `…_unix_millis` as a time.
pub(crate) fn millis(field: &'static str, value: i64) -> Result<Timestamp, WireError> {
    Timestamp::from_millisecond(value).map_err(|_| WireError::range(field, value))
}

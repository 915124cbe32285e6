//! What crosses the socketpair, both ways: one SEQPACKET message is one `Command` or one `Record`, in postcard. The
//! collector takes what comes in for hostile: it is bounded, and checked before anybody acts on it.
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::filter::Program;
use super::owners::frames::FramesRow;
use super::owners::numbers::OwnerRecord;
use super::packets::Packets;
use super::run::Connection;
use super::sandbox::Confinement;
use crate::capture::live::{OpenError, Wanted};
use crate::flows::own::OwnAddresses;
use crate::flows::record::TrafficRecord;

/// No message is longer.
pub const MOST_MESSAGE_BYTES: usize = 64 * 1_024;
/// Live packet lists at once.
pub const MOST_WATCHES: usize = 16;
/// Interfaces at once.
pub const MOST_INTERFACES: usize = 64;
const MOST_TEXT_BYTES: usize = 4_096;

/// Both ends are the same file; another value is a programming error or an attack.
pub const BUILD: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), " records 4");

/// An interface to open. Its id is the collector's own and never used twice in a worker's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub id: u16,
    pub wanted: Wanted,
    pub own: OwnAddresses,
    pub window_millis: u32,
    pub max_flows: u32,
    /// Connections that begin are told at once.
    pub connections: bool,
}

/// A live packet list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub watch: u32,
    /// Empty for every open interface.
    pub interfaces: Vec<u16>,
    /// Compiled for Ethernet; None matches everything.
    pub program: Option<Program>,
    pub most_packets_per_second: u32,
}

/// From the collector to the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Answered by `Opened` or `Failed`.
    Open(Box<Open>),
    /// What was counted until now is told, then `Closed`.
    Close { id: u16 },
    /// This machine's addresses, and the interface's MAC, have changed.
    OwnAddresses { id: u16, own: OwnAddresses },
    /// The first `Packets` of it comes at once.
    Watch(Watch),
    /// Answered by a last `Packets`.
    StopWatch { watch: u32 },
    /// Close everything, tell everything, `Done`, exit.
    Finish,
}

/// From the worker to the collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The first.
    Ready {
        build: String,
        confinement: Confinement,
        /// Why it cannot read who owns which flow, although it was to. Empty: it can, or need not.
        without_owners: String,
    },
    Opened {
        id: u16,
        link_type: i32,
        micros: u64,
    },
    Failed {
        id: u16,
        error: OpenError,
    },
    /// The interface went away; all that was counted is told before.
    Gone {
        id: u16,
        reason: String,
    },
    Closed {
        id: u16,
    },
    Traffic {
        id: u16,
        record: TrafficRecord,
    },
    /// Packets that came in before the filter was attached, and are counted nowhere else; since `Opened`.
    Outside {
        id: u16,
        packets: u64,
    },
    /// The wall clock jumped by so many nanoseconds and the timeline followed. Told once, before any traffic after it.
    ClockJump {
        nanoseconds: i64,
    },
    Packets(Box<Packets>),
    /// What owners' numbers mean; before any flow refers to them. Numbers of an earlier worker mean nothing.
    Owners(Vec<OwnerRecord>),
    /// Who sent frames that belong to no flow; after the owners it names.
    Frames(Vec<FramesRow>),
    /// TCP connections that begin here, at once and ahead of their flows; where `Open` asks for them.
    Connections(Vec<Connection>),
    /// So many news of owners were lost since this was said last. They are told again when their sockets move on.
    OwnerEventsLost {
        events: u64,
    },
    /// Nothing else to say for a second.
    Alive,
    /// The last.
    Done,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("a message of {0} bytes; {MOST_MESSAGE_BYTES} are allowed")]
    Length(usize),
    #[error("a message that cannot be read")]
    Unreadable(#[source] postcard::Error),
    #[error("{0} bytes too many at the end of a message")]
    Trailing(usize),
    #[error("{0} in a message is over its bound")]
    Bound(&'static str),
}

/// Fails with `Length` where the message would be over the bound.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, RecordError> {
    let encoded = postcard::to_stdvec(message).map_err(RecordError::Unreadable)?;
    if encoded.len() > MOST_MESSAGE_BYTES { Err(RecordError::Length(encoded.len())) } else { Ok(encoded) }
}

/// Reads one message to its last byte.
pub fn decode<T: DeserializeOwned>(message: &[u8]) -> Result<T, RecordError> {
    if message.len() > MOST_MESSAGE_BYTES {
        return Err(RecordError::Length(message.len()));
    }
    let (read, rest) = postcard::take_from_bytes(message).map_err(RecordError::Unreadable)?;
    if rest.is_empty() { Ok(read) } else { Err(RecordError::Trailing(rest.len())) }
}

impl Record {
    /// Reads what came from the worker and checks the bounds of what people will see. Traffic is checked by the window
    /// that takes it.
    pub fn receive(message: &[u8]) -> Result<Self, RecordError> {
        let record: Self = decode(message)?;
        record.check()?;
        Ok(record)
    }

    fn check(&self) -> Result<(), RecordError> {
        let text = |text: &str, most: usize, what| {
            if text.len() > most { Err(RecordError::Bound(what)) } else { Ok(()) }
        };
        match self {
            Self::Ready { build, confinement, without_owners } => {
                text(build, 256, "the build")?;
                text(without_owners, MOST_TEXT_BYTES, "a reason")?;
                text(&confinement.landlock, 256, "Landlock's state")
            }
            Self::Failed { error, .. } => text(&error.to_string(), 2 * MOST_TEXT_BYTES, "an error"),
            Self::Gone { reason, .. } => text(reason, MOST_TEXT_BYTES, "a reason"),
            Self::Packets(packets) => packets.check(),
            Self::Owners(owners) => owners
                .iter()
                .find_map(OwnerRecord::over_bound)
                .map_or(Ok(()), |what| Err(RecordError::Bound(what))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::flows::record::Tally;
    use crate::worker::packets::tests::line;
    use crate::worker::packets::*;

    #[test]
    fn the_largest_packets_record_fits_a_message() {
        let tally = Tally { packets: u64::MAX, bytes: u64::MAX };
        let address = (IpAddr::from([0xffu8; 16]), tally);
        let totals = PacketTotals {
            matched: tally,
            not_sent: u64::MAX,
            millis: u64::MAX,
            protocols: (0..=255).map(|number| (number, tally)).collect(),
            sources: vec![address; TOP_ADDRESSES],
            destinations: vec![address; TOP_ADDRESSES],
        };
        let packets =
            Packets { watch: 1, lines: vec![line(MOST_DETAIL_BYTES); MOST_LINES], totals, last: true };
        let record = Record::Packets(Box::new(packets));
        assert_eq!(Record::receive(&encode(&record).unwrap()).unwrap(), record);
    }

    #[test]
    fn what_is_over_a_bound_is_refused() {
        let long = Packets { lines: vec![line(MOST_DETAIL_BYTES + 1)], ..Packets::default() };
        let many = Packets { lines: vec![line(1); MOST_LINES + 1], ..Packets::default() };
        for packets in [long, many] {
            let encoded = encode(&Record::Packets(Box::new(packets))).unwrap();
            assert!(matches!(Record::receive(&encoded), Err(RecordError::Bound(_))));
        }
        let mut trailing = encode(&Record::Done).unwrap();
        trailing.push(0);
        assert!(matches!(Record::receive(&trailing), Err(RecordError::Trailing(1))));
        assert!(matches!(Record::receive(&vec![0; MOST_MESSAGE_BYTES + 1]), Err(RecordError::Length(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn hostile_bytes_are_an_error_or_a_record_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(record) = Record::receive(&bytes) {
                prop_assert!(record.check().is_ok());
            }
        }
    }
}

//! Counters of all interfaces by one netlink dump a reading (RTM_GETLINK, IFLA_STATS64; rtnetlink(7)), over one socket
//! and one buffer, parsed in place: a second's tick allocates nothing.
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use shared::report::KernelCounters;
use weir_shared as shared;

use super::{CounterError, CounterSource, Reading};

/// The kernel packs a dump into messages of up to 32 KiB when the reader has room for them.
const BUFFER_BYTES: usize = 64 << 10;
/// The kernel answers at once; this is for a kernel that does not.
const TIMEOUT_MILLIS: i64 = 500;
/// Interfaces that change during a dump make it start anew; after this many times the list is taken as it is.
const MOST_DUMPS: u32 = 3;

const HEADER_BYTES: usize = 16;
const LINK_HEADER_BYTES: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;
const IFLA_IFNAME: u16 = 3;
const IFLA_STATS64: u16 = 23;
/// Without the flags for nested and network byte order.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

#[derive(Debug)]
pub struct KernelSource {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl KernelSource {
    /// # Errors
    /// A sandbox that allows no netlink socket.
    pub fn open() -> Result<Self, CounterError> {
        let socket =
            socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
                .map_err(CounterError::Open)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(TIMEOUT_MILLIS))
            .map_err(CounterError::Open)?;
        Ok(Self { socket, buffer: vec![0; BUFFER_BYTES], sequence: 0 })
    }

    fn ask(&mut self) -> Result<(), CounterError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = Vec::with_capacity(HEADER_BYTES + LINK_HEADER_BYTES);
        request.extend(32_u32.to_ne_bytes());
        request.extend(RTM_GETLINK.to_ne_bytes());
        request.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        request.extend(self.sequence.to_ne_bytes());
        request.resize(HEADER_BYTES + LINK_HEADER_BYTES, 0);
        send(self.socket.as_raw_fd(), &request, MsgFlags::empty()).map_err(CounterError::Dump)?;
        Ok(())
    }

    /// Returns whether the list is of one moment.
    fn dump(&mut self, readings: &mut Vec<Reading>) -> Result<bool, CounterError> {
        self.ask()?;
        let mut filled = 0;
        let mut whole = true;
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_TRUNC)
                .map_err(CounterError::Dump)?;
            let mut rest = self.buffer.get(..length).ok_or(CounterError::Malformed)?;
            while let Some((message, after)) = Message::split(rest) {
                rest = after;
                if message.sequence != self.sequence {
                    continue;
                }
                whole &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_DONE => {
                        readings.truncate(filled);
                        return Ok(whole);
                    }
                    NLMSG_ERROR => return Err(CounterError::Dump(refusal(message.payload))),
                    RTM_NEWLINK => {
                        if readings.len() == filled {
                            readings.push(Reading::default());
                        }
                        if let Some(reading) = readings.get_mut(filled) {
                            filled += usize::from(parse_link(message.payload, reading));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

impl CounterSource for KernelSource {
    fn name(&self) -> &'static str {
        "netlink"
    }

    fn read(&mut self, readings: &mut Vec<Reading>) -> Result<(), CounterError> {
        for _ in 0..MOST_DUMPS {
            if self.dump(readings)? {
                break;
            }
        }
        Ok(())
    }
}

/// nlmsghdr(netlink(7)) and what follows it.
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl<'a> Message<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = Self {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            payload: bytes.get(HEADER_BYTES..length)?,
        };
        Some((message, bytes.get(aligned(length)..).unwrap_or_default()))
    }
}

/// An ifinfomsg and its attributes into a reading; false where name or counters are missing.
fn parse_link(payload: &[u8], reading: &mut Reading) -> bool {
    let Some(index) = u32_at(payload, 4) else { return false };
    reading.index = index;
    reading.name.clear();
    let mut counted = false;
    let mut rest = payload.get(LINK_HEADER_BYTES..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let Some(value) = rest.get(4..usize::from(length)) else { break };
        match kind & ATTRIBUTE_TYPE {
            IFLA_IFNAME => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                reading.name.push_str(&String::from_utf8_lossy(name));
            }
            IFLA_STATS64 => {
                if let Some(counters) = parse_counters(value) {
                    reading.counters = counters;
                    counted = true;
                }
            }
            _ => {}
        }
        rest = rest.get(aligned(usize::from(length))..).unwrap_or_default();
    }
    counted && !reading.name.is_empty()
}

/// The head of struct rtnl_link_stats64: packets received, sent, bytes received, sent.
fn parse_counters(value: &[u8]) -> Option<KernelCounters> {
    Some(KernelCounters {
        rx_packets: u64_at(value, 0)?,
        tx_packets: u64_at(value, 8)?,
        rx_bytes: u64_at(value, 16)?,
        tx_bytes: u64_at(value, 24)?,
    })
}

/// An nlmsgerr begins with a negative error number.
fn refusal(payload: &[u8]) -> nix::errno::Errno {
    let number = u32_at(payload, 0).unwrap_or_default().cast_signed();
    nix::errno::Errno::from_raw(number.wrapping_neg())
}

const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::super::ProcSource;
    use super::*;

    #[test]
    fn netlink_and_proc_count_the_same_interfaces() {
        let mut by_netlink = Vec::new();
        let mut source = KernelSource::open().unwrap();
        source.read(&mut by_netlink).unwrap();
        let mut by_proc = Vec::new();
        ProcSource.read(&mut by_proc).unwrap();
        let key = |reading: &Reading| (reading.index, reading.name.clone());
        let mut expected: Vec<_> = by_netlink.iter().map(key).collect();
        let mut found: Vec<_> = by_proc.iter().map(key).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        for reading in &by_netlink {
            let other = by_proc.iter().find(|other| other.index == reading.index).unwrap();
            assert!(other.counters.rx_bytes >= reading.counters.rx_bytes, "{}", reading.name);
        }
    }

    #[test]
    fn a_reading_replaces_the_one_before() {
        let mut source = KernelSource::open().unwrap();
        let stale = Reading { name: "gone".to_owned(), index: 9999, ..Reading::default() };
        let mut readings = vec![stale; 500];
        source.read(&mut readings).unwrap();
        assert!(readings.len() < 500 && readings.iter().all(|reading| reading.index != 9999));
        assert!(readings.iter().any(|reading| reading.name == "lo"));
    }

    #[test]
    fn a_message_that_runs_past_its_end_is_not_read() {
        let mut reading = Reading::default();
        assert!(!parse_link(&[0; 16], &mut reading));
        let mut cut = vec![0; 16];
        cut.extend(200_u16.to_ne_bytes());
        cut.extend(IFLA_IFNAME.to_ne_bytes());
        assert!(!parse_link(&cut, &mut reading));
        let header: Vec<u8> = 400_u32.to_ne_bytes().into_iter().chain([0; 12]).collect();
        assert!(Message::split(&header).is_none());
    }
}

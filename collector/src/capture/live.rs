//! One live interface through libpcap's ring (TPACKET_V3): opened, cut and filtered by a program of ours, read in batches.
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcap::{Active, Capture, Linktype, Precision};
use serde::{Deserialize, Serialize};

use super::lengths::{self, Link, SnapLength};
use crate::worker::filter::{MOST_EXPRESSION_BYTES, Program, ProgramError, numbered};

/// The kernel hands a block of the ring over when it is full, at the latest after so long. Shorter costs the sender
/// wake-ups.
pub const BLOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// libpcap puts a VLAN tag of 4 bytes back after the kernel has cut the frame.
const ROOM_FOR_TAG: u32 = 8;

/// How an interface is to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub interface: String,
    pub snap_length: SnapLength,
    /// In libpcap's syntax, one that `filter::check` has taken, for compiling may take seconds; empty for everything.
    pub filter: String,
    pub promiscuous: bool,
    pub buffer_mib: u16,
}

/// Why an interface could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum OpenError {
    #[error(
        "no permission to capture: CAP_NET_RAW is missing; start weir-collector by its systemd unit or with sudo, or grant it once: \
         sudo setcap cap_net_raw+p weir-collector"
    )]
    NoPermission,
    #[error("there is no interface {0}")]
    NoSuchInterface(String),
    #[error("interface {0} is down")]
    Down(String),
    #[error("filter {filter:?}: {reason}")]
    Filter { filter: String, reason: String },
    #[error("frames of link type {0} are not captured live; name the interface itself, not \"any\"")]
    Link(i32),
    #[error("the kernel takes no filter program: {0}")]
    Attach(String),
    #[error("{step}: {reason}")]
    Pcap { step: String, reason: String },
}

/// libpcap cannot read on: the interface is going or gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// libpcap's counters, cumulative; its own are 32 bits wide and wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that the program let through, the dropped ones included.
    pub received: u64,
    pub dropped: u64,
    pub interface_dropped: u64,
}

/// A packet as the ring holds it.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// The wall clock when the kernel saw it, nanoseconds since the Unix epoch.
    pub stamp: u64,
    pub wire_length: u32,
    pub data: &'a [u8],
}

/// An open interface.
pub struct Tap {
    capture: Capture<Active>,
    link_type: i32,
    /// Packets stamped earlier came in before the program was attached.
    since: u64,
    outside: u64,
    read: u64,
    counters: Counters,
    last: [u32; 3],
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap")
            .field("link_type", &self.link_type)
            .field("read", &self.read)
            .field("counters", &self.counters)
            .finish()
    }
}

impl Tap {
    /// Takes 6 to 60 ms, in which the rings of the interfaces already open fill.
    pub fn open(wanted: &Wanted) -> Result<Self, OpenError> {
        let capture = activate(wanted)?;
        let link = capture.get_datalink();
        let known = match link {
            Linktype::ETHERNET => Link::Ethernet,
            // DLT_RAW as libpcap numbers it, and LINKTYPE_RAW
            Linktype(12 | 14 | 101) => Link::Ip,
            other => return Err(OpenError::Link(other.0)),
        };
        let filter = filter(&capture, &wanted.filter)?;
        let bad_filter = |error: ProgramError| OpenError::Filter {
            filter: wanted.filter.clone(),
            reason: error.to_string(),
        };
        let program = lengths::program(known, wanted.snap_length, filter.as_ref()).map_err(bad_filter)?;
        attach(capture.as_fd(), &program).map_err(|error| OpenError::Attach(error.to_string()))?;
        let link_type = if known == Link::Ip { 101 } else { link.0 };
        Ok(Self {
            capture,
            link_type,
            since: wall_clock(),
            outside: 0,
            read: 0,
            counters: Counters::default(),
            last: [0; 3],
        })
    }

    /// <https://www.tcpdump.org/linktypes.html>
    pub fn link_type(&self) -> i32 {
        self.link_type
    }

    /// Readable when a block waits, in error when the interface went down or away.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.capture.as_fd()
    }

    /// Hands over at most `most` packets that wait, so that a flood on one interface cannot starve the others. Returns
    /// how many it took from the ring.
    pub fn dispatch(&mut self, most: usize, mut handle: impl FnMut(Captured<'_>)) -> Result<usize, Lost> {
        let (since, mut outside) = (self.since, 0u64);
        let taken = self.capture.dispatch(Some(most), |packet| {
            let stamp = nanoseconds(packet.header.ts.tv_sec, packet.header.ts.tv_usec);
            if stamp < since {
                outside += 1;
            } else {
                handle(Captured { stamp, wire_length: packet.header.len, data: packet.data });
            }
        });
        let taken = taken.map_err(|error| Lost(message(error)))?;
        self.outside += outside;
        self.read += u64::try_from(taken).unwrap_or(0);
        Ok(taken)
    }

    /// Reads libpcap's counters; where it has none any more the last ones stand.
    pub fn counters(&mut self) -> Counters {
        if let Ok(fresh) = self.capture.stats() {
            let fresh = [fresh.received, fresh.dropped, fresh.if_dropped];
            let [received, dropped, interface_dropped] = std::array::from_fn(|at| {
                let last = self.last.get(at).copied().unwrap_or(0);
                u64::from(fresh.get(at).copied().unwrap_or(last).wrapping_sub(last))
            });
            self.last = fresh;
            self.counters.received += received;
            self.counters.dropped += dropped;
            self.counters.interface_dropped += interface_dropped;
        }
        self.counters
    }

    /// Whether everything that the kernel had let through when the counters were read was read from the ring.
    pub fn is_drained(&self) -> bool {
        self.counters.received.saturating_sub(self.counters.dropped) <= self.read
    }

    /// Packets that came in before the program was attached, and are counted nowhere else.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Nothing more comes in; what waits can still be read. Closing at once would lose the block that the kernel still
    /// fills.
    pub fn stop_intake(&self) -> Result<(), OpenError> {
        let program = lengths::nothing().map_err(|error| OpenError::Attach(error.to_string()))?;
        attach(self.capture.as_fd(), &program).map_err(|error| OpenError::Attach(error.to_string()))
    }
}

fn activate(wanted: &Wanted) -> Result<Capture<Active>, OpenError> {
    let snap = wanted.snap_length.longest().saturating_add(ROOM_FOR_TAG);
    let snap = i32::try_from(snap).unwrap_or(i32::MAX).min(262_144);
    Capture::from_device(wanted.interface.as_str())
        .map_err(|error| refusal("create the capture", wanted, error))?
        .promisc(wanted.promiscuous)
        .snaplen(snap)
        .buffer_size(i32::from(wanted.buffer_mib.clamp(1, 1_024)) * 1_024 * 1_024)
        .timeout(i32::try_from(BLOCK_TIMEOUT.as_millis()).unwrap_or(100))
        .precision(Precision::Nano)
        .open()
        .map_err(|error| refusal("open the interface", wanted, error))?
        .setnonblock()
        .map_err(|error| refusal("read without blocking", wanted, error))
}

/// On the live handle: only there does libpcap know that a VLAN tag is in the metadata and not in the frame. Not by
/// pcap_setfilter, which filters the first block in user space, where `inbound` cannot be told.
pub(super) fn filter(capture: &Capture<Active>, expression: &str) -> Result<Option<Program>, OpenError> {
    if expression.trim().is_empty() {
        return Ok(None);
    }
    let bad = |reason: String| OpenError::Filter { filter: expression.to_owned(), reason };
    if expression.len() > MOST_EXPRESSION_BYTES {
        return Err(bad(format!(
            "it is {} bytes long; {MOST_EXPRESSION_BYTES} are allowed",
            expression.len()
        )));
    }
    let compiled = capture.compile(&numbered(expression), true).map_err(|error| bad(message(error)))?;
    Program::from_pcap(&compiled).map(Some).map_err(|error| bad(error.to_string()))
}

pub(super) fn attach(descriptor: BorrowedFd<'_>, program: &Program) -> std::io::Result<()> {
    let instructions = program.instructions().iter();
    let raw: Vec<_> =
        instructions.map(|i| socket2::SockFilter::new(i.code, i.jump_true, i.jump_false, i.k)).collect();
    socket2::SockRef::from(&descriptor).attach_filter(&raw)
}

pub(super) fn refusal(step: &str, wanted: &Wanted, error: pcap::Error) -> OpenError {
    let reason = message(error);
    let says = |part: &str| reason.contains(part);
    if says("ermission") || says("not permitted") {
        OpenError::NoPermission
    } else if says("No such device") {
        OpenError::NoSuchInterface(wanted.interface.clone())
    } else if says("not up") || says("Network is down") {
        OpenError::Down(wanted.interface.clone())
    } else {
        OpenError::Pcap { step: step.to_owned(), reason }
    }
}

pub(super) fn message(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message,
        other => other.to_string(),
    }
}

/// With `Precision::Nano` the field named for microseconds holds nanoseconds.
pub(super) fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let whole = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000);
    whole.saturating_add(u64::try_from(nanoseconds).unwrap_or(0))
}

fn wall_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

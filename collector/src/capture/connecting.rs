//! Connections that this machine begins, one packet each and at once: a socket of its own beside an interface's ring,
//! which hands packets over in blocks and up to 100 ms late. By then a short-lived program has gone.
use std::os::fd::{AsFd as _, BorrowedFd};

use pcap::{Active, Capture, Error, Linktype, Precision};

use super::live::{Captured, OpenError, Wanted, attach, filter, message, nanoseconds, refusal};

/// The first packet of a connection, as far as its ports. libpcap reads no TCP behind IPv6 by name.
const FIRST_PACKETS: &str = "outbound and (tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn \
                             or (ip6 and ip6[6] == 6 and ip6[53] & 18 == 2))";
const SNAP_LENGTH: i32 = 128;
/// Room for some hundred packets; a scan by this machine overflows it, and nobody minds.
const BUFFER_BYTES: i32 = 64 * 1_024;

pub struct Connecting {
    capture: Capture<Active>,
}

impl std::fmt::Debug for Connecting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connecting")
    }
}

impl Connecting {
    /// # Errors
    /// As the interface's own ring.
    pub fn open(wanted: &Wanted) -> Result<Self, OpenError> {
        let capture = Capture::from_device(wanted.interface.as_str())
            .map_err(|error| refusal("create the capture of first packets", wanted, error))?
            .immediate_mode(true)
            .snaplen(SNAP_LENGTH)
            .buffer_size(BUFFER_BYTES)
            .precision(Precision::Nano)
            .open()
            .map_err(|error| refusal("open the interface for first packets", wanted, error))?
            .setnonblock()
            .map_err(|error| refusal("read first packets without blocking", wanted, error))?;
        let program = filter(&capture, FIRST_PACKETS)?
            .ok_or_else(|| OpenError::Attach("the filter of first packets is empty".to_owned()))?;
        attach(capture.as_fd(), &program).map_err(|error| OpenError::Attach(error.to_string()))?;
        Ok(Self { capture })
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.capture.as_fd()
    }

    pub fn is_ethernet(&self) -> bool {
        self.capture.get_datalink() == Linktype::ETHERNET
    }

    /// Hands over at most `most` packets that wait.
    pub fn dispatch(&mut self, most: usize, mut handle: impl FnMut(Captured<'_>)) -> Result<usize, String> {
        let taken = self.capture.dispatch(Some(most), |packet| {
            let stamp = nanoseconds(packet.header.ts.tv_sec, packet.header.ts.tv_usec);
            handle(Captured { stamp, wire_length: packet.header.len, data: packet.data });
        });
        taken.map_err(|error: Error| message(error))
    }
}

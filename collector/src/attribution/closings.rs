//! Datagram sockets that have been closed, as the kernel tells at that moment (the destroy groups of sock_diag(7)). A port
//! says whose packets are only while it is looked at; that its socket has gone, and no other that had the port, says the
//! same of the time between the last look and the end.
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use super::clocks;
use super::diag;

/// Bits of SKNLGRP_INET_UDP_DESTROY and SKNLGRP_INET6_UDP_DESTROY (include/uapi/linux/sock_diag.h).
const GROUPS: u32 = 1 << 1 | 1 << 3;
/// Closed sockets that are remembered.
const MOST_CLOSED: usize = 8_192;
/// Bytes of one message.
const LONGEST: usize = 1_024;
/// Messages that are read at once, so that whoever closes sockets without end does not hold up what else is to be done.
const AT_ONCE: usize = 4_096;
/// So long after a socket was closed it is told who had the port until then, nanoseconds: by then others' closings and
/// the last packets have come, too.
const SETTLES: u64 = 250_000_000;
/// The kernel is not asked to tell for longer than this when nobody wants to know.
const LINGERS: Duration = Duration::from_secs(10);

/// A socket that had a port by itself when the kernel was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortHold {
    /// The socket's, never used again.
    pub(super) cookie: u64,
    /// When that was, nanoseconds since boot.
    pub(super) found: u64,
}

impl PortHold {
    pub(crate) fn is_socket_of(self, other: Self) -> bool {
        self.cookie == other.cookie
    }

    #[cfg(test)]
    pub(crate) fn of(cookie: u64) -> Self {
        Self { cookie, found: cookie }
    }
}

/// What has become of a socket that had a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was closed at this time, nanoseconds since boot, and no other had the port meanwhile.
    Until(u64),
    /// Nothing was told of it, or too little time has passed.
    NotYet,
    /// Another socket may have had the port, or something was lost.
    Doubtful,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    cookie: u64,
    /// 0: a kernel that does not say.
    port: u16,
    /// When it was read: the socket was closed before.
    at: u64,
}

/// What was told since it was begun to be listened to.
#[derive(Debug, Default)]
struct Heard {
    in_order: VecDeque<Closed>,
    by_cookie: HashMap<u64, Closed>,
    /// Nothing that was closed after this time is missing; nanoseconds since boot.
    whole_since: u64,
}

#[derive(Debug)]
pub(super) struct Closings {
    socket: OwnedFd,
    buffer: Vec<u8>,
    heard: Heard,
    wanted: Instant,
    /// How often messages found no room.
    lost: u64,
}

impl Closings {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkSockDiag,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Self {
            socket,
            buffer: vec![0; LONGEST],
            heard: Heard { whole_since: clocks::boot_now(), ..Heard::default() },
            wanted: Instant::now(),
            lost: 0,
        })
    }

    /// Since this was asked last.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Somebody may want to know of what is closed from now on.
    pub(super) fn want(&mut self, now: Instant) {
        self.wanted = now;
    }

    pub(super) fn is_wanted(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.wanted) < LINGERS
    }

    /// Takes in what was told.
    pub(super) fn read(&mut self) {
        for _ in 0..AT_ONCE {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Ok(length) => {
                    let at = clocks::boot_now();
                    let told = self.buffer.get(..length).and_then(diag::closed);
                    if let Some((cookie, port)) = told {
                        self.heard.take(Closed { cookie, port, at });
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => {
                    // ENOBUFS: there was no room; what there was room for is read the next time
                    self.lost = self.lost.saturating_add(1);
                    self.heard = Heard { whole_since: clocks::boot_now(), ..Heard::default() };
                    return;
                }
            }
        }
    }

    /// What has become of a socket by `now`, nanoseconds since boot, when the port was found to be nobody's.
    pub(super) fn ending(&self, hold: PortHold, now: u64) -> Ending {
        self.heard.ending(hold, now)
    }
}

impl Heard {
    fn take(&mut self, closed: Closed) {
        if self.in_order.len() >= MOST_CLOSED
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.by_cookie.remove(&oldest.cookie);
            self.whole_since = oldest.at;
        }
        self.by_cookie.insert(closed.cookie, closed);
        self.in_order.push_back(closed);
    }

    fn ending(&self, hold: PortHold, now: u64) -> Ending {
        if hold.found <= self.whole_since {
            return Ending::Doubtful;
        }
        let Some(own) = self.by_cookie.get(&hold.cookie) else { return Ending::NotYet };
        let first = self.in_order.partition_point(|closed| closed.at < hold.found);
        let mut since = self.in_order.iter().skip(first);
        // closed together with it, or before or after: it was there while nobody looked
        let may_have_had_the_port = |other: &Closed| {
            other.cookie != own.cookie && (other.port == own.port || other.port == 0 || own.port == 0)
        };
        if since.any(may_have_had_the_port) {
            Ending::Doubtful
        } else if now < own.at.saturating_add(SETTLES) {
            Ending::NotYet
        } else {
            Ending::Until(own.at)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::super::sockets::{Socket, UDP};
    use super::*;

    const OWN: PortHold = PortHold { cookie: 7, found: 1_000 };
    const LATER: u64 = 2_000 + SETTLES;

    fn heard(closed: &[(u64, u16, u64)]) -> Heard {
        let mut heard = Heard { whole_since: 500, ..Heard::default() };
        for (cookie, port, at) in closed {
            heard.take(Closed { cookie: *cookie, port: *port, at: *at });
        }
        heard
    }

    #[test]
    fn a_port_was_its_sockets_until_that_was_closed() {
        let heard = heard(&[(5, 5353, 900), (6, 53, 1_500), (7, 5353, 2_000)]);
        assert_eq!(heard.ending(OWN, LATER), Ending::Until(2_000));
        assert_eq!(heard.ending(OWN, LATER - 1), Ending::NotYet);
        assert_eq!(heard.ending(PortHold { cookie: 8, ..OWN }, LATER), Ending::NotYet);
    }

    #[test]
    fn where_another_socket_may_have_had_the_port_it_is_doubtful() {
        for other in [(6, 5353, 1_500), (6, 5353, 2_100), (6, 0, 1_500)] {
            let mut closed = vec![other, (7, 5353, 2_000)];
            closed.sort_by_key(|closed| closed.2);
            assert_eq!(heard(&closed).ending(OWN, LATER), Ending::Doubtful, "{other:?}");
        }
        assert_eq!(heard(&[(6, 53, 1_500), (7, 0, 2_000)]).ending(OWN, LATER), Ending::Doubtful);
    }

    #[test]
    fn what_was_lost_leaves_doubt() {
        let heard = heard(&[(7, 5353, 2_000)]);
        assert_eq!(heard.ending(PortHold { found: 500, ..OWN }, LATER), Ending::Doubtful);
        let mut full = heard;
        for cookie in 0..MOST_CLOSED as u64 {
            full.take(Closed { cookie: 100 + cookie, port: 1, at: 3_000 + cookie });
        }
        assert_eq!(full.ending(OWN, LATER), Ending::Doubtful);
        assert_eq!((full.in_order.len(), full.by_cookie.len()), (MOST_CLOSED, MOST_CLOSED));
    }

    #[test]
    fn the_kernel_tells_of_a_datagram_socket_that_is_closed() {
        let mut closings = Closings::open().unwrap();
        let found = clocks::boot_now();
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut sockets: Vec<Socket> = Vec::new();
        diag::Diag::open().unwrap().dump(UDP, false, u32::MAX, &mut sockets).unwrap();
        let cookie = sockets.iter().find(|socket| socket.local.1 == port).unwrap().cookie;
        let hold = PortHold { cookie, found };
        let later = || clocks::boot_now() + SETTLES;
        closings.read();
        assert_eq!(closings.ending(hold, later()), Ending::NotYet);
        drop(socket);
        let start = Instant::now();
        while closings.ending(hold, later()) == Ending::NotYet {
            assert!(start.elapsed() < Duration::from_secs(20), "nothing was told");
            closings.read();
            std::thread::yield_now();
        }
        let Ending::Until(at) = closings.ending(hold, later()) else {
            // another test's socket had no port that this kernel tells
            assert!(closings.heard.in_order.iter().any(|closed| closed.port == 0), "{closings:?}");
            return;
        };
        assert!((found..=clocks::boot_now()).contains(&at));
    }
}

//! Questions to the kernel about its sockets: NETLINK_SOCK_DIAG (sock_diag(7)), parsed in place and with bounds.
//!
//! One socket by its addresses costs some microseconds however many there are; a dump walks the whole table.
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::sockets::{Kind, Socket, TCP, UDP, UDP_LITE, plain, state, unspecified};

const HEADER: usize = 16;
/// `struct inet_diag_msg`, include/uapi/linux/inet_diag.h.
const MESSAGE: usize = 72;
const REQUEST: usize = HEADER + 56;
const BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const ATTRIBUTE_ONLY_V6: u16 = 11;
const BUFFER_BYTES: usize = 256 << 10;
/// A dump of a machine with more sockets is cut and counted.
pub(super) const MOST_SOCKETS: usize = 200_000;

/// Every TCP state but TIME-WAIT, in which a socket has no file any more.
pub(super) const NOT_TIME_WAIT: u32 = !(1 << 6);
pub(super) const LISTENING: u32 = 1 << state::LISTEN;

#[derive(Debug, thiserror::Error)]
pub(super) enum DiagError {
    #[error("netlink socket for sock_diag")]
    Open(#[source] io::Error),
    #[error("sock_diag question")]
    Ask(#[source] io::Error),
    /// The kernel's answer, such as EPERM or EINVAL.
    #[error("sock_diag was refused")]
    Refused(#[source] io::Error),
    #[error("sock_diag answered what is no netlink message")]
    Malformed,
    #[error("more than {MOST_SOCKETS} sockets: the rest was not read")]
    TooMany,
}

#[derive(Debug)]
pub(super) struct Diag {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

/// What one message of an answer is.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    Socket(Socket),
    Done,
    Failed(i32),
    Other,
}

impl Diag {
    pub(super) fn open() -> Result<Self, DiagError> {
        let opened = || -> nix::Result<OwnedFd> {
            let descriptor = socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::NetlinkSockDiag,
            )?;
            bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
            // the kernel answers while it is asked; this only guards against one that does not
            setsockopt(&descriptor, sockopt::ReceiveTimeout, &TimeVal::seconds(1))?;
            Ok(descriptor)
        };
        let socket = opened().map_err(|error| DiagError::Open(error.into()))?;
        Ok(Self { socket, buffer: vec![0; BUFFER_BYTES], sequence: 0 })
    }

    /// The socket that a packet from `remote` to `local` would reach, as the kernel's own look-up finds it: the connection,
    /// else the listener or the socket bound to the port. None where there is none.
    pub(super) fn find(
        &mut self,
        protocol: u8,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
    ) -> Result<Option<Socket>, DiagError> {
        // udp_dump_one takes both ends the other way round, "for historical reasons" (net/ipv4/udp_diag.c)
        let swapped = matches!(protocol, UDP | UDP_LITE);
        let ends = if swapped { (remote, local) } else { (local, remote) };
        let mut found = None;
        let asked = self.ask(&request(protocol, ends, u32::MAX, NLM_F_REQUEST), &mut |socket| {
            found = Some(socket);
            Ok(())
        });
        match asked {
            Ok(()) => Ok(found.map(|socket: Socket| Socket { protocol, ..socket })),
            Err(DiagError::Refused(error)) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Appends every socket of a protocol and family that is in one of `states` (bit n: state n). A protocol that the
    /// kernel does not have is [`DiagError::Refused`] with ENOENT.
    pub(super) fn dump(
        &mut self,
        protocol: u8,
        version_6: bool,
        states: u32,
        sockets: &mut Vec<Socket>,
    ) -> Result<(), DiagError> {
        let any = (unspecified(version_6), 0);
        self.ask(&request(protocol, (any, any), states, NLM_F_REQUEST | NLM_F_DUMP), &mut |socket| {
            if sockets.len() >= MOST_SOCKETS {
                return Err(DiagError::TooMany);
            }
            sockets.push(Socket { protocol, ..socket });
            Ok(())
        })
    }

    fn ask(
        &mut self,
        request: &[u8; REQUEST],
        take: &mut dyn FnMut(Socket) -> Result<(), DiagError>,
    ) -> Result<(), DiagError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = *request;
        if let Some(place) = request.get_mut(8..12) {
            place.copy_from_slice(&self.sequence.to_ne_bytes());
        }
        let dump = request.get(7).is_some_and(|flags| *flags & 3 != 0);
        send(self.socket.as_raw_fd(), &request, MsgFlags::empty())
            .map_err(|error| DiagError::Ask(error.into()))?;
        let mut refused = Ok(());
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty())
                .map_err(|error| DiagError::Ask(error.into()))?;
            let mut rest = self.buffer.get(..length).ok_or(DiagError::Malformed)?;
            while !rest.is_empty() {
                let (message, sequence, after) = next(rest).ok_or(DiagError::Malformed)?;
                rest = after;
                if sequence != self.sequence {
                    continue; // of a question that was given up
                }
                match message {
                    // a dump that is refused half way is read to its end, or its rest would answer the next question
                    Message::Socket(socket) if refused.is_ok() => refused = take(socket),
                    Message::Socket(_) | Message::Other => {}
                    Message::Done => return refused,
                    Message::Failed(0) => return refused,
                    Message::Failed(errno) => {
                        return Err(DiagError::Refused(io::Error::from_raw_os_error(errno)));
                    }
                }
                if !dump {
                    return refused;
                }
            }
        }
    }
}

type Ends = ((IpAddr, u16), (IpAddr, u16));

/// `struct inet_diag_req_v2` after its netlink header.
fn request(protocol: u8, (source, destination): Ends, states: u32, flags: u16) -> [u8; REQUEST] {
    let version_6 = source.0.is_ipv6() || destination.0.is_ipv6();
    let family = if version_6 { libc::AF_INET6 } else { libc::AF_INET };
    let mut bytes = Vec::with_capacity(REQUEST);
    bytes.extend_from_slice(&u32::try_from(REQUEST).unwrap_or(0).to_ne_bytes());
    bytes.extend_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]); // sequence, port
    bytes.extend_from_slice(&[u8::try_from(family).unwrap_or(0), protocol, 0, 0]);
    bytes.extend_from_slice(&states.to_ne_bytes());
    bytes.extend_from_slice(&source.1.to_be_bytes());
    bytes.extend_from_slice(&destination.1.to_be_bytes());
    for address in [source.0, destination.0] {
        bytes.extend_from_slice(&sixteen(address, version_6));
    }
    bytes.extend_from_slice(&[0; 4]); // interface
    bytes.extend_from_slice(&[0xff; 8]); // any cookie
    let mut request = [0; REQUEST];
    for (place, byte) in request.iter_mut().zip(bytes) {
        *place = byte;
    }
    request
}

fn sixteen(address: IpAddr, version_6: bool) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) if version_6 => address.to_ipv6_mapped().octets(),
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
    }
}

/// The first message, its sequence number, and what follows. None: no netlink message.
fn next(bytes: &[u8]) -> Option<(Message, u32, &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let sequence = u32::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
    let body = bytes.get(HEADER..length)?;
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    let message = match kind {
        // a dump tells its error at its end
        NLMSG_DONE => match body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)) {
            Some(error) if error < 0 => Message::Failed(error.saturating_neg()),
            _ => Message::Done,
        },
        NLMSG_ERROR => Message::Failed(i32::from_ne_bytes(*body.first_chunk()?).saturating_neg()),
        BY_FAMILY => Message::Socket(socket_of(body)?),
        _ => Message::Other,
    };
    Some((message, sequence, after))
}

/// The cookie and the port of a socket that was closed, from a message to those who listen for such news. The port is 0
/// where the kernel does not tell it.
pub(super) fn closed(bytes: &[u8]) -> Option<(u64, u16)> {
    match next(bytes)? {
        (Message::Socket(socket), ..) => Some((socket.cookie, socket.local.1)),
        _ => None,
    }
}

/// `struct inet_diag_msg` and its attributes. The protocol is not in it: TCP stands until the asker says.
fn socket_of(body: &[u8]) -> Option<Socket> {
    let fixed = body.first_chunk::<MESSAGE>()?;
    let port = |at: usize| fixed.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    let word = |at: usize| fixed.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let version_6 = match i32::from(*fixed.first()?) {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => return None,
    };
    let address = |at: usize| -> Option<IpAddr> {
        if version_6 {
            let bytes: [u8; 16] = *fixed.get(at..)?.first_chunk()?;
            return Some(plain(bytes.into()));
        }
        let bytes: [u8; 4] = *fixed.get(at..)?.first_chunk()?;
        Some(bytes.into())
    };
    Some(Socket {
        kind: Kind::Ports,
        protocol: TCP,
        state: *fixed.get(1)?,
        local: (address(8)?, port(4)?),
        remote: (address(24)?, port(6)?),
        only_v6: attribute(body.get(MESSAGE..)?, ATTRIBUTE_ONLY_V6)
            .is_some_and(|value| value.first() == Some(&1)),
        interface: word(40)?,
        cookie: u64::from(word(44)?) | u64::from(word(48)?) << 32,
        uid: word(64)?,
        inode: u64::from(word(68)?),
    })
}

/// The value of the first attribute of a kind (struct nlattr).
fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
        let value = bytes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
#[path = "diag_tests.rs"]
mod tests;

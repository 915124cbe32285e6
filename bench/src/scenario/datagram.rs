//! UDP: unconnected and connected, alone and many a call.
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Aim, HTTPS_PORT, Moved, needs};

const SIZE: usize = 1_000;
const SMALL: usize = 16;
/// Datagrams a call, and a round.
const MANY: usize = 16;
const EXCHANGES: usize = 10;
const FLOOD: usize = 500;
/// An answer that is not there by then is lost: it is not counted, and nothing waits for it again.
const PATIENCE: Duration = Duration::from_millis(500);

/// A datagram of `size` that asks for so many answers of `answer` bytes.
fn request(answers: u32, answer: usize, size: usize) -> Vec<u8> {
    let mut bytes = answers.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(answer as u32).to_le_bytes());
    bytes.resize(size.max(bytes.len()), 0x5a);
    bytes
}

/// A socket that asks and waits for one answer at a time, so that no buffer overflows.
pub(super) struct Asking {
    socket: UdpSocket,
    to: Option<SocketAddr>,
    request: Vec<u8>,
}

impl Asking {
    /// `sizes`: of a request and of its answer. `ends`: the own port, 0 for any, and the other's address.
    pub(super) fn new(ends: (u16, SocketAddr), connected: bool, sizes: (usize, usize)) -> Result<Self> {
        let (from_port, to) = ends;
        let socket = socket(from_port, to)?;
        if connected {
            socket.connect(to).with_context(|| format!("connecting to {to}"))?;
        }
        Ok(Self { socket, to: (!connected).then_some(to), request: request(1, sizes.1, sizes.0) })
    }

    pub(super) fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn ask(&self) -> Result<Moved> {
        let sent = match self.to {
            Some(to) => self.socket.send_to(&self.request, to),
            None => self.socket.send(&self.request),
        };
        let sent = sent.context("sending a datagram")? as u64;
        let received = self.socket.recv(&mut [0; 2 * SIZE]).unwrap_or_default() as u64;
        Ok(Moved { sent, received, frames: 1 })
    }
}

fn socket(from_port: u16, to: SocketAddr) -> Result<UdpSocket> {
    let socket = match to {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, from_port)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, from_port)),
    };
    let socket = socket.with_context(|| format!("binding UDP port {from_port}"))?;
    socket.set_read_timeout(Some(PATIENCE)).context("setting a time-out")?;
    Ok(socket)
}

fn rounds(aim: &Aim, to: SocketAddr, connected: bool) -> Result<Moved> {
    let asking = Asking::new((aim.from_port, to), connected, (SIZE, SIZE))?;
    aim.each_round(|_| {
        let mut moved = Moved::default();
        for _ in 0..EXCHANGES {
            moved += asking.ask()?;
        }
        Ok(moved)
    })
}

pub(super) fn unconnected(aim: &Aim) -> Result<Moved> {
    rounds(aim, aim.to(aim.host, aim.port), false)
}

pub(super) fn over_ipv6(aim: &Aim) -> Result<Moved> {
    drop(needs("IPv6", Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)))?);
    rounds(aim, aim.to(aim.host6, aim.port), false)
}

pub(super) fn https(aim: &Aim) -> Result<Moved> {
    rounds(aim, aim.to(aim.host, HTTPS_PORT), true)
}

fn connected(aim: &Aim) -> Result<UdpSocket> {
    let to = aim.to(aim.host, aim.port);
    let socket = socket(aim.from_port, to)?;
    socket.connect(to).with_context(|| format!("connecting to {to}"))?;
    Ok(socket)
}

/// Small datagrams as fast as they go; nobody answers.
pub(super) fn flood(aim: &Aim) -> Result<Moved> {
    let socket = connected(aim)?;
    let bytes = request(0, 0, SMALL);
    aim.each_round(|_| {
        let mut moved = Moved::default();
        for _ in 0..FLOOD {
            let sent = socket.send(&bytes).context("sending a datagram")?;
            moved += Moved { sent: sent as u64, received: 0, frames: 1 };
        }
        Ok(moved)
    })
}

pub(super) fn many_out(aim: &Aim) -> Result<Moved> {
    let socket = connected(aim)?;
    let bytes = request(0, 0, SIZE);
    let slices = [[IoSlice::new(&bytes)]; MANY];
    let mut headers = MultiHeaders::<()>::preallocate(MANY, None);
    aim.each_round(|_| {
        let mut left = MANY;
        while left > 0 {
            let group = slices.iter().take(left);
            let sent = sendmmsg(socket.as_raw_fd(), &mut headers, group, [None; MANY], [], MsgFlags::empty());
            left = left.saturating_sub(sent.context("sendmmsg")?.count().max(1));
        }
        Ok(Moved { sent: (MANY * SIZE) as u64, received: 0, frames: MANY as u64 })
    })
}

pub(super) fn many_in(aim: &Aim) -> Result<Moved> {
    let socket = connected(aim)?;
    let bytes = request(MANY as u32, SIZE, SMALL);
    aim.each_round(|_| {
        socket.send(&bytes).context("sending a datagram")?;
        let (mut answers, mut received) = (0, 0);
        while answers < MANY {
            let Some((more, length)) = receive_many(&socket)? else { break };
            answers += more;
            received += length as u64;
        }
        Ok(Moved { sent: bytes.len() as u64, received, frames: 1 })
    })
}

/// Waits for one datagram and takes what else is there: how many, and their bytes. None when none came in time.
fn receive_many(socket: &UdpSocket) -> Result<Option<(usize, usize)>> {
    let mut space = vec![[0_u8; 2 * SIZE]; MANY];
    let mut slices: Vec<_> = space.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let mut headers = MultiHeaders::<()>::preallocate(MANY, None);
    match recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None) {
        Ok(datagrams) => {
            let lengths: Vec<usize> = datagrams.map(|datagram| datagram.bytes).collect();
            Ok(Some((lengths.len(), lengths.iter().sum())))
        }
        Err(Errno::EAGAIN) => Ok(None),
        Err(error) => Err(error).context("recvmmsg"),
    }
}

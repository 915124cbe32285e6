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

/// A datagram that asks for so many answers of `SIZE`.
fn request(answers: u32, size: usize) -> Vec<u8> {
    let mut bytes = answers.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(SIZE as u32).to_le_bytes());
    bytes.resize(size, 0x5a);
    bytes
}

fn socket(aim: &Aim, to: SocketAddr) -> Result<UdpSocket> {
    let socket = match to {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, aim.from_port)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, aim.from_port)),
    };
    let socket = socket.with_context(|| format!("binding UDP port {}", aim.from_port))?;
    socket.set_read_timeout(Some(PATIENCE)).context("setting a time-out")?;
    Ok(socket)
}

/// Asks and waits for the answer, so that no buffer overflows.
fn rounds(aim: &Aim, socket: &UdpSocket, send: impl Fn(&[u8]) -> std::io::Result<usize>) -> Result<Moved> {
    let bytes = request(1, SIZE);
    let mut buffer = [0; 2 * SIZE];
    aim.each_round(|_| {
        let mut moved = Moved::default();
        for _ in 0..EXCHANGES {
            let sent = send(&bytes).context("sending a datagram")?;
            let received = socket.recv(&mut buffer).unwrap_or_default();
            moved += Moved { sent: sent as u64, received: received as u64, frames: 1 };
        }
        Ok(moved)
    })
}

fn unconnected_to(aim: &Aim, to: SocketAddr) -> Result<Moved> {
    let socket = socket(aim, to)?;
    rounds(aim, &socket, |bytes| socket.send_to(bytes, to))
}

pub(super) fn unconnected(aim: &Aim) -> Result<Moved> {
    unconnected_to(aim, aim.to(aim.host, aim.port))
}

pub(super) fn over_ipv6(aim: &Aim) -> Result<Moved> {
    drop(needs("IPv6", Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)))?);
    unconnected_to(aim, aim.to(aim.host6, aim.port))
}

fn connected(aim: &Aim, port: u16) -> Result<UdpSocket> {
    let to = aim.to(aim.host, port);
    let socket = socket(aim, to)?;
    socket.connect(to).with_context(|| format!("connecting to {to}"))?;
    Ok(socket)
}

pub(super) fn https(aim: &Aim) -> Result<Moved> {
    let socket = connected(aim, HTTPS_PORT)?;
    rounds(aim, &socket, |bytes| socket.send(bytes))
}

/// Small datagrams as fast as they go; nobody answers.
pub(super) fn flood(aim: &Aim) -> Result<Moved> {
    let socket = connected(aim, aim.port)?;
    let bytes = request(0, SMALL);
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
    let socket = connected(aim, aim.port)?;
    let bytes = request(0, SIZE);
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
    let socket = connected(aim, aim.port)?;
    let bytes = request(MANY as u32, SMALL);
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

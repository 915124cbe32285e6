//! The far end: answers streams, datagrams and raw packets as their headers ask.
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::{HEADER, drain};
use super::{HTTPS_PORT, RAW_PROTOCOL};

/// RFC 9260.
pub(super) const SCTP: i32 = 132;
/// More in one exchange is nobody's we know.
const LARGEST: u64 = 1 << 30;
const MOST_ANSWERS: u32 = 64;
const LARGEST_ANSWER: u32 = 1_400;

/// How long the far end stays, so that a forgotten one goes away by itself.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// What is served beside TCP and UDP on `port`.
#[derive(Debug, Clone, Copy)]
pub struct Services {
    pub port: u16,
    /// Port 443, raw IP and SCTP too. Only one far end of a network may: raw packets go to every raw socket, and two
    /// that answer would answer each other for ever.
    pub all: bool,
}

/// Opens everything, calls `ready`, serves.
///
/// # Errors
/// A port that is taken, or a missing right; what a kernel lacks (IPv6, SCTP) is left out.
pub fn serve(services: Services, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let listener = listen(services.port)?;
    std::thread::spawn(move || accept(&listener));
    let mut ports = vec![services.port];
    if services.all {
        ports.push(HTTPS_PORT);
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(i32::from(RAW_PROTOCOL))));
        let raw = raw.context("opening a raw socket, which needs root")?;
        std::thread::spawn(move || echo_raw(raw));
        if let Ok(listener) = listen_sctp(services.port) {
            std::thread::spawn(move || accept_sctp(&listener));
        }
    }
    for port in ports {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))
            .with_context(|| format!("binding UDP port {port}"))?;
        std::thread::spawn(move || answer(&socket));
    }
    ready()?;
    std::thread::sleep(LIFETIME);
    Ok(())
}

fn listen(port: u16) -> Result<TcpListener> {
    // an IPv6 socket takes IPv4 too, unless the kernel has no IPv6
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .with_context(|| format!("listening on TCP port {port}"))
}

fn listen_sctp(port: u16) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(SCTP)))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    socket.listen(16)?;
    Ok(socket)
}

fn accept(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let Ok(writing) = stream.try_clone() else { return };
            converse(stream, writing);
        });
    }
}

/// As a worker of one thread does.
pub(super) fn accept_one_by_one(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        if let Ok(writing) = stream.try_clone() {
            converse(stream, writing);
        }
    }
}

fn accept_sctp(listener: &Socket) {
    while let Ok((socket, _)) = listener.accept() {
        std::thread::spawn(move || {
            let Ok(writing) = socket.try_clone() else { return };
            converse(socket, writing);
        });
    }
}

/// Exchange after exchange until the other side closes: there is nobody to report an error to but the other side, which
/// sees the close.
fn converse(mut reading: impl Read, mut writing: impl Write + Send) {
    while one_exchange(&mut reading, &mut writing).is_ok() {}
}

fn one_exchange(reading: &mut impl Read, writing: &mut (impl Write + Send)) -> Result<()> {
    let mut header = [0; HEADER];
    reading.read_exact(&mut header).context("reading the header")?;
    let (up, down) = (number(&header[..8]), number(&header[8..]));
    ensure!(up <= LARGEST && down <= LARGEST, "no header of ours");
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || -> Result<()> {
            let bytes = vec![0xa5; (down as usize).clamp(1, 65_536)];
            let mut left = down as usize;
            while left > 0 {
                let now = left.min(bytes.len());
                writing.write_all(&bytes[..now]).context("answering")?;
                left -= now;
            }
            Ok(())
        });
        drain(reading, up as usize)?;
        writer.join().map_err(|_| anyhow::anyhow!("the answering thread panicked"))?
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// A datagram's first eight bytes: how many answers are wanted, and how long each. None, where they are no such request.
fn wanted(datagram: &[u8]) -> Option<(u32, usize)> {
    let count = u32::try_from(number(datagram.get(..4)?)).ok()?;
    let size = u32::try_from(number(datagram.get(4..8)?)).ok()?;
    (count <= MOST_ANSWERS && size <= LARGEST_ANSWER).then_some((count, size as usize))
}

fn answer(socket: &UdpSocket) {
    let mut buffer = [0; 2_048];
    let bytes = [0xa5; LARGEST_ANSWER as usize];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let (count, size) = wanted(&buffer[..length]).unwrap_or_default();
        for _ in 0..count {
            if socket.send_to(&bytes[..size], from).is_err() {
                break;
            }
        }
    }
}

/// Sends every raw packet's payload back to where it came from.
fn echo_raw(mut socket: Socket) {
    let mut buffer = [0; 2_048];
    while let Ok(length) = socket.read(&mut buffer) {
        let Some(packet) = buffer.get(..length) else { continue };
        let header = usize::from(packet.first().copied().unwrap_or_default() & 15) * 4;
        let (Some(source), Some(payload)) = (packet.get(12..16), packet.get(header..)) else { continue };
        let Ok(source) = <[u8; 4]>::try_from(source) else { continue };
        let to = SocketAddr::from((Ipv4Addr::from(source), 0));
        if socket.send_to(payload, &to.into()).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_modest_requests_are_answered() {
        assert_eq!(wanted(&[2, 0, 0, 0, 0xe8, 3, 0, 0, 9]), Some((2, 1000)));
        assert_eq!(wanted(&[0x5a; 16]), None);
        assert_eq!(wanted(&[1, 0, 0]), None);
    }
}

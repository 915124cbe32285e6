//! Streams: TCP over both versions of IP, and SCTP. Every exchange begins with a header that says how much follows and
//! how much is wanted back.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Aim, Moved, needs};

/// Bytes up and bytes down, each as 8 bytes in little-endian order.
pub(super) const HEADER: usize = 16;
/// A far end that is silent for this long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const BURST: usize = 16;

pub(super) fn header(up: usize, down: usize) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&(up as u64).to_le_bytes());
    bytes[8..].copy_from_slice(&(down as u64).to_le_bytes());
    bytes
}

pub(super) fn connect(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).with_context(|| format!("connecting to {to}"))?;
    stream.set_read_timeout(Some(PATIENCE)).context("setting a time-out")?;
    Ok(stream)
}

/// Reads exactly so many bytes and forgets them.
pub(super) fn drain(from: &mut impl Read, bytes: usize) -> Result<()> {
    let mut buffer = vec![0; bytes.clamp(1, 65_536)];
    let mut left = bytes;
    while left > 0 {
        let most = left.min(buffer.len());
        let read = from.read(&mut buffer[..most]).context("receiving")?;
        ensure!(read > 0, "the far end closed with {left} bytes left");
        left -= read;
    }
    Ok(())
}

/// Sends, then receives.
pub(super) fn exchange(stream: &mut (impl Read + Write), up: usize, down: usize) -> Result<Moved> {
    let mut bytes = header(up, down).to_vec();
    bytes.resize(HEADER + up, 0x5a);
    stream.write_all(&bytes).context("sending")?;
    drain(stream, down)?;
    Ok(Moved { sent: bytes.len() as u64, received: down as u64, frames: 0 })
}

fn rounds(aim: &Aim, to: SocketAddr, up: usize, down: usize) -> Result<Moved> {
    let mut stream = connect(to)?;
    aim.each_round(|_| exchange(&mut stream, up, down))
}

pub(super) fn download(aim: &Aim) -> Result<Moved> {
    rounds(aim, aim.stream(), 0, aim.bytes)
}

pub(super) fn upload(aim: &Aim) -> Result<Moved> {
    rounds(aim, aim.stream(), aim.bytes, 0)
}

pub(super) fn over_ipv6(aim: &Aim) -> Result<Moved> {
    drop(needs("IPv6", Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)))?);
    rounds(aim, aim.to(aim.host6, aim.port), aim.bytes / 2, aim.bytes / 2)
}

/// Both directions at once: the far end answers while it receives, so a thread of ours reads while this one writes.
pub(super) fn duplex(aim: &Aim) -> Result<Moved> {
    let mut stream = connect(aim.stream())?;
    let mut receiving = stream.try_clone().context("a second handle of the socket")?;
    let mut bytes = header(aim.bytes, aim.bytes).to_vec();
    bytes.resize(HEADER + aim.bytes, 0x5a);
    aim.each_round(|_| {
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| drain(&mut receiving, aim.bytes));
            stream.write_all(&bytes).context("sending")?;
            reader.join().map_err(|_| anyhow::anyhow!("the reading thread panicked"))??;
            Ok(Moved { sent: bytes.len() as u64, received: aim.bytes as u64, frames: 0 })
        })
    })
}

pub(super) fn sctp(aim: &Aim) -> Result<Moved> {
    let made = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(super::far_end::SCTP)));
    let mut socket = needs("SCTP", made)?;
    socket.set_read_timeout(Some(PATIENCE)).context("setting a time-out")?;
    socket.connect(&aim.stream().into()).context("connecting by SCTP")?;
    aim.each_round(|_| exchange(&mut socket, aim.bytes.min(16_384), aim.bytes.min(16_384)))
}

/// A few bytes now and then.
pub(super) fn drip(aim: &Aim) -> Result<Moved> {
    let slow = Aim { rounds: (aim.rounds / 5).max(2), pause: aim.pause * 5, ..aim.clone() };
    rounds(&slow, aim.stream(), 40, 40)
}

pub(super) fn many(aim: &Aim) -> Result<Moved> {
    aim.each_round(|_| {
        let mut moved = Moved::default();
        for _ in 0..10 {
            moved += exchange(&mut connect(aim.stream())?, 500, 2_000)?;
        }
        Ok(moved)
    })
}

/// Many connections at once, without a pause.
pub(super) fn burst(aim: &Aim) -> Result<Moved> {
    let at_once = Aim { pause: Duration::ZERO, ..aim.clone() };
    let part = aim.bytes / BURST;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..BURST).map(|_| scope.spawn(|| rounds(&at_once, aim.stream(), part, part))).collect();
        let mut moved = Moved::default();
        for thread in threads {
            moved += thread.join().map_err(|_| anyhow::anyhow!("a sending thread panicked"))??;
        }
        Ok(moved)
    })
}

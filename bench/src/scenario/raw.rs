//! Below UDP and TCP: ICMP echo, raw IP, and frames through AF_PACKET.
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Aim, Moved, RAW_PROTOCOL, needs};
use crate::frames::{Link, Transport, frame};
use crate::generate::frame::{fold, sum};

const SIZE: usize = 1_000;
const EXCHANGES: u32 = 10;
const ECHO_HEADER: usize = 8;
const PATIENCE: Duration = Duration::from_millis(500);
/// Ethernet, IPv4 and UDP.
const FRAME_HEADERS: usize = 14 + 20 + 8;

fn open(kind: Type, protocol: Protocol, to: Ipv4Addr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind, Some(protocol))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&SocketAddr::from((to, 0)).into())?;
    Ok(socket)
}

/// By a ping socket where `net.ipv4.ping_group_range` allows (icmp(7)), else by a raw one, as ping(8) does.
pub(super) fn echo(aim: &Aim) -> Result<Moved> {
    if let Ok(mut socket) = open(Type::DGRAM, Protocol::ICMPV4, aim.host) {
        return aim.each_round(|round| ping(&mut socket, round, 0));
    }
    let mut socket = needs("ICMP socket", open(Type::RAW, Protocol::ICMPV4, aim.host))?;
    aim.each_round(|round| ping(&mut socket, round, 20))
}

/// Echo requests, each with its answer; `skipped` bytes stand before the ICMP header of what is read.
fn ping(socket: &mut Socket, round: u32, skipped: usize) -> Result<Moved> {
    let mut moved = Moved::default();
    let mut buffer = [0; 2 * SIZE];
    for number in 0..EXCHANGES {
        let mut packet = vec![8, 0, 0, 0];
        packet.extend_from_slice(&(std::process::id() as u16).to_be_bytes());
        packet.extend_from_slice(&((round * EXCHANGES + number) as u16).to_be_bytes());
        packet.resize(ECHO_HEADER + SIZE, 0x5a);
        let checksum = fold(sum(&packet)).to_be_bytes();
        packet[2..4].copy_from_slice(&checksum);
        socket.write_all(&packet).context("sending an echo request")?;
        let read = wait(socket, &mut buffer)?;
        moved += Moved {
            sent: SIZE as u64,
            received: read.saturating_sub(skipped + ECHO_HEADER) as u64,
            frames: 1,
        };
    }
    Ok(moved)
}

/// Bytes of the next packet; 0 when none came in time.
fn wait(socket: &mut Socket, buffer: &mut [u8]) -> Result<usize> {
    match socket.read(buffer) {
        Ok(read) => Ok(read),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error).context("receiving"),
    }
}

pub(super) fn raw_ip(aim: &Aim) -> Result<Moved> {
    let protocol = Protocol::from(i32::from(RAW_PROTOCOL));
    let mut socket = needs("raw socket", open(Type::RAW, protocol, aim.host))?;
    let bytes = [0x5a; SIZE];
    let mut buffer = [0; 2 * SIZE];
    aim.each_round(|_| {
        let mut moved = Moved::default();
        for _ in 0..EXCHANGES {
            socket.write_all(&bytes).context("sending a raw packet")?;
            // the IP header is read too (raw(7))
            let received = wait(&mut socket, &mut buffer)?.saturating_sub(20);
            moved += Moved { sent: SIZE as u64, received: received as u64, frames: 1 };
        }
        Ok(moved)
    })
}

/// UDP frames past the IP stack (packet(7)); the far end does not answer them.
pub(super) fn frames(aim: &Aim) -> Result<Moved> {
    let opened = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None);
    let socket = needs("AF_PACKET socket", opened.map_err(Into::into))?;
    let (address, source) = interface(&aim.interface)?;
    let source_mac = address.addr().context("the interface has no hardware address")?;
    let link = Link { source_mac, destination_mac: neighbour(aim.host)?, source, destination: aim.host };
    // flow 4 goes to port 443, where the far end listens and takes this for no request
    let bytes = frame(&link, Transport::Udp, 4, FRAME_HEADERS + SIZE);
    aim.each_round(|_| {
        for _ in 0..EXCHANGES {
            sendto(socket.as_raw_fd(), &bytes, &address, MsgFlags::empty()).context("sending a frame")?;
        }
        let frames = u64::from(EXCHANGES);
        Ok(Moved { sent: frames * SIZE as u64, received: 0, frames })
    })
}

/// An interface's link-layer and IPv4 address.
fn interface(name: &str) -> Result<(LinkAddr, Ipv4Addr)> {
    let addresses = getifaddrs().context("reading this machine's addresses")?;
    let (mut link, mut network) = (None, None);
    for address in
        addresses.filter(|address| address.interface_name == name).filter_map(|entry| entry.address)
    {
        link = link.or(address.as_link_addr().copied());
        network = network.or(address.as_sockaddr_in().map(|address| address.ip()));
    }
    link.zip(network).ok_or_else(|| anyhow!("no interface {name} with a hardware and an IPv4 address"))
}

/// The hardware address of a neighbour that the kernel knows.
fn neighbour(host: Ipv4Addr) -> Result<[u8; 6]> {
    let table = std::fs::read_to_string("/proc/net/arp").context("reading /proc/net/arp")?;
    let host = host.to_string();
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = row.into_iter().find(|columns| columns.first() == Some(&host.as_str()));
    let text = row.and_then(|columns| columns.get(3).copied().map(str::to_owned));
    let bytes: Option<Vec<u8>> =
        text.and_then(|text| text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect());
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| anyhow!("/proc/net/arp does not know {host}"))
}

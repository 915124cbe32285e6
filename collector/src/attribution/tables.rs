//! Which of many sockets an end belongs to, and the kernel's text tables (proc_pid_net(5)) for what netlink does not tell:
//! raw and ping sockets, other network namespaces, machines where sock_diag is refused.
use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::SocketEnd;
use super::sockets::{ICMP, ICMP_V6, Kind, RAW, SCTP, Socket, TCP, UDP, UDP_LITE, is_for_many, plain, state};

/// Bytes that are read of one table.
const LONGEST_TABLE: u64 = 32 << 20;

/// Sockets by protocol and local port.
#[derive(Debug, Default)]
pub(super) struct Table {
    sockets: Vec<Socket>,
}

impl Table {
    pub(super) fn new(mut sockets: Vec<Socket>) -> Self {
        sockets.sort_unstable_by_key(order);
        Self { sockets }
    }

    /// Every socket of a kind and protocol bound to a port.
    fn bound(&self, kind: Kind, protocol: u8, port: u16) -> &[Socket] {
        let wanted = (kind as u8, protocol, port);
        let first = self.sockets.partition_point(|socket| order(socket) < wanted);
        let rest = self.sockets.get(first..).unwrap_or_default();
        let count = rest.partition_point(|socket| order(socket) == wanted);
        rest.get(..count).unwrap_or_default()
    }

    /// The sockets that an end may belong to: those connected to its remote end; else of the unconnected ones those bound
    /// to its address; else those bound to any. Several: the kernel shares them out, or each gets a copy.
    pub(super) fn of(&self, end: &SocketEnd) -> Vec<Socket> {
        match end.protocol {
            ICMP | ICMP_V6 => self.of_echo(end),
            TCP | UDP | UDP_LITE | SCTP => {
                best(self.bound(Kind::Ports, end.protocol, end.local.1), end, |socket| {
                    end.protocol != TCP || socket.state != state::LISTEN
                })
            }
            protocol => self.of_raw(protocol, end),
        }
    }

    /// The listeners that a connection to this end would come to.
    pub(super) fn listeners(&self, end: &SocketEnd) -> Vec<Socket> {
        let bound = self.bound(Kind::Ports, end.protocol, end.local.1);
        let listening: Vec<Socket> =
            bound.iter().filter(|socket| socket.state == state::LISTEN).copied().collect();
        best_fit(&listening, end)
    }

    /// A ping socket has the echo's identifier as its port; a program with a raw socket chooses its own.
    fn of_echo(&self, end: &SocketEnd) -> Vec<Socket> {
        let ping = best(self.bound(Kind::Ping, end.protocol, end.local.1), end, |_| true);
        if ping.is_empty() && end.is_initiator { self.of_raw(end.protocol, end) } else { ping }
    }

    fn of_raw(&self, protocol: u8, end: &SocketEnd) -> Vec<Socket> {
        // the "port" of a raw socket is its protocol
        let raw = best(self.bound(Kind::Raw, protocol, protocol.into()), end, |_| true);
        if raw.is_empty() && end.is_initiator {
            return best(self.bound(Kind::Raw, RAW, RAW.into()), end, |_| true);
        }
        raw
    }
}

fn order(socket: &Socket) -> (u8, u8, u16) {
    (socket.kind as u8, socket.protocol, socket.local.1)
}

fn best(bound: &[Socket], end: &SocketEnd, eligible: impl Fn(&Socket) -> bool) -> Vec<Socket> {
    let connected: Vec<Socket> = bound
        .iter()
        .filter(|socket| {
            eligible(socket) && socket.is_connected() && is_remote(socket, end) && socket.fit(end) > 0
        })
        .copied()
        .collect();
    if !connected.is_empty() {
        return connected;
    }
    let unconnected: Vec<Socket> =
        bound.iter().filter(|socket| eligible(socket) && !socket.is_connected()).copied().collect();
    best_fit(&unconnected, end)
}

fn is_remote(socket: &Socket, end: &SocketEnd) -> bool {
    // raw and ping sockets are connected to an address alone
    socket.remote.0 == end.remote.0 && (socket.kind != Kind::Ports || socket.remote.1 == end.remote.1)
}

fn best_fit(sockets: &[Socket], end: &SocketEnd) -> Vec<Socket> {
    // a datagram to a group has the group as its local address, which nobody needs to be bound to
    let for_many = is_for_many(end.local.0);
    let fit = |socket: &Socket| match socket.fit(end) {
        0 if for_many => 0,
        fit if for_many => fit.min(1),
        fit => fit,
    };
    let most = sockets.iter().map(fit).max().unwrap_or(0);
    if most == 0 {
        return Vec::new();
    }
    sockets.iter().filter(|socket| fit(socket) == most).copied().collect()
}

/// One of the files below /proc/PID/net.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextTable {
    pub(super) file: &'static str,
    pub(super) kind: Kind,
    /// Of raw sockets the table tells it itself.
    pub(super) protocol: u8,
}

const fn table(file: &'static str, kind: Kind, protocol: u8) -> TextTable {
    TextTable { file, kind, protocol }
}

/// Those that hardly any kernel lists by netlink.
pub(super) const PORTLESS: [TextTable; 4] = [
    table("raw", Kind::Raw, RAW),
    table("raw6", Kind::Raw, RAW),
    table("icmp", Kind::Ping, ICMP),
    table("icmp6", Kind::Ping, ICMP_V6),
];
pub(super) const STREAMS: [TextTable; 2] = [table("tcp", Kind::Ports, TCP), table("tcp6", Kind::Ports, TCP)];
pub(super) const DATAGRAMS: [TextTable; 4] = [
    table("udp", Kind::Ports, UDP),
    table("udp6", Kind::Ports, UDP),
    table("udplite", Kind::Ports, UDP_LITE),
    table("udplite6", Kind::Ports, UDP_LITE),
];

impl TextTable {
    /// Appends the sockets of the network namespace that a process is in. A table that is not there is empty.
    pub(super) fn read(&self, pid: u32, sockets: &mut Vec<Socket>) {
        let Ok(file) = File::open(format!("/proc/{pid}/net/{}", self.file)) else { return };
        let mut text = String::new();
        if file.take(LONGEST_TABLE).read_to_string(&mut text).is_ok() {
            sockets.extend(text.lines().skip(1).filter_map(|line| self.socket(line)));
        }
    }

    fn socket(&self, line: &str) -> Option<Socket> {
        let mut fields = line.split_ascii_whitespace();
        let local = end(fields.nth(1)?)?;
        let remote = end(fields.next()?)?;
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        let protocol = match self.kind {
            Kind::Raw => u8::try_from(local.1).ok()?,
            _ => self.protocol,
        };
        let kind = self.kind;
        Some(Socket {
            kind,
            protocol,
            state,
            local,
            remote,
            only_v6: false,
            interface: 0,
            inode,
            uid,
            cookie: 0,
        })
    }
}

/// `0100007F:1F90`: the address in words of the machine's byte order, the port as a number.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at.checked_add(8)?)?, 16).ok();
    let address = match address.len() {
        8 => Ipv4Addr::from(word(0)?.to_ne_bytes()).into(),
        32 => {
            let mut bytes = [0_u8; 16];
            for (place, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                place.copy_from_slice(&word(at)?.to_ne_bytes());
            }
            plain(Ipv6Addr::from(bytes).into())
        }
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;

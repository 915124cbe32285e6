//! Programs whose traffic is known to the byte: one scenario for each way in which a process can move bytes.
//!
//! A scenario talks to a far end (`far_end`), counts what it hands to its socket and what it gets from it, and says so.
//! Whoever claims to know which process moved which bytes is held against these figures. Sizes are payload: what is above
//! the TCP, UDP, ICMP or SCTP header, for raw IP what is above the IP header.
mod datagram;
pub mod far_end;
mod processes;
mod raw;
mod stream;
mod uring;
pub mod workload;
mod zero_copy;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::AddAssign;
use std::time::Duration;

use anyhow::Result;

pub use processes::{one_short_life, prefork, serve_inherited};

/// The second port of the far end, for datagrams that look like QUIC from outside.
pub const HTTPS_PORT: u16 = 443;
/// For experiments (RFC 3692), so that no protocol of the kernel answers.
pub const RAW_PROTOCOL: u8 = 253;

/// Against whom, and how much.
#[derive(Debug, Clone)]
pub struct Aim {
    pub host: Ipv4Addr,
    pub host6: Ipv6Addr,
    pub port: u16,
    /// The port that UDP is sent from; 0: any.
    pub from_port: u16,
    /// The interface that leads to the far end; only frames are sent by name.
    pub interface: String,
    pub rounds: u32,
    /// Between two rounds.
    pub pause: Duration,
    /// Of a stream and round, in one direction.
    pub bytes: usize,
}

impl Aim {
    fn stream(&self) -> SocketAddr {
        (self.host, self.port).into()
    }

    fn to(&self, host: impl Into<IpAddr>, port: u16) -> SocketAddr {
        (host.into(), port).into()
    }

    /// Does something `rounds` times, with pauses between.
    fn each_round(&self, mut round: impl FnMut(u32) -> Result<Moved>) -> Result<Moved> {
        let mut moved = Moved::default();
        for number in 0..self.rounds {
            if number > 0 {
                std::thread::sleep(self.pause);
            }
            moved += round(number)?;
        }
        Ok(moved)
    }
}

/// What a scenario counted on its socket. `frames`: datagrams or frames that it sent; 0 for streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    pub sent: u64,
    pub received: u64,
    pub frames: u64,
}

impl AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.frames += other.frames;
    }
}

/// The kernel cannot do what a scenario needs, or may not.
#[derive(Debug)]
pub struct Unavailable {
    what: &'static str,
    reason: std::io::Error,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

impl std::error::Error for Unavailable {}

/// Marks the failure of a step that a kernel may lack.
fn needs<T>(what: &'static str, done: std::io::Result<T>) -> Result<T> {
    Ok(done.map_err(|reason| Unavailable { what, reason })?)
}

/// A way to move bytes.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// At most 13 characters: with a prefix of two it is a process's name (proc(5), comm).
    pub name: &'static str,
    /// For people.
    pub what: &'static str,
    pub run: fn(&Aim) -> Result<Moved>,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn scenario(name: &'static str, what: &'static str, run: fn(&Aim) -> Result<Moved>) -> Scenario {
    Scenario { name, what, run }
}

pub const ALL: [Scenario; 24] = [
    scenario("tcp-download", "TCP download", stream::download),
    scenario("tcp-upload", "TCP upload", stream::upload),
    scenario("tcp-duplex", "TCP full duplex", stream::duplex),
    scenario("udp", "UDP", datagram::unconnected),
    scenario("udp-443", "UDP to port 443", datagram::https),
    scenario("icmp", "ICMP echo", raw::echo),
    scenario("tcp6", "IPv6 TCP", stream::over_ipv6),
    scenario("udp6", "IPv6 UDP", datagram::over_ipv6),
    scenario("sctp", "SCTP", stream::sctp),
    scenario("udp-flood", "flood of small UDP", datagram::flood),
    scenario("raw-ip", "raw IP", raw::raw_ip),
    scenario("short-lived", "short-lived processes", processes::short_lived),
    scenario("af-packet", "AF_PACKET frames", raw::frames),
    scenario("io-uring-in", "io_uring in", uring::receive),
    scenario("io-uring-out", "io_uring out", uring::send),
    scenario("sendfile", "sendfile", zero_copy::send_file),
    scenario("splice", "splice", zero_copy::splice_pipe),
    scenario("sendmmsg", "sendmmsg", datagram::many_out),
    scenario("recvmmsg", "recvmmsg", datagram::many_in),
    scenario("loopback", "loopback", stream::duplex),
    scenario("container", "container", stream::duplex),
    scenario("slow-drip", "slow drip", stream::drip),
    scenario("many-connects", "many small connections", stream::many),
    scenario("burst", "parallel burst", stream::burst),
];

pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_differ_and_fit_a_process_name() {
        let names: BTreeSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), 24);
        assert!(names.iter().all(|name| name.len() <= 13), "{names:?}");
    }

    #[test]
    fn what_the_kernel_lacks_is_told_from_what_failed() {
        let lacking = needs::<()>("SCTP", Err(std::io::ErrorKind::Unsupported.into())).expect_err("an error");
        assert_eq!(lacking.downcast_ref::<Unavailable>().expect("its kind").to_string(), "SCTP: unsupported");
        assert!(anyhow::anyhow!("refused").downcast_ref::<Unavailable>().is_none());
    }
}

//! Single Ethernet frames over IPv4, for sending.
use std::net::Ipv4Addr;

use crate::generate::frame::{fold, sum};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    Udp,
    Tcp,
    /// TCP with SYN set.
    Syn,
    Icmp,
    /// 70 % TCP, 25 % UDP (a tenth of it to port 53), 5 % ICMP echo, by flow.
    Mix,
}

/// Between which machines frames travel.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub source_mac: [u8; 6],
    pub destination_mac: [u8; 6],
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
}

/// The frame of flow number `flow`, `size` bytes from the Ethernet header on (54 at least). Flows differ by source port,
/// from 60,000 on by destination port too.
pub fn frame(link: &Link, transport: Transport, flow: usize, size: usize) -> Vec<u8> {
    let size = size.max(54);
    let transport = match (transport, flow % 20) {
        (Transport::Mix, 0..=13) => Transport::Tcp,
        (Transport::Mix, 14..=18) => Transport::Udp,
        (Transport::Mix, _) => Transport::Icmp,
        (other, _) => other,
    };
    let protocol = match transport {
        Transport::Udp => 17,
        Transport::Icmp => 1,
        _ => 6,
    };
    let mut frame = network(link, protocol, size);
    let source_port = 1024 + (flow % 60_000) as u16;
    let destination_port = match transport {
        Transport::Udp if flow % 200 == 14 => 53,
        _ => [443u16, 80, 8443, 22][flow % 4] + (flow / 60_000) as u16,
    };
    match transport {
        Transport::Icmp => {
            frame.extend_from_slice(&[8, 0, 0, 0]);
            frame.extend_from_slice(&source_port.to_be_bytes());
            frame.extend_from_slice(&[0, 1]);
        }
        _ => {
            frame.extend_from_slice(&source_port.to_be_bytes());
            frame.extend_from_slice(&destination_port.to_be_bytes());
            if transport == Transport::Udp {
                frame.extend_from_slice(&((size - 34) as u16).to_be_bytes());
                frame.extend_from_slice(&[0, 0]);
            } else {
                let flags = if transport == Transport::Syn { 2 } else { 16 };
                frame.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
            }
        }
    }
    frame.resize(size, 0x5a);
    let pseudo =
        if protocol == 1 { 0 } else { sum(&frame[26..34]) + u64::from(protocol) + (size - 34) as u64 };
    let checksum = fold(sum(&frame[34..]) + pseudo).to_be_bytes();
    let at = match protocol {
        6 => 50,
        17 => 40,
        _ => 36,
    };
    frame[at..at + 2].copy_from_slice(&checksum);
    frame
}

fn network(link: &Link, protocol: u8, size: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(size);
    frame.extend_from_slice(&link.destination_mac);
    frame.extend_from_slice(&link.source_mac);
    frame.extend_from_slice(&[8, 0, 0x45, 0]);
    frame.extend_from_slice(&((size - 14) as u16).to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
    frame.extend_from_slice(&link.source.octets());
    frame.extend_from_slice(&link.destination.octets());
    let checksum = fold(sum(&frame[14..34])).to_be_bytes();
    frame[24..26].copy_from_slice(&checksum);
    frame
}

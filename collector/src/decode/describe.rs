//! One packet in words, for live packet lists.
use weir_shared::net::{self, Direction, Endpoint};

use super::application::assembly::Assembly;
use super::application::{Application, by_ports, content, dns, http, quic, tls};
use super::{Content, Frame, Ip, Link, Payload, Transport, address, decode};
use crate::flows::key::{Key, number};
use crate::flows::own::{OwnAddresses, is_group};

/// What a line about one packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub source: Option<Endpoint>,
    pub destination: Option<Endpoint>,
    pub protocol: net::Transport,
    /// As `Application::name`; empty where there is none.
    pub application: &'static str,
    pub direction: Direction,
    /// The outer VLAN id, 0 where there is no tag.
    pub vlan: u16,
    /// As on the wire, 0 for other protocols.
    pub tcp_flags: u8,
    /// Printable, escaped.
    pub detail: String,
    pub source_mac: Option<[u8; 6]>,
    pub destination_mac: Option<[u8; 6]>,
    /// Leading bytes up to the end of the transport header.
    pub header_length: usize,
    /// Of its flow.
    pub key: Option<Key>,
}

/// Describes one frame of `link_type`.
pub fn describe(link_type: i32, own: &OwnAddresses, wire_length: u32, data: &[u8]) -> Described {
    let mut described = Described {
        source: None,
        destination: None,
        protocol: net::Transport::NoFlow,
        application: "",
        direction: Direction::Ingress,
        vlan: 0,
        tcp_flags: 0,
        detail: String::new(),
        source_mac: None,
        destination_mac: None,
        header_length: 0,
        key: None,
    };
    let Some(link) = Link::from_number(link_type) else {
        described.detail = format!("link type {link_type}");
        return described;
    };
    let frame = decode(link, wire_length, data);
    described.vlan = frame.vlan;
    described.source_mac = frame.source_mac;
    described.destination_mac = frame.destination_mac;
    described.header_length = frame.network_at.min(data.len());
    match &frame.content {
        Content::Ip(packet) => described.packet(packet, own, &frame, data),
        Content::Arp => described.arp(data, &frame, own),
        Content::Other => described.detail = "another network protocol".into(),
        Content::Malformed => described.detail = "malformed".into(),
        Content::Cut => described.detail = "cut before the network header ends".into(),
    }
    described
}

fn sent(frame: &Frame<'_>, own: &OwnAddresses) -> Option<bool> {
    match (own.mac(), frame.source_mac) {
        (Some(own), Some(source)) => Some(own == source),
        _ => frame.sent,
    }
}

impl Described {
    fn packet(&mut self, packet: &Ip<'_>, own: &OwnAddresses, frame: &Frame<'_>, data: &[u8]) {
        let ends = [&packet.source, &packet.destination].map(|bytes| address(packet.version_6, bytes));
        let [source, destination] = ends;
        let (source_port, destination_port) = match &packet.transport {
            Transport::Tcp(tcp) => (tcp.source_port, tcp.destination_port),
            Transport::Udp { source_port, destination_port, .. }
            | Transport::Sctp { source_port, destination_port } => (*source_port, *destination_port),
            _ => (0, 0),
        };
        self.source = Some(Endpoint { address: source, port: source_port });
        self.destination = Some(Endpoint { address: destination, port: destination_port });
        self.protocol = net::Transport::from_number(packet.protocol);
        self.key = Some(Key::of(packet).0);
        let source_here = own.contains(&source) || sent(frame, own) == Some(true) && source.is_unspecified();
        let destination_here = own.contains(&destination) || !source_here && is_group(number(&destination));
        self.direction = match (source_here, destination_here) {
            (true, true) => Direction::Local,
            (true, false) => Direction::Egress,
            (false, true) => Direction::Ingress,
            (false, false) => Direction::Forwarded,
        };
        let at = packet.transport_at as usize;
        let length = match &packet.transport {
            Transport::Tcp(tcp) => {
                self.tcp_flags = tcp.flags;
                let header = data.get(at + 12).map_or(20, |byte| usize::from(byte >> 4) * 4);
                self.segment(&tcp.payload, (source_port, destination_port));
                header
            }
            Transport::Udp { payload, .. } => {
                self.datagram(payload, (source_port, destination_port));
                8
            }
            Transport::Sctp { .. } => 12,
            Transport::Echo { identifier } => {
                let request = matches!(data.get(at), Some(8 | 128));
                self.detail = format!("echo {} id {identifier}", if request { "request" } else { "reply" });
                8
            }
            Transport::Portless => 0,
            Transport::None => self.without_ports(packet, data),
        };
        self.header_length = (at + length).min(data.len());
    }

    fn segment(&mut self, payload: &Payload<'_>, (source, destination): (u16, u16)) {
        let by_port = by_ports(true, source, destination);
        let data = payload.data;
        let (application, detail) = match tls::stream(data) {
            tls::Hello::Not if http::is_request(data) => (Application::Http, http::host(data)),
            tls::Hello::Not => (content::of_segment(data, by_port).unwrap_or(by_port), None),
            hello => {
                let application = if by_port == Application::Other { Application::Https } else { by_port };
                (application, if let tls::Hello::Whole(name) = hello { name } else { None })
            }
        };
        self.application = application.name();
        self.detail = detail.unwrap_or_default();
    }

    fn datagram(&mut self, payload: &Payload<'_>, ports: (u16, u16)) {
        let by_port = by_ports(false, ports.0, ports.1);
        let mut application = by_port;
        if let Some(long) = quic::long(payload.data) {
            application = Application::Quic;
            let opened = long.open(payload.data, long.destination);
            let hello = opened.map(|opened| {
                let mut assembly = Assembly::default();
                opened.crypto.iter().all(|(at, piece)| assembly.add(*at, piece));
                tls::handshake(assembly.start())
            });
            if let Some(tls::Hello::Whole(Some(name))) = hello {
                self.detail = name;
            }
        } else if matches!(by_port, Application::Dns | Application::Mdns | Application::Llmnr)
            || dns::is_query(payload.data)
        {
            application = if by_port == Application::Other { Application::Dns } else { by_port };
            self.message(payload);
        } else if let Some(found) = content::of_datagram(payload.data, ports) {
            application = found;
        }
        self.application = application.name();
    }

    fn message(&mut self, payload: &Payload<'_>) {
        self.detail = match dns::message(payload.data) {
            Ok(message) => {
                let name = message.name.unwrap_or_default();
                match message.addresses.first() {
                    Some((address, _)) => format!("{name} is {address}"),
                    None if message.response => format!("{name} answered"),
                    None => format!("{name}?"),
                }
            }
            Err(dns::Broken) if payload.is_whole() => "broken message".into(),
            Err(dns::Broken) => String::new(),
        };
    }

    /// Later fragments, cut headers and ICMP messages; how many bytes of header there are.
    fn without_ports(&mut self, packet: &Ip<'_>, data: &[u8]) -> usize {
        if let super::Fragment::Later(identification) = packet.fragment {
            self.detail = format!("later fragment of {identification:#x}");
            return 0;
        }
        let at = packet.transport_at as usize;
        match (packet.protocol, data.get(at), data.get(at + 1)) {
            (1, Some(kind), Some(code)) => {
                self.detail = icmp(*kind, *code);
                8
            }
            (58, Some(kind), Some(code)) => {
                self.detail = icmpv6(*kind, *code);
                8
            }
            _ => {
                self.detail = "cut before the ports".into();
                0
            }
        }
    }

    /// Who asks for whom (RFC 826), for Ethernet and IPv4.
    fn arp(&mut self, data: &[u8], frame: &Frame<'_>, own: &OwnAddresses) {
        let lengths = data.get(frame.network_at..).and_then(<[u8]>::first_chunk::<6>);
        let [hardware, protocol] = lengths.map_or([0, 0], |[.., hardware, protocol]| [*hardware, *protocol]);
        let addresses = 2 * (usize::from(hardware) + usize::from(protocol));
        self.header_length = (frame.network_at + 8 + addresses).min(data.len());
        self.direction = if sent(frame, own) == Some(true) { Direction::Egress } else { Direction::Ingress };
        let Some(head) = data.get(frame.network_at..).and_then(<[u8]>::first_chunk::<28>) else { return };
        let [_, _, 8, 0, 6, 4, 0, operation, ref addresses @ ..] = *head else { return };
        let [_, _, _, _, _, _, s0, s1, s2, s3, _, _, _, _, _, _, t0, t1, t2, t3] = *addresses;
        let source = std::net::Ipv4Addr::new(s0, s1, s2, s3);
        let target = std::net::Ipv4Addr::new(t0, t1, t2, t3);
        self.detail = match operation {
            1 => format!("who has {target}? tell {source}"),
            2 => format!("{source} is here"),
            other => format!("arp operation {other}"),
        };
    }
}

/// IANA's ICMP types.
fn icmp(kind: u8, code: u8) -> String {
    match kind {
        3 => {
            let what = match code {
                0 => "network",
                1 => "host",
                2 => "protocol",
                3 => "port",
                4 => return "fragmentation needed".into(),
                _ => return format!("unreachable, code {code}"),
            };
            format!("{what} unreachable")
        }
        5 => "redirect".into(),
        9 => "router advertisement".into(),
        10 => "router solicitation".into(),
        11 => "time exceeded".into(),
        _ => format!("type {kind}, code {code}"),
    }
}

/// IANA's ICMPv6 types.
fn icmpv6(kind: u8, code: u8) -> String {
    match kind {
        1 => format!("unreachable, code {code}"),
        2 => "packet too big".into(),
        3 => "time exceeded".into(),
        133 => "router solicitation".into(),
        134 => "router advertisement".into(),
        135 => "neighbour solicitation".into(),
        136 => "neighbour advertisement".into(),
        130..=132 | 143 => "multicast listener".into(),
        _ => format!("type {kind}, code {code}"),
    }
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;

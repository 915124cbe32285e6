//! Writes the next packet of a flow, and counts it.
use anyhow::Result;

use super::Writer;
use super::frame::{ACK, FIN, Fragment, PSH, Path, RST, SYN};
use super::message;
use super::plan::{Flow, Kind};
use super::truth::{Cut, Message};

/// What a TCP or UDP packet is.
#[derive(Debug, Clone)]
struct Segment {
    to_client: bool,
    flags: u8,
    message: Message,
    payload: Vec<u8>,
}

/// Where in a frame its headers lie.
#[derive(Debug, Clone, Copy)]
struct Headers {
    network: usize,
    transport: usize,
    transport_length: usize,
}

impl Writer<'_> {
    pub(super) fn emit(&mut self, micros: u64, flow: &mut Flow) -> Result<()> {
        let number = flow.sent;
        flow.sent += 1;
        match flow.kind {
            Kind::Tls | Kind::Http | Kind::TcpOther => {
                let segment = self.tcp_segment(flow, number);
                self.transport(micros, flow, segment)
            }
            Kind::SynOnly => self.transport(micros, flow, Segment::control(false, SYN)),
            Kind::Dns => {
                let answer = number & 1 == 1;
                let message = if answer { Message::DnsAnswer } else { Message::DnsQuery };
                let payload = message::dns(flow, answer);
                self.transport(micros, flow, Segment { to_client: answer, flags: 0, message, payload })
            }
            Kind::Quic => {
                let mut payload = self.noise(if number < 2 { 1200 } else { flow.data_bytes as usize });
                if number < 2 {
                    payload[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8]);
                } else {
                    payload[0] = 0x40 | (payload[0] & 0x3f);
                }
                self.transport(
                    micros,
                    flow,
                    Segment::data(number != 0 && !number.is_multiple_of(3), 0, payload),
                )
            }
            Kind::UdpOther => {
                let payload = self.noise(flow.data_bytes as usize);
                self.transport(micros, flow, Segment::data(number & 1 == 1, 0, payload))
            }
            Kind::Small => {
                let payload = self.noise(18);
                self.transport(micros, flow, Segment::data(false, 0, payload))
            }
            Kind::Fragments => self.fragment(micros, flow, number),
            Kind::Icmp => self.echo(micros, flow, number),
            Kind::Arp => self.arp(micros, flow, number & 1 == 1),
        }
    }

    /// Handshake, hello or request, answer, data, and an orderly or (one in sixteen) an abrupt end.
    fn tcp_segment(&mut self, flow: &Flow, number: u32) -> Segment {
        let last = flow.packets - 1;
        match number {
            0 => Segment::control(false, SYN),
            1 => Segment::control(true, SYN | ACK),
            2 => Segment::control(false, ACK),
            3 => self.opening(flow),
            4 => self.answer(flow),
            _ if number == last && flow.name.is_multiple_of(16) => Segment::control(false, RST | ACK),
            _ if number == last => Segment::control(false, ACK),
            _ if number == last - 1 => Segment::control(true, FIN | ACK),
            _ if number == last - 2 => Segment::control(false, FIN | ACK),
            _ if number % 3 == 2 => Segment::control(flow.upload, ACK),
            _ => Segment::data(!flow.upload, PSH | ACK, self.noise(flow.data_bytes as usize)),
        }
    }

    fn opening(&mut self, flow: &Flow) -> Segment {
        let (message, payload) = match flow.kind {
            Kind::Tls => {
                let at = self.random.below(60_000) as usize;
                (Message::TlsHello, message::tls_hello(flow, &self.noise[at..at + 64]))
            }
            Kind::Http => (Message::HttpRequest, message::http_request(flow)),
            _ => (Message::None, self.noise(120)),
        };
        Segment { to_client: false, flags: PSH | ACK, message, payload }
    }

    fn answer(&mut self, flow: &Flow) -> Segment {
        let (message, payload) = match flow.kind {
            Kind::Http => (Message::HttpResponse, message::http_response(flow)),
            _ => (Message::None, self.noise(flow.data_bytes as usize)),
        };
        Segment { to_client: true, flags: PSH | ACK, message, payload }
    }

    /// A TCP or UDP packet.
    fn transport(&mut self, micros: u64, flow: &mut Flow, segment: Segment) -> Result<()> {
        let tcp = flow.kind.is_tcp();
        let path = flow.path(segment.to_client);
        let (source_port, destination_port) = if segment.to_client {
            (flow.server_port, flow.client_port)
        } else {
            (flow.client_port, flow.server_port)
        };
        let options = if tcp { tcp_options(flow, segment.flags) } else { &[] };
        let header_length = if tcp { 20 + options.len() } else { 8 };
        let length = header_length + segment.payload.len();
        let protocol = if tcp { 6 } else { 17 };
        self.frame.start(path, flow.vlan);
        let network = self.frame.len();
        self.frame.ip(path, protocol, length, None);
        let transport = self.frame.len();
        self.frame.push(&source_port.to_be_bytes());
        self.frame.push(&destination_port.to_be_bytes());
        if tcp {
            let (sequence, acknowledged) = flow.advance(&segment);
            self.frame.push(&sequence.to_be_bytes());
            self.frame.push(&(if segment.flags & ACK != 0 { acknowledged } else { 0 }).to_be_bytes());
            self.frame.push(&[(header_length as u8 / 4) << 4, segment.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
            self.frame.push(options);
        } else {
            self.frame.push(&(length as u16).to_be_bytes());
            self.frame.push(&[0, 0]);
        }
        self.frame.push(&segment.payload);
        let checksum = self.frame.transport_checksum(transport, path, protocol);
        self.frame.put_u16(transport + if tcp { 16 } else { 6 }, checksum);
        self.finish(micros, flow, &segment, Headers { network, transport, transport_length: header_length })
    }

    /// Pads, snaps now and then, counts, writes.
    fn finish(&mut self, micros: u64, flow: &mut Flow, segment: &Segment, headers: Headers) -> Result<()> {
        let end = self.frame.len();
        if end < 60 {
            self.frame.bytes.resize(60, 0);
        }
        let wire = self.frame.len();
        let (cut, captured) = self.snap(end, wire, headers);
        let path = flow.path(segment.to_client);
        let protocol = if flow.kind.is_tcp() { 6 } else { 17 };
        self.truth.cut(cut);
        self.truth.vlan(flow.vlan);
        if cut != Cut::Network {
            self.truth.network(path.v6, path.source, path.destination, wire, protocol);
        }
        if matches!(cut, Cut::Whole | Cut::Payload) {
            flow.seen |= 1 << u8::from(segment.to_client);
            if protocol == 6 {
                self.truth.tcp_header(segment.flags, flow.server_port, wire);
            } else {
                self.truth.udp_header(flow.server_port, wire);
            }
        }
        if cut == Cut::Whole {
            self.truth.message(segment.message);
        }
        self.record(micros, captured, wire)
    }

    /// One packet in a thousand is cut, most in their payload.
    fn snap(&mut self, end: usize, wire: usize, headers: Headers) -> (Cut, usize) {
        let Headers { network, transport, transport_length } = headers;
        if !self.dirty || end <= 100 {
            return (Cut::Whole, wire);
        }
        let payload = transport + transport_length;
        match self.random.below(20_000) {
            0..=15 if end > payload => {
                (Cut::Payload, payload + self.random.below((end - payload) as u64) as usize)
            }
            0..=17 => {
                (Cut::Transport, transport + self.random.below(transport_length.min(20) as u64) as usize)
            }
            18..=19 => {
                (Cut::Network, network + 1 + self.random.below((transport - network - 1) as u64) as usize)
            }
            _ => (Cut::Whole, wire),
        }
    }

    /// Datagrams of 3,000 bytes of UDP payload in three fragments; only the first has ports.
    fn fragment(&mut self, micros: u64, flow: &mut Flow, number: u32) -> Result<()> {
        const SIZES: [usize; 3] = [1448, 1448, 112];
        let part = (number % 3) as usize;
        let path = flow.path(false);
        self.frame.start(path, flow.vlan);
        let identification = flow.client_sequence.wrapping_add(number / 3);
        let place = Fragment { offset: (part * 181) as u16, more: part < 2, identification };
        self.frame.ip(path, 17, SIZES[part], Some(place));
        let at = self.frame.len();
        let payload = self.noise(SIZES[part]);
        self.frame.push(&payload);
        if part == 0 {
            self.frame.put_u16(at, flow.client_port);
            self.frame.put_u16(at + 2, flow.server_port);
            self.frame.put_u16(at + 4, 3008);
            self.truth.first_fragments += 1;
            self.truth.udp_headers += 1;
            flow.seen |= 1;
        } else {
            self.truth.later_fragments += 1;
        }
        self.whole(micros, flow, path, 17)
    }

    fn echo(&mut self, micros: u64, flow: &Flow, number: u32) -> Result<()> {
        let reply = number & 1 == 1;
        let path = flow.path(reply);
        let protocol = if flow.v6 { 58 } else { 1 };
        self.frame.start(path, flow.vlan);
        self.frame.ip(path, protocol, 64, None);
        let at = self.frame.len();
        let kind = match (flow.v6, reply) {
            (false, false) => 8,
            (false, true) => 0,
            (true, false) => 128,
            (true, true) => 129,
        };
        self.frame.push(&[kind, 0, 0, 0]);
        self.frame.push(&flow.client_port.to_be_bytes());
        self.frame.push(&((number / 2) as u16).to_be_bytes());
        let payload = self.noise(56);
        self.frame.push(&payload);
        let checksum =
            if flow.v6 { self.frame.transport_checksum(at, path, 58) } else { self.frame.plain_checksum(at) };
        self.frame.put_u16(at + 2, checksum);
        self.whole(micros, flow, path, protocol)
    }

    /// Counts and writes a packet that is never snapped.
    fn whole(&mut self, micros: u64, flow: &Flow, path: Path, protocol: u8) -> Result<()> {
        let length = self.frame.len();
        self.truth.vlan(flow.vlan);
        self.truth.network(path.v6, path.source, path.destination, length, protocol);
        self.record(micros, length, length)
    }

    fn arp(&mut self, micros: u64, flow: &Flow, reply: bool) -> Result<()> {
        use super::hosts::{ipv4, mac};
        let path = flow.path(reply);
        self.frame.ethernet(path, 0, 0x0806);
        if !reply {
            self.frame.bytes[..6].fill(0xff);
        }
        self.frame.push(&[0, 1, 8, 0, 6, 4, 0, 1 + u8::from(reply)]);
        self.frame.push(&mac(path.source));
        self.frame.push(&ipv4(path.source));
        self.frame.push(&if reply { mac(path.destination) } else { [0; 6] });
        self.frame.push(&ipv4(path.destination));
        self.frame.bytes.resize(60, 0);
        self.truth.arp.add(60);
        self.record(micros, 60, 60)
    }
}

impl Segment {
    fn control(to_client: bool, flags: u8) -> Self {
        Self::data(to_client, flags, Vec::new())
    }

    fn data(to_client: bool, flags: u8, payload: Vec<u8>) -> Self {
        Self { to_client, flags, message: Message::None, payload }
    }
}

impl Flow {
    fn path(&self, to_client: bool) -> Path {
        let (client, server) = (self.client as usize, self.server as usize);
        let (source, destination) = if to_client { (server, client) } else { (client, server) };
        Path { v6: self.v6, source, destination }
    }

    /// The segment's sequence and acknowledgement numbers; moves the sender's on.
    fn advance(&mut self, segment: &Segment) -> (u32, u32) {
        let step = segment.payload.len() as u32 + u32::from(segment.flags & (SYN | FIN) != 0);
        let (own, other) = if segment.to_client {
            (&mut self.server_sequence, self.client_sequence)
        } else {
            (&mut self.client_sequence, self.server_sequence)
        };
        let numbers = (*own, other);
        *own = own.wrapping_add(step);
        numbers
    }
}

fn tcp_options(flow: &Flow, flags: u8) -> &'static [u8] {
    if flags & SYN != 0 {
        &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]
    } else if flow.data_bytes & 1 == 1 {
        &[1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8]
    } else {
        &[]
    }
}

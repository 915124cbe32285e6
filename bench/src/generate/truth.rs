//! What was written, counted by intent beside each packet as it is written: no parser is trusted for it.
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::Options;
use super::hosts;
use super::plan::{Flow, Kind};

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Count {
    pub(super) fn add(&mut self, wire_bytes: usize) {
        self.packets += 1;
        self.bytes += wire_bytes as u64;
    }

    fn json(self) -> Value {
        json!({"packets": self.packets, "wire_bytes": self.bytes})
    }
}

/// Kinds of broken packets, in the order in which they are written.
pub(super) const BROKEN: [&str; 10] = [
    "runt_frame",
    "ipv4_ihl_3",
    "ipv4_total_length_past_end",
    "tcp_data_offset_2",
    "udp_length_3",
    "ipv6_payload_length_past_end",
    "ipv6_extension_past_end",
    "ip_version_7",
    "dns_pointer_loop",
    "tls_client_hello_bad_lengths",
];

/// A message that a packet carries whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    None,
    DnsQuery,
    DnsAnswer,
    TlsHello,
    HttpRequest,
    HttpResponse,
}

/// Where a packet went wrong on purpose: snapped in its payload, its transport header or its IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Whole,
    Payload,
    Transport,
    Network,
}

#[derive(Debug)]
pub(super) struct Truth {
    all: Count,
    captured_bytes: u64,
    ipv4: Count,
    ipv6: Count,
    pub(super) arp: Count,
    tcp: Count,
    udp: Count,
    icmp: Count,
    icmpv6: Count,
    tcp_headers: u64,
    pub(super) udp_headers: u64,
    syn: u64,
    syn_ack: u64,
    fin: u64,
    rst: u64,
    dns: Count,
    http: Count,
    https: Count,
    quic: Count,
    messages: [u64; 5],
    vlan: u64,
    qinq: u64,
    pub(super) first_fragments: u64,
    pub(super) later_fragments: u64,
    cuts: [u64; 3],
    pub(super) broken: [u64; BROKEN.len()],
    sources: [Vec<Count>; 2],
    destinations: [Vec<Count>; 2],
    seconds: Vec<Count>,
}

impl Truth {
    pub(super) fn new() -> Self {
        let hosts = || [vec![Count::default(); hosts::ALL], vec![Count::default(); hosts::ALL]];
        let none = Count::default();
        Self {
            all: none,
            captured_bytes: 0,
            ipv4: none,
            ipv6: none,
            arp: none,
            tcp: none,
            udp: none,
            icmp: none,
            icmpv6: none,
            tcp_headers: 0,
            udp_headers: 0,
            syn: 0,
            syn_ack: 0,
            fin: 0,
            rst: 0,
            dns: none,
            http: none,
            https: none,
            quic: none,
            messages: [0; 5],
            vlan: 0,
            qinq: 0,
            first_fragments: 0,
            later_fragments: 0,
            cuts: [0; 3],
            broken: [0; BROKEN.len()],
            sources: hosts(),
            destinations: hosts(),
            seconds: Vec::new(),
        }
    }

    pub(super) fn frame(&mut self, micros: u64, captured: usize, wire: usize) {
        self.all.add(wire);
        self.captured_bytes += captured as u64;
        let second = (micros / 1_000_000) as usize;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Count::default());
        }
        self.seconds[second].add(wire);
    }

    pub(super) fn vlan(&mut self, tag: u16) {
        self.vlan += (tag != 0) as u64;
        self.qinq += (tag >= super::plan::QINQ) as u64;
    }

    pub(super) fn cut(&mut self, cut: Cut) {
        match cut {
            Cut::Whole => {}
            Cut::Payload => self.cuts[0] += 1,
            Cut::Transport => self.cuts[1] += 1,
            Cut::Network => self.cuts[2] += 1,
        }
    }

    pub(super) fn message(&mut self, message: Message) {
        if message != Message::None {
            self.messages[message as usize - 1] += 1;
        }
    }

    /// A packet whose IP header is whole, with the number of its transport protocol.
    pub(super) fn network(&mut self, v6: bool, source: usize, destination: usize, wire: usize, protocol: u8) {
        if v6 {
            self.ipv6.add(wire)
        } else {
            self.ipv4.add(wire)
        }
        self.sources[v6 as usize][source].add(wire);
        self.destinations[v6 as usize][destination].add(wire);
        match protocol {
            6 => self.tcp.add(wire),
            17 => self.udp.add(wire),
            1 => self.icmp.add(wire),
            _ => self.icmpv6.add(wire),
        }
    }

    pub(super) fn tcp_header(&mut self, flags: u8, server_port: u16, wire: usize) {
        use super::frame::{ACK, FIN, RST, SYN};
        self.tcp_headers += 1;
        self.syn += (flags & (SYN | ACK) == SYN) as u64;
        self.syn_ack += (flags & (SYN | ACK) == SYN | ACK) as u64;
        self.fin += (flags & FIN != 0) as u64;
        self.rst += (flags & RST != 0) as u64;
        match server_port {
            80 => self.http.add(wire),
            443 => self.https.add(wire),
            _ => {}
        }
    }

    pub(super) fn udp_header(&mut self, server_port: u16, wire: usize) {
        self.udp_headers += 1;
        match server_port {
            53 => self.dns.add(wire),
            443 => self.quic.add(wire),
            _ => {}
        }
    }

    pub(super) fn json(&self, options: &Options, flows: &[Flow]) -> Value {
        let broken: serde_json::Map<String, Value> =
            BROKEN.iter().zip(self.broken).map(|(kind, count)| ((*kind).to_owned(), count.into())).collect();
        let (source_count, by_source) = self.tops(&self.sources);
        let (destination_count, by_destination) = self.tops(&self.destinations);
        let [query, answer, hello, request, response] = self.messages;
        let [in_payload, in_transport, in_network] = self.cuts;
        json!({
            "mix": options.mix.name(), "seed": options.seed, "zipf": options.zipf, "nominal_pps": options.pps,
            "packets": self.all.packets, "wire_bytes": self.all.bytes, "captured_bytes": self.captured_bytes,
            "file_bytes": 24 + self.captured_bytes + 16 * self.all.packets,
            "l3": {"ipv4": self.ipv4.json(), "ipv6": self.ipv6.json(), "arp": self.arp.json()},
            "ip_proto": {"tcp": self.tcp.json(), "udp": self.udp.json(), "icmp": self.icmp.json(),
                         "icmpv6": self.icmpv6.json()},
            "l4_header_whole": {"tcp": self.tcp_headers, "udp": self.udp_headers},
            "tcp_flags": {"syn": self.syn, "synack": self.syn_ack, "fin": self.fin, "rst": self.rst},
            "ports": {"dns_udp53": self.dns.json(), "http_tcp80": self.http.json(),
                      "https_tcp443": self.https.json(), "quic_udp443": self.quic.json()},
            "messages": {"dns_query": query, "dns_answer": answer, "tls_client_hello": hello,
                         "http_request": request, "http_response": response},
            "vlan_packets": self.vlan, "qinq_packets": self.qinq,
            "frag_first": self.first_fragments, "frag_later": self.later_fragments,
            "snapped": {"in_payload": in_payload, "in_l4": in_transport, "in_ip": in_network},
            "malformed": broken,
            "flows": flow_counts(flows),
            "src_ips": source_count, "dst_ips": destination_count,
            "top_src_by_bytes": by_source[0], "top_dst_by_bytes": by_destination[0],
            "top_src_by_packets": by_source[1], "top_dst_by_packets": by_destination[1],
            "start": options.start,
            "per_second": self.seconds.iter().map(|count| [count.packets, count.bytes]).collect::<Vec<_>>(),
        })
    }

    /// How many addresses there are, and the ten largest by bytes and by packets, ties by address text.
    fn tops(&self, hosts: &[Vec<Count>; 2]) -> (usize, [Value; 2]) {
        let mut seen: Vec<(String, Count)> = Vec::new();
        let [ipv4, ipv6] = hosts;
        for (host, (v4, v6)) in ipv4.iter().zip(ipv6).enumerate() {
            if v4.packets > 0 {
                seen.push((Ipv4Addr::from(hosts::ipv4(host)).to_string(), *v4));
            }
            if v6.packets > 0 {
                seen.push((Ipv6Addr::from(hosts::ipv6(host)).to_string(), *v6));
            }
        }
        let mut top = |by: fn(&Count) -> u64| {
            seen.sort_by(|a, b| by(&b.1).cmp(&by(&a.1)).then(a.0.cmp(&b.0)));
            let rows = seen.iter().take(10);
            rows.map(|(ip, count)| json!({"ip": ip, "packets": count.packets, "wire_bytes": count.bytes}))
                .collect()
        };
        let ranked = [top(|count| count.bytes), top(|count| count.packets)];
        (seen.len(), ranked)
    }
}

/// Distinct two-way flows with a whole transport header, by what they are.
fn flow_counts(flows: &[Flow]) -> Value {
    let (mut tcp, mut udp, mut one_way) = (0u64, 0u64, 0u64);
    let mut echoes = HashSet::new();
    for flow in flows {
        match flow.kind {
            Kind::Arp => {}
            Kind::Icmp => {
                echoes.insert((flow.client, flow.server, flow.client_port, flow.v6));
            }
            _ if flow.seen == 0 => {}
            _ if flow.kind.is_tcp() => tcp += 1,
            _ => udp += 1,
        }
        one_way += u64::from(flow.seen.count_ones());
    }
    json!({"tcp": tcp, "udp": udp, "icmp_ids": echoes.len(), "tcp_udp": tcp + udp, "one_way": one_way})
}

//! One packet as a coloured line.
use shared::net::{Endpoint, Transport};
use shared::packets::PacketHeader;
use shared::text::escape;
use weir_shared as shared;

use super::list;
use crate::output::{Colour, Output};

/// RFC 9293 section 3.1, lowest bit first, as tcpdump writes them.
const TCP_FLAGS: [(u8, char); 8] =
    [(0x01, 'F'), (0x02, 'S'), (0x04, 'R'), (0x08, 'P'), (0x10, '.'), (0x20, 'U'), (0x40, 'E'), (0x80, 'W')];

/// Time, interface, source, destination, protocol, length, flags, owner, and what else the packet says.
pub(super) fn line(packet: &PacketHeader, out: &Output) -> String {
    let source = end(packet.source, &packet.source_mac);
    let destination = end(packet.destination, &packet.destination_mac);
    let protocol = protocol(packet);
    let mut line = format!(
        "{}  {:<8}  {source} > {destination}  {}  {} B",
        out.paint(Colour::Dim, &out.precise_time(packet.time)),
        escape(&packet.interface),
        out.paint(colour(packet.protocol), &protocol),
        packet.wire_bytes
    );
    if packet.protocol == Transport::Tcp && packet.tcp_flags != 0 {
        line.push_str(&format!("  [{}]", flags(packet.tcp_flags)));
    }
    if packet.vlan != 0 {
        line.push_str(&format!("  vlan {}", packet.vlan));
    }
    if let Some(owner) = &packet.owner {
        line.push_str(&format!("  {}", out.paint(Colour::Bold, &escape(&list::owner(owner)))));
    }
    if !packet.detail.is_empty() {
        line.push_str("  ");
        line.push_str(&escape(&packet.detail));
    }
    line
}

fn end(endpoint: Option<Endpoint>, mac: &str) -> String {
    endpoint
        .map_or_else(|| if mac.is_empty() { "?".to_owned() } else { mac.to_owned() }, |end| end.to_string())
}

fn protocol(packet: &PacketHeader) -> String {
    match (packet.protocol, packet.application.as_str()) {
        (Transport::NoFlow, "" | "other") => "frame".to_owned(),
        (Transport::NoFlow, application) => escape(application).into_owned(),
        (protocol, "" | "other") => protocol.to_string(),
        (protocol, application) => format!("{protocol} {}", escape(application)),
    }
}

const fn colour(protocol: Transport) -> Colour {
    match protocol {
        Transport::Tcp => Colour::Green,
        Transport::Udp => Colour::Cyan,
        Transport::Icmp | Transport::Icmpv6 => Colour::Magenta,
        Transport::Sctp | Transport::Other(_) => Colour::Blue,
        Transport::NoFlow => Colour::Yellow,
    }
}

fn flags(bits: u8) -> String {
    TCP_FLAGS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_as_tcpdump_does() {
        assert_eq!(flags(0x02), "S");
        assert_eq!(flags(0x12), "S.");
        assert_eq!(flags(0x18), "P.");
    }
}

//! Names that a filter may use although the process that compiles it has no files: services and IP protocols.

/// Name and port of the services that people filter by (IANA service names and their usual aliases).
const SERVICES: &[(&str, u16)] = &[
    ("bgp", 179),
    ("bootpc", 68),
    ("bootps", 67),
    ("dhcp", 67),
    ("dhcpv6-client", 546),
    ("dhcpv6-server", 547),
    ("dns", 53),
    ("domain", 53),
    ("ftp", 21),
    ("ftp-data", 20),
    ("ftps", 990),
    ("git", 9418),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("imap", 143),
    ("imap2", 143),
    ("imaps", 993),
    ("ipp", 631),
    ("isakmp", 500),
    ("kerberos", 88),
    ("ldap", 389),
    ("ldaps", 636),
    ("mdns", 5353),
    ("microsoft-ds", 445),
    ("mqtt", 1883),
    ("ms-wbt-server", 3389),
    ("mysql", 3306),
    ("netbios-dgm", 138),
    ("netbios-ns", 137),
    ("netbios-ssn", 139),
    ("nfs", 2049),
    ("ntp", 123),
    ("openvpn", 1194),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgresql", 5432),
    ("radius", 1812),
    ("rdp", 3389),
    ("redis", 6379),
    ("rsync", 873),
    ("sip", 5060),
    ("sips", 5061),
    ("smb", 445),
    ("smtp", 25),
    ("smtps", 465),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("ssh", 22),
    ("submission", 587),
    ("submissions", 465),
    ("sunrpc", 111),
    ("syslog", 514),
    ("telnet", 23),
    ("tftp", 69),
    ("wireguard", 51820),
];

/// IP protocols by the names that follow `proto` (IANA protocol numbers).
const PROTOCOLS: &[(&str, u16)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("sctp", 132),
];

/// What a name at this place of the expression would be.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Port,
    Protocol,
    Other,
}

/// The expression with the service and protocol names that are known written as numbers; the rest, white space too,
/// stays as it is.
pub fn numbered(expression: &str) -> String {
    let mut place = Place::Other;
    let mut result = String::with_capacity(expression.len());
    let mut rest = expression;
    while !rest.is_empty() {
        let word_end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let end = if word_end == 0 { rest.find(is_word).unwrap_or(rest.len()) } else { word_end };
        let (piece, left) = rest.split_at(end);
        rest = left;
        if word_end == 0 {
            result.push_str(piece);
            continue;
        }
        match piece {
            "port" | "portrange" => place = Place::Port,
            "proto" | "protochain" => place = Place::Protocol,
            "and" | "or" | "not" => {}
            _ => match number(place, piece) {
                Some(known) => {
                    result.push_str(&known);
                    continue;
                }
                None if piece.starts_with(|c: char| c.is_ascii_digit()) => {}
                None => place = Place::Other,
            },
        }
        result.push_str(piece);
    }
    result
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '\\')
}

fn number(place: Place, word: &str) -> Option<String> {
    match place {
        Place::Port => find(SERVICES, word).or_else(|| range(word)),
        Place::Protocol => find(PROTOCOLS, word),
        Place::Other => None,
    }
}

fn find(names: &[(&str, u16)], word: &str) -> Option<String> {
    let word = word.strip_prefix('\\').unwrap_or(word);
    names.iter().find(|(name, _)| *name == word).map(|(_, number)| number.to_string())
}

/// Both ends of a range by number or name; a name may hold a dash itself.
fn range(word: &str) -> Option<String> {
    let port = |end: &str| end.parse::<u16>().map_or_else(|_| find(SERVICES, end), |_| Some(end.to_owned()));
    let mut ends = word.match_indices('-').filter_map(|(at, _)| Some((word.get(..at)?, word.get(at + 1..)?)));
    ends.find_map(|(low, high)| Some(format!("{}-{}", port(low)?, port(high)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_names_become_ports() {
        let table = [
            ("port http", "port 80"),
            ("tcp port http or https", "tcp port 80 or 443"),
            ("(src port ssh) and not dst port (53 or ntp)", "(src port 22) and not dst port (53 or 123)"),
            ("portrange ftp-data-ssh", "portrange 20-22"),
            ("portrange 1-http", "portrange 1-80"),
            ("ip proto \\udp", "ip proto 17"),
            ("port http and udp port ntp", "port 80 and udp port 123"),
        ];
        for (given, wanted) in table {
            assert_eq!(numbered(given), wanted);
        }
    }

    #[test]
    fn the_rest_stays_as_it_was() {
        let table = [
            "host http",
            "port 80 and src http",
            "ether proto \\ip",
            "tcp[tcpflags] & tcp-syn != 0",
            "net 10.0.0.0/8  and\n(arp)",
            "ip6 host 2001:db8::1",
            "port gopher",
        ];
        for given in table {
            assert_eq!(numbered(given), given);
        }
    }
}

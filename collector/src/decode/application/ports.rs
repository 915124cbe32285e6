//! Well-known ports (IANA's registry, and what custom has made of it). Numbers that many programs share say nothing.
use super::Application;

/// By the better known of both ports: a system port before others, the responder's before the initiator's.
#[inline]
pub fn by_ports(tcp: bool, initiator: u16, responder: u16) -> Application {
    let table = if tcp { of_tcp } else { of_udp };
    match (table(responder), table(initiator)) {
        (Application::Other, other) => other,
        (one, Application::Other) => one,
        (_, other) if initiator < 1024 && responder >= 1024 => other,
        (one, _) => one,
    }
}

const fn of_tcp(port: u16) -> Application {
    match port {
        20 => Application::FtpData,
        21 => Application::Ftp,
        22 => Application::Ssh,
        23 => Application::Telnet,
        25 => Application::Smtp,
        53 => Application::Dns,
        80 => Application::Http,
        88 => Application::Kerberos,
        110 => Application::Pop3,
        111 => Application::Rpcbind,
        139 => Application::Netbios,
        143 => Application::Imap,
        179 => Application::Bgp,
        389 => Application::Ldap,
        443 => Application::Https,
        445 => Application::Smb,
        465 => Application::Smtps,
        514 | 6514 => Application::Syslog,
        587 => Application::Submission,
        636 => Application::Ldaps,
        853 => Application::DnsOverTls,
        873 => Application::Rsync,
        990 => Application::Ftps,
        993 => Application::Imaps,
        995 => Application::Pop3s,
        1433 => Application::Mssql,
        1883 => Application::Mqtt,
        2049 => Application::Nfs,
        3306 => Application::Mysql,
        3389 => Application::Rdp,
        5060 | 5061 => Application::Sip,
        5222 | 5269 => Application::Xmpp,
        5432 => Application::Postgresql,
        5900 => Application::Vnc,
        6379 => Application::Redis,
        6881..=6889 => Application::BitTorrent,
        8883 => Application::Mqtts,
        9200 => Application::Elasticsearch,
        9418 => Application::Git,
        11211 => Application::Memcached,
        27017 => Application::Mongodb,
        _ => Application::Other,
    }
}

const fn of_udp(port: u16) -> Application {
    match port {
        53 => Application::Dns,
        67 | 68 => Application::Dhcp,
        69 => Application::Tftp,
        88 => Application::Kerberos,
        111 => Application::Rpcbind,
        123 => Application::Ntp,
        137 | 138 => Application::Netbios,
        161 | 162 => Application::Snmp,
        389 => Application::Ldap,
        443 => Application::Quic,
        500 | 4500 => Application::Ipsec,
        514 => Application::Syslog,
        546 | 547 => Application::Dhcpv6,
        1194 => Application::OpenVpn,
        1812 | 1813 => Application::Radius,
        1900 => Application::Ssdp,
        2049 => Application::Nfs,
        3389 => Application::Rdp,
        3478 => Application::Stun,
        5060 => Application::Sip,
        5353 => Application::Mdns,
        5355 => Application::Llmnr,
        6881..=6889 => Application::BitTorrent,
        11211 => Application::Memcached,
        51820 => Application::WireGuard,
        _ => Application::Other,
    }
}

//! What a flow carries: by content first, by well-known port second.
pub mod assembly;
mod bittorrent;
pub mod content;
mod dhcp;
pub mod dns;
mod ftp;
pub mod http;
mod imap;
pub mod names;
mod ntp;
mod ports;
pub mod quic;
mod rdp;
mod smtp;
mod ssh;
pub mod tls;
mod wireguard;

pub use ports::by_ports;
use serde::{Deserialize, Serialize};

macro_rules! applications {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// An application protocol; `as usize` indexes tables of `Application::ALL.len()`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Application { $($variant),+, #[default] Other }

        impl Application {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+, Self::Other];

            /// As printed and stored: `https`, `dns`, `other`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+, Self::Other => "other" }
            }
        }
    };
}

applications! {
    Http "http", Https "https", Quic "quic", Dns "dns", Mdns "mdns", Llmnr "llmnr", Ssh "ssh", Ntp "ntp", Dhcp "dhcp",
    Dhcpv6 "dhcpv6", Ftp "ftp", FtpData "ftp-data", Ftps "ftps", Smtp "smtp", Smtps "smtps", Submission "submission",
    Imap "imap", Imaps "imaps", Pop3 "pop3", Pop3s "pop3s", Rdp "rdp", BitTorrent "bittorrent", WireGuard "wireguard",
    DnsOverTls "dns-over-tls", Telnet "telnet", Tftp "tftp", Snmp "snmp", Syslog "syslog", Ldap "ldap", Ldaps "ldaps",
    Smb "smb", Netbios "netbios", Kerberos "kerberos", Bgp "bgp", Rsync "rsync", Nfs "nfs", Rpcbind "rpcbind",
    Mysql "mysql", Postgresql "postgresql", Redis "redis", Mongodb "mongodb", Mssql "mssql", Mqtt "mqtt", Mqtts "mqtts",
    Sip "sip", Stun "stun", Ipsec "ipsec", OpenVpn "openvpn", Ssdp "ssdp", Vnc "vnc", Radius "radius", Git "git",
    Xmpp "xmpp", Memcached "memcached", Elasticsearch "elasticsearch",
}

//! Network interfaces: what the kernel has (`netlink`, or `sysfs` where netlink is refused), how that changes while we
//! run (`watch`), which of them are captured (`selection`) and which count in totals (`counting`).
use std::fmt;
use std::net::IpAddr;

use shared::health::{Degraded, InterfaceInfo};
use weir_shared as shared;

mod command;
mod counting;
mod netlink;
mod selection;
mod sysfs;
mod watch;

pub use command::{command, describe};
pub use selection::{Choice, Selection, SelectionError};
pub use watch::{Watcher, watch};

/// An address of an interface and the length of its network prefix in bits. Prints as `192.0.2.5/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    pub ip: IpAddr,
    pub prefix: u8,
}

impl Address {
    /// Link-local (RFC 3927, RFC 4291 section 2.5.6): every interface may have one, whether anybody uses it or not.
    pub fn is_link_local(&self) -> bool {
        match self.ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// One interface as the kernel has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub name: String,
    /// Stays when the interface is renamed.
    pub index: u32,
    /// IFLA_INFO_KIND (`veth`, `bridge`, `vlan`, `tun`, `wireguard` …), else by hardware type: `ethernet`, `loopback`.
    pub kind: String,
    /// Colon-separated; empty where the link has none.
    pub mac: String,
    pub mtu_bytes: u32,
    /// Administratively up (IFF_UP).
    pub up: bool,
    pub addresses: Vec<Address>,
    /// Index of the interface it is stacked on, or of its veth peer (IFLA_LINK); None where that is another namespace's.
    pub parent: Option<u32>,
    /// Index of the bridge, bond, team or VRF that it is a member of (IFLA_MASTER).
    pub master: Option<u32>,
    /// The default route leaves here.
    pub primary: bool,
}

impl Link {
    pub fn is_loopback(&self) -> bool {
        self.kind == "loopback"
    }

    /// An address by which it can be spoken to. A link-local one does not count on a member of a bridge or bond: the
    /// kernel gives one to every port.
    pub fn has_own_address(&self) -> bool {
        self.addresses.iter().any(|address| self.master.is_none() || !address.is_link_local())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    #[error("cannot open a netlink socket")]
    Open(#[source] std::io::Error),
    #[error("the kernel did not list its {what} over netlink")]
    Netlink { what: &'static str, source: rtnetlink::Error },
    #[error("cannot read {path}")]
    Read { path: String, source: std::io::Error },
    #[error("cannot start the thread that watches interfaces")]
    Thread(#[source] std::io::Error),
    #[error("cannot list addresses of interfaces")]
    Addresses(#[source] nix::errno::Errno),
}

/// The machine's interfaces now, by index; with why, where they could not be asked for over netlink.
///
/// # Errors
/// Neither netlink nor sysfs answered.
pub fn list() -> Result<(Vec<Link>, Option<Degraded>), InterfaceError> {
    match netlink::list_blocking() {
        Ok(links) => Ok((links, None)),
        Err(refused) => Ok((sysfs::list()?, Some(degraded(&refused)))),
    }
}

/// How status puts it that netlink did not answer.
fn degraded(error: &InterfaceError) -> Degraded {
    let source = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    Degraded {
        part: "interfaces".to_owned(),
        reason: format!("{error}{source}; interfaces are read from /sys every 5 seconds instead"),
    }
}

/// Puts the default route's interface and a stable order into a fresh list.
fn finish(mut links: Vec<Link>, primary: Option<u32>) -> Vec<Link> {
    for link in &mut links {
        link.primary = Some(link.index) == primary;
        link.addresses.sort_unstable();
        link.addresses.dedup();
    }
    links.sort_unstable_by_key(|link| link.index);
    links
}

/// What status, `weir interfaces` and `weir-collector interfaces` say of the links and of names that are not there.
pub fn interface_infos(links: &[Link], choices: &[Choice]) -> Vec<InterfaceInfo> {
    choices.iter().map(|choice| choice.info(links)).collect()
}

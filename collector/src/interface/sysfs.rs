//! Interfaces without netlink: names and kinds from /sys/class/net (sysfs-class-net), addresses from getifaddrs(3) or,
//! since that asks netlink too, from /proc/net, default routes from /proc/net/route and /proc/net/ipv6_route.
use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::{Address, InterfaceError, Link, finish};

const CLASS: &str = "/sys/class/net";
const IFF_UP: u32 = 1;
const ARPHRD_ETHER: u32 = 1;
const ARPHRD_LOOPBACK: u32 = 772;

/// # Errors
/// /sys/class/net cannot be read.
pub(super) fn list() -> Result<Vec<Link>, InterfaceError> {
    let failed = |source| InterfaceError::Read { path: CLASS.to_owned(), source };
    let mut addresses = addresses();
    let mut links = Vec::new();
    for entry in fs::read_dir(CLASS).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        // one that vanished meanwhile, or a plain file such as bonding_masters
        if let Some(mut link) = link(&name) {
            link.addresses = addresses.remove(&name).unwrap_or_default();
            links.push(link);
        }
    }
    let primary = default_ipv4().or_else(default_ipv6);
    let primary = primary.and_then(|name| links.iter().find(|link| link.name == name)).map(|link| link.index);
    Ok(finish(links, primary))
}

fn link(name: &str) -> Option<Link> {
    let folder = Path::new(CLASS).join(name);
    let text = |file: &str| fs::read_to_string(folder.join(file)).map(|text| text.trim().to_owned()).ok();
    let number = |file: &str| text(file).and_then(|text| text.parse::<u32>().ok());
    let index = number("ifindex")?;
    let flags = text("flags").and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    let master = fs::read_link(folder.join("master")).ok();
    let master = master.as_ref().and_then(|path| path.file_name()).map(|name| Path::new(CLASS).join(name));
    let parent = number("iflink").filter(|parent| *parent != index && *parent != 0);
    Some(Link {
        name: name.to_owned(),
        index,
        kind: kind(&folder, number("type").unwrap_or_default(), parent.is_some()),
        mac: text("address").filter(|mac| mac.len() == 17 && mac != "00:00:00:00:00:00").unwrap_or_default(),
        mtu_bytes: number("mtu").unwrap_or_default(),
        up: flags.is_some_and(|flags| flags & IFF_UP != 0),
        addresses: Vec::new(),
        parent,
        master: master
            .and_then(|folder| fs::read_to_string(folder.join("ifindex")).ok()?.trim().parse().ok()),
        primary: false,
    })
}

/// DEVTYPE of uevent where the driver gives one; a veth has none but a peer's index in iflink.
fn kind(folder: &Path, hardware: u32, stacked: bool) -> String {
    let uevent = fs::read_to_string(folder.join("uevent")).unwrap_or_default();
    let device_type = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
    match (device_type, hardware) {
        (Some(kind), _) if kind != "wlan" && kind != "dsa" => kind.to_owned(),
        _ if folder.join("tun_flags").exists() => "tun".to_owned(),
        (_, ARPHRD_LOOPBACK) => "loopback".to_owned(),
        (_, ARPHRD_ETHER) if stacked => "veth".to_owned(),
        (_, ARPHRD_ETHER) => "ethernet".to_owned(),
        (_, 65534) => "none".to_owned(),
        (_, 512) => "ppp".to_owned(),
        (_, 768) => "ipip".to_owned(),
        (_, 776) => "sit".to_owned(),
        (_, 778) => "gre".to_owned(),
        (_, other) => format!("type{other}"),
    }
}

fn addresses() -> HashMap<String, Vec<Address>> {
    let mut found: HashMap<String, Vec<Address>> = HashMap::new();
    let Ok(entries) = nix::ifaddrs::getifaddrs() else {
        return addresses_from_proc();
    };
    for entry in entries {
        let ip = entry.address.as_ref().and_then(ip_of);
        let mask = entry.netmask.as_ref().and_then(ip_of);
        if let Some(ip) = ip {
            let prefix = mask.map_or(if ip.is_ipv4() { 32 } else { 128 }, prefix_of);
            found.entry(entry.interface_name).or_default().push(Address { ip, prefix });
        }
    }
    found
}

fn ip_of(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let ipv4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    ipv4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// Leading ones of a netmask; at most 128.
fn prefix_of(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    u8::try_from(ones).unwrap_or(128)
}

/// IPv6 from /proc/net/if_inet6; IPv4 by matching the local addresses of /proc/net/fib_trie with the connected
/// networks of /proc/net/route.
fn addresses_from_proc() -> HashMap<String, Vec<Address>> {
    let mut found: HashMap<String, Vec<Address>> = HashMap::new();
    let inet6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    for (name, address) in inet6.lines().filter_map(inet6_address) {
        found.entry(name).or_default().push(address);
    }
    let trie = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let connected: Vec<_> =
        routes.lines().skip(1).filter_map(Route::parse).filter(|route| route.mask != 0).collect();
    for ip in local_addresses(&trie) {
        let bits = ip.to_bits();
        let route =
            connected.iter().filter(|route| bits & route.mask == route.destination).max_by_key(|r| r.mask);
        let (name, prefix) = match route {
            Some(route) => (route.interface.clone(), route.mask.leading_ones()),
            None if ip.is_loopback() => ("lo".to_owned(), 8),
            None => continue,
        };
        let address = Address { ip: IpAddr::V4(ip), prefix: u8::try_from(prefix).unwrap_or(32) };
        found.entry(name).or_default().push(address);
    }
    found
}

/// A line of if_inet6: address, index, prefix length, scope, flags (all hexadecimal), name.
fn inet6_address(line: &str) -> Option<(String, Address)> {
    let mut words = line.split_whitespace();
    let ip = u128::from_str_radix(words.next()?, 16).ok()?;
    let prefix = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let name = words.nth(2)?;
    Some((name.to_owned(), Address { ip: IpAddr::V6(Ipv6Addr::from_bits(ip)), prefix }))
}

/// Addresses whose next line in the trie is `/32 host LOCAL`.
fn local_addresses(trie: &str) -> Vec<Ipv4Addr> {
    let mut last: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.take());
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// A line of /proc/net/route; numbers are hexadecimal in the machine's byte order of network-order fields.
struct Route {
    interface: String,
    destination: u32,
    mask: u32,
    metric: u32,
}

impl Route {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let hexadecimal = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
        Some(Self {
            interface: (*words.first()?).to_owned(),
            destination: u32::from_be(hexadecimal(1)?),
            mask: u32::from_be(hexadecimal(7)?),
            metric: words.get(6)?.parse().ok()?,
        })
    }
}

fn default_ipv4() -> Option<String> {
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let defaults = routes.lines().skip(1).filter_map(Route::parse);
    let best =
        defaults.filter(|route| route.destination == 0 && route.mask == 0).min_by_key(|route| route.metric);
    best.map(|route| route.interface)
}

/// A line of ipv6_route: destination, its length, source, its length, next hop, metric, use, references, flags, name.
fn default_ipv6() -> Option<String> {
    const RTF_REJECT: u32 = 0x200;
    let routes = fs::read_to_string("/proc/net/ipv6_route").ok()?;
    let candidates = routes.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let hexadecimal = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
        let usable = hexadecimal(1)? == 0 && hexadecimal(8)? & RTF_REJECT == 0;
        usable.then(|| Some((hexadecimal(5)?, (*words.get(9)?).to_owned())))?
    });
    candidates.filter(|(_, name)| name != "lo").min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_if_inet6_is_an_address_of_an_interface() {
        let line = "fe800000000000000000000000000001 02 40 20 80     eth0";
        let (name, address) = inet6_address(line).unwrap();
        assert_eq!((name.as_str(), address.to_string().as_str()), ("eth0", "fe80::1/64"));
        assert_eq!(inet6_address("garbage"), None);
    }

    #[test]
    fn local_addresses_are_those_the_trie_calls_host_local() {
        let trie = "  |-- 192.0.2.0\n     /24 link UNICAST\n  |-- 192.0.2.5\n     /32 host LOCAL\n  |-- 192.0.2.255\n     /32 link BROADCAST\n";
        assert_eq!(local_addresses(trie), [Ipv4Addr::new(192, 0, 2, 5)]);
    }

    #[test]
    fn routes_are_read_in_network_order() {
        let line = "eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0";
        let route = Route::parse(line).unwrap();
        assert_eq!(Ipv4Addr::from_bits(route.destination), Ipv4Addr::new(192, 0, 2, 0));
        assert_eq!((route.mask.leading_ones(), route.metric), (24, 100));
    }

    #[test]
    fn without_netlink_the_same_links_are_found() {
        let by_netlink = super::super::netlink::list_blocking().unwrap();
        let by_sysfs = list().unwrap();
        let names = |links: &[Link]| {
            links.iter().map(|l| (l.index, l.name.clone(), l.up, l.primary)).collect::<Vec<_>>()
        };
        assert_eq!(names(&by_sysfs), names(&by_netlink));
        let addresses = |links: &[Link]| links.iter().map(|link| link.addresses.clone()).collect::<Vec<_>>();
        assert_eq!(addresses(&by_sysfs), addresses(&by_netlink));
        let mut from_proc = addresses_from_proc();
        for link in &by_netlink {
            let mut found = from_proc.remove(&link.name).unwrap_or_default();
            found.sort_unstable();
            assert_eq!(found, link.addresses, "{}", link.name);
        }
    }
}

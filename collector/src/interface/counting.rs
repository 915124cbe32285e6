//! Which captured interfaces count in totals, so that no byte of one frame is counted on two of them: what rides on a
//! captured interface (VLAN on its parent, bridge on its members, tunnel on its underlay) is left out, loopback too.
use std::collections::HashSet;

use super::Link;

/// Kinds whose frames leave again, wrapped, by another interface of this machine.
const TUNNELS: [&str; 16] = [
    "wireguard",
    "gre",
    "gretap",
    "erspan",
    "ip6gre",
    "ip6gretap",
    "ipip",
    "sit",
    "ip6tnl",
    "vti",
    "vti6",
    "xfrm",
    "vxlan",
    "geneve",
    "bareudp",
    "ppp",
];

/// Kinds that only repeat frames of others.
const REPEATERS: [&str; 4] = ["ifb", "nlmon", "netdevsim", "vsockmon"];

/// Why a captured link is left out of totals; None: it counts. `captured` are indices.
pub(super) fn left_out(link: &Link, links: &[Link], captured: &HashSet<u32>) -> Option<String> {
    if link.is_loopback() {
        return Some("loopback traffic never leaves the machine".to_owned());
    }
    if REPEATERS.contains(&link.kind.as_str()) {
        return Some("it repeats frames of other interfaces".to_owned());
    }
    if let Some(carrier) = captured_carrier(link, links, captured) {
        let relation = if carrier.master == Some(link.index) { "its member" } else { "it rides on" };
        return Some(format!("{relation} {} is counted already", carrier.name));
    }
    if is_tunnel(link)
        && let Some(underlay) = underlay(link, links, captured)
    {
        return Some(format!("it is a tunnel whose packets pass {} as well", underlay.name));
    }
    None
}

/// Whether each of its frames is seen on another captured interface too, with the same addresses: not so for a tunnel,
/// whose packets are wrapped, nor for loopback.
pub(super) fn repeats(link: &Link, links: &[Link], captured: &HashSet<u32>) -> bool {
    REPEATERS.contains(&link.kind.as_str())
        || !is_tunnel(link) && captured_carrier(link, links, captured).is_some()
}

/// A tun device has no hardware address and is a tunnel's end; a tap has one, and mostly a virtual machine behind it,
/// whose frames pass no other interface of ours but by forwarding.
fn is_tunnel(link: &Link) -> bool {
    TUNNELS.contains(&link.kind.as_str()) || (link.kind == "tun" && link.mac.is_empty())
}

/// The interfaces whose frames this one's are: what it is stacked on, and its members. Peers of a veth pair are two
/// hosts' interfaces: neither carries the other.
fn carriers<'a>(link: &'a Link, links: &'a [Link]) -> impl Iterator<Item = &'a Link> {
    let parent = link.parent.filter(|_| link.kind != "veth");
    links.iter().filter(move |other| Some(other.index) == parent || other.master == Some(link.index))
}

/// The nearest captured interface below, through any number of layers.
fn captured_carrier<'a>(link: &'a Link, links: &'a [Link], captured: &HashSet<u32>) -> Option<&'a Link> {
    let mut seen = HashSet::from([link.index]);
    let mut layer: Vec<&Link> = carriers(link, links).collect();
    while !layer.is_empty() {
        layer.retain(|carrier| seen.insert(carrier.index));
        if let Some(found) = layer.iter().find(|carrier| captured.contains(&carrier.index)) {
            return Some(found);
        }
        layer = layer.iter().flat_map(|carrier| carriers(carrier, links)).collect();
    }
    None
}

/// A tunnel's packets leave by what routes them, which may change any time: the primary interface if that is captured,
/// else any captured one that is no tunnel itself.
fn underlay<'a>(link: &Link, links: &'a [Link], captured: &HashSet<u32>) -> Option<&'a Link> {
    let possible = |other: &&Link| {
        other.index != link.index
            && captured.contains(&other.index)
            && !other.is_loopback()
            && !is_tunnel(other)
            && !REPEATERS.contains(&other.kind.as_str())
    };
    links.iter().filter(possible).max_by_key(|other| (other.primary, std::cmp::Reverse(other.index)))
}

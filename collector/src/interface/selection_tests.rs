use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::interface::Address;

fn link(index: u32, name: &str, kind: &str) -> Link {
    Link {
        name: name.to_owned(),
        index,
        kind: kind.to_owned(),
        up: true,
        mac: "02:00:00:00:00:01".to_owned(),
        ..Link::default()
    }
}

fn with_address(mut link: Link) -> Link {
    let last = u8::try_from(link.index).unwrap();
    link.addresses.push(Address { ip: IpAddr::V4(Ipv4Addr::new(10, 0, last, 1)), prefix: 24 });
    link
}

/// Names captured, and of those the ones in totals.
fn outcome(entries: &[&str], links: &[Link]) -> (Vec<String>, Vec<String>) {
    let choices = Selection::parse(entries).unwrap().choose(links);
    let names =
        |keep: fn(&Choice) -> bool| choices.iter().filter(|c| keep(c)).map(|c| c.name.clone()).collect();
    (names(|choice| choice.captured), names(|choice| choice.in_totals))
}

fn machine() -> Vec<Link> {
    vec![
        with_address(link(1, "lo", "loopback")),
        Link { primary: true, ..with_address(link(2, "eth0", "ethernet")) },
        link(3, "eth1", "ethernet"),
        Link { up: false, ..with_address(link(4, "eth2", "ethernet")) },
        Link { mac: String::new(), ..with_address(link(5, "wg0", "wireguard")) },
        Link { parent: Some(2), ..with_address(link(6, "eth0.5", "vlan")) },
        with_address(link(7, "docker0", "bridge")),
        Link { master: Some(7), parent: Some(9), ..link(8, "veth1", "veth") },
    ]
}

#[test]
fn each_word_selects_what_it_says() {
    let cases: [(&[&str], &[&str], &[&str]); 9] = [
        (&["auto"], &["lo", "eth0", "wg0", "eth0.5", "docker0"], &["eth0", "docker0"]),
        (&["primary"], &["eth0"], &["eth0"]),
        (&["eth1", "wg0"], &["eth1", "wg0"], &["eth1"]),
        (&["wg0"], &["wg0"], &["wg0"]),
        (&["eth0.5"], &["eth0.5"], &["eth0.5"]),
        (&["eth?"], &["eth0", "eth1", "eth2"], &["eth0", "eth1", "eth2"]),
        (&["auto", "!docker*", "!lo"], &["eth0", "wg0", "eth0.5"], &["eth0"]),
        (&["!eth*"], &["lo", "wg0", "docker0"], &["docker0"]),
        (
            &["all", "!eth2"],
            &["lo", "eth0", "eth1", "wg0", "eth0.5", "docker0", "veth1"],
            &["eth0", "eth1", "veth1"],
        ),
    ];
    for (entries, captured, totals) in cases {
        let expected = (
            captured.iter().map(|n| n.to_string()).collect(),
            totals.iter().map(|n| n.to_string()).collect(),
        );
        assert_eq!(outcome(entries, &machine()), expected, "{entries:?}");
    }
}

#[test]
fn a_bridge_counts_only_while_no_member_is_captured() {
    let links = [
        Link { master: Some(2), ..link(1, "eth0", "ethernet") },
        with_address(link(2, "br0", "bridge")),
        Link { parent: Some(2), ..with_address(link(3, "br0.7", "vlan")) },
    ];
    assert_eq!(outcome(&["auto"], &links).1, ["br0"]);
    assert_eq!(outcome(&["eth0", "br0"], &links).1, ["eth0"]);
    assert_eq!(outcome(&["eth0", "br0.7"], &links).1, ["eth0"], "two layers up");
}

#[test]
fn peers_of_a_veth_pair_both_count() {
    let links = [
        Link { parent: Some(2), ..with_address(link(1, "a", "veth")) },
        Link { parent: Some(1), ..with_address(link(2, "b", "veth")) },
    ];
    assert_eq!(outcome(&["auto"], &links).1, ["a", "b"]);
}

#[test]
fn a_tunnel_counts_where_nothing_below_it_is_captured() {
    let tun = Link { mac: String::new(), ..with_address(link(1, "tun0", "tun")) };
    let tap = with_address(link(2, "tap0", "tun"));
    assert_eq!(outcome(&["auto"], std::slice::from_ref(&tun)).1, ["tun0"]);
    assert_eq!(outcome(&["auto"], &[tun.clone(), with_address(link(3, "eth0", "ethernet"))]).1, ["eth0"]);
    assert_eq!(outcome(&["auto"], &[tap, with_address(link(3, "eth0", "ethernet"))]).1, ["tap0", "eth0"]);
}

#[test]
fn a_stack_that_refers_to_itself_ends() {
    let links = [
        Link { parent: Some(2), ..link(1, "a", "macvlan") },
        Link { parent: Some(1), ..link(2, "b", "macvlan") },
    ];
    assert_eq!(outcome(&["a"], &links).1, ["a"]);
}

#[test]
fn a_name_that_does_not_exist_is_gone_and_the_existing_ones_are_listed() {
    let choices = Selection::parse(&["wlan0", "eth1"]).unwrap().choose(&machine());
    let gone = choices.iter().find(|choice| choice.name == "wlan0").unwrap();
    assert_eq!(gone.index, None);
    assert!(!gone.captured);
    assert!(gone.reason.contains("eth0, eth1"), "{}", gone.reason);
}

#[test]
fn without_a_default_route_primary_is_gone() {
    let choices = Selection::parse(&["primary"]).unwrap().choose(&[with_address(link(1, "lo", "loopback"))]);
    assert!(choices.iter().any(|choice| choice.name == "primary" && choice.index.is_none()));
}

#[test]
fn a_link_local_address_of_a_bridge_port_is_no_address_of_its_own() {
    let local = Address { ip: "fe80::1".parse().unwrap(), prefix: 64 };
    let port = Link { master: Some(2), addresses: vec![local], ..link(1, "port", "veth") };
    let alone = Link { addresses: vec![local], ..link(3, "alone", "ethernet") };
    assert_eq!(outcome(&["auto"], &[port, alone]).0, ["alone"]);
}

#[test]
fn every_choice_says_why_in_one_sentence() {
    for choice in Selection::parse(&["auto", "!docker0", "gone0"]).unwrap().choose(&machine()) {
        assert!(choice.reason.ends_with('.'), "{}", choice.reason);
        assert_eq!(choice.reason.contains("leaves it out"), choice.name == "docker0");
    }
}

#[test]
fn entries_that_can_be_no_interface_are_refused() {
    let none: [&str; 0] = [];
    assert_eq!(Selection::parse(&none), Err(SelectionError::Empty));
    for bad in ["", "a b", "a/b", "eth0:1", "an-interface-name-too-long", "!", "!!eth0"] {
        assert!(matches!(Selection::parse(&[bad]), Err(SelectionError::Name(_))), "{bad}");
    }
    for word in ["!auto", "!primary", "!all"] {
        assert!(matches!(Selection::parse(&[word]), Err(SelectionError::Negated(_))), "{word}");
    }
}

#[test]
fn globs_match_whole_names() {
    for (pattern, text, matches) in [
        ("*", "", true),
        ("eth*", "eth0", true),
        ("eth*", "veth0", false),
        ("*eth*", "veth0", true),
        ("e?h0", "eth0", true),
        ("eth?", "eth", false),
        ("*0*0", "a0b0c0", true),
        ("*a*b", "aaac", false),
        ("eth0", "eth0", true),
        ("eth0", "eth01", false),
    ] {
        assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
    }
}

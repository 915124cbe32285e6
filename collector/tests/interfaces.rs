//! Detection, selection and the watcher against a real kernel: each test runs again inside a network namespace of its
//! own (unshare(1)), which ends with it.
#![cfg(test)]

use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use weir_collector::interface::{self, Link, Selection};

const INSIDE: &str = "WEIR_TEST_INSIDE_NAMESPACE";
const DEADLINE: Duration = Duration::from_secs(10);

/// True inside the namespace; outside it runs the named test there and says false.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let may = Command::new("unshare").args(["-n", "-m", "true"]).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a network namespace needs root");
        return false;
    }
    // /sys shows the interfaces of the namespace in which it was mounted
    let script = "mount -t sysfs sysfs /sys && ip link set lo up && exec \"$0\" \"$@\"";
    let status = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success());
    false
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split_whitespace()).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Kernels are built without some kinds of interface.
fn ip_may(arguments: &str) -> bool {
    let status = Command::new("ip").args(arguments.split_whitespace()).stderr(Stdio::null()).status();
    let made = status.unwrap().success();
    if !made {
        eprintln!("not in this kernel: ip {arguments}");
    }
    made
}

fn links() -> Vec<Link> {
    let (links, degraded) = interface::list().unwrap();
    assert_eq!(degraded, None);
    links
}

fn named<'a>(links: &'a [Link], name: &str) -> &'a Link {
    links.iter().find(|link| link.name == name).unwrap_or_else(|| panic!("no {name} in {links:?}"))
}

/// Names captured, and of these the ones in totals.
fn outcome(entries: &[&str]) -> (Vec<String>, Vec<String>) {
    let choices = Selection::parse(entries).unwrap().choose(&links());
    let captured = choices.iter().filter(|choice| choice.captured);
    let counted = choices.iter().filter(|choice| choice.in_totals);
    (
        captured.map(|choice| choice.name.clone()).collect(),
        counted.map(|choice| choice.name.clone()).collect(),
    )
}

#[test]
fn the_primary_interface_is_the_one_of_the_best_default_route() {
    if !inside("the_primary_interface_is_the_one_of_the_best_default_route") {
        return;
    }
    for (name, subnet) in [("wa", 1), ("wb", 2)] {
        ip(&format!("link add {name} type veth peer name {name}peer"));
        ip(&format!("link set {name} up"));
        ip(&format!("link set {name}peer up"));
        ip(&format!("addr add 10.9.{subnet}.1/24 dev {name}"));
        ip(&format!("addr add fd00:{subnet}::1/64 dev {name} nodad"));
    }
    let primary =
        || links().into_iter().filter(|link| link.primary).map(|link| link.name).collect::<Vec<_>>();
    assert_eq!(primary(), Vec::<String>::new());
    ip("-6 route add default via fd00:2::2 dev wb metric 50");
    assert_eq!(primary(), ["wb"], "IPv6 where IPv4 has none");
    ip("route add default via 10.9.2.2 dev wb metric 200");
    ip("route add default via 10.9.1.2 dev wa metric 100");
    assert_eq!(primary(), ["wa"]);
    ip("link set wa down");
    assert_eq!(primary(), ["wb"]);
    ip("route add blackhole default metric 1");
    assert_eq!(primary(), ["wb"], "a blackhole leads nowhere");
}

#[test]
fn no_frame_of_a_stack_counts_twice() {
    if !inside("no_frame_of_a_stack_counts_twice") {
        return;
    }
    ip("link add eth7 type veth peer name far7");
    ip("link set eth7 up");
    ip("addr add 10.9.7.1/24 dev eth7");
    ip("link add br7 type bridge");
    ip("link set far7 master br7");
    ip("link set br7 up");
    ip("addr add 10.9.8.1/24 dev br7");
    let links = links();
    let bridge = named(&links, "br7");
    assert_eq!((named(&links, "eth7").kind.as_str(), bridge.kind.as_str()), ("veth", "bridge"));
    assert_eq!(named(&links, "far7").master, Some(bridge.index));
    assert_eq!(named(&links, "eth7").addresses[0].to_string(), "10.9.7.1/24");
    assert_eq!(
        outcome(&["auto"]),
        (vec!["lo".into(), "eth7".into(), "br7".into()], vec!["eth7".into(), "br7".into()])
    );
    assert_eq!(outcome(&["far7", "br7"]).1, ["far7"]);

    let inner = [
        ("eth7.5", "link add link eth7 name eth7.5 type vlan id 5"),
        ("mac7", "link add link eth7 name mac7 type macvlan"),
        ("vx7", "link add vx7 type vxlan id 7 dstport 4789 remote 10.9.7.2 dev eth7"),
        ("gre7", "link add gre7 type gre local 10.9.7.1 remote 10.9.7.2"),
        ("wg7", "link add wg7 type wireguard"),
        ("tun7", "tuntap add tun7 mode tun"),
    ];
    for (name, command) in inner {
        if !ip_may(command) {
            continue;
        }
        assert_eq!(outcome(&["eth7", name]).1, ["eth7"], "{name} rides on eth7");
        assert_eq!(outcome(&[name]).1, [name], "{name} alone");
        ip(&format!("link del {name}"));
    }
}

/// Waits for a list of which the claim is true; lists come only on changes.
fn until(lists: &Receiver<Vec<Link>>, claim: &str, holds: impl Fn(&[Link]) -> bool) -> Vec<Link> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let links = lists.recv_timeout(left).unwrap_or_else(|_| panic!("never seen: {claim}"));
        if holds(&links) {
            return links;
        }
    }
}

#[test]
fn the_watcher_tells_of_each_change() {
    if !inside("the_watcher_tells_of_each_change") {
        return;
    }
    let (sender, lists) = sync_channel(64);
    let watcher = interface::watch(move |links| drop(sender.try_send(links))).unwrap();
    let has = |links: &[Link], name: &str| links.iter().any(|link| link.name == name);
    until(&lists, "the first list", |links| has(links, "lo"));
    ip("link add wa type veth peer name wb");
    let index = named(&until(&lists, "a new interface", |links| has(links, "wa")), "wa").index;
    ip("addr add 10.9.1.1/24 dev wa");
    until(&lists, "an address", |links| !named(links, "wa").addresses.is_empty());
    ip("link set wa up");
    ip("link set wb up");
    until(&lists, "it is up", |links| named(links, "wa").up);
    ip("route add default via 10.9.1.2 dev wa");
    until(&lists, "a default route", |links| named(links, "wa").primary);
    ip("link set wa down");
    ip("link set wa name wc");
    let renamed = until(&lists, "a new name", |links| has(links, "wc") && !has(links, "wa"));
    assert_eq!(named(&renamed, "wc").index, index, "the index stays");
    ip("link set wc mtu 1400");
    until(&lists, "another mtu", |links| named(links, "wc").mtu_bytes == 1400);
    ip("link del wc");
    until(&lists, "it vanished", |links| !has(links, "wc"));
    assert_eq!(watcher.degraded(), None);
    drop(watcher);
    ip("link add wd type veth peer name we");
    let after = lists.recv_timeout(DEADLINE);
    assert!(after.is_err(), "a dropped watcher is silent: {after:?}");
}

#[test]
fn a_burst_of_changes_is_one_list_or_a_few() {
    if !inside("a_burst_of_changes_is_one_list_or_a_few") {
        return;
    }
    let (sender, lists) = sync_channel(256);
    let _watcher = interface::watch(move |links| drop(sender.try_send(links))).unwrap();
    lists.recv_timeout(DEADLINE).unwrap();
    for number in 0..30 {
        ip(&format!("link add a{number} type veth peer name b{number}"));
    }
    let mut told = 1;
    while lists.recv_timeout(DEADLINE).unwrap().len() < 61 {
        told += 1;
    }
    assert!(told < 30, "{told} lists for 30 changes");
}

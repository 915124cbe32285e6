//! Holds what `weir-collector replay --json` says of a generated capture against the truth.
use serde_json::Value;

/// What differs, one line each; empty when all agrees.
pub fn differences(truth: &Value, replay: &Value) -> Vec<String> {
    let mut different = Vec::new();
    for (key, at) in EQUAL {
        equal(&mut different, key, number(replay, key), number(truth, at));
    }
    // broken messages lie in whole packets: those count as packets, and as messages that do not parse
    let messages =
        number(truth, "malformed.dns_pointer_loop") + number(truth, "malformed.tls_client_hello_bad_lengths");
    let broken: u64 =
        truth["malformed"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
    equal(&mut different, "malformed", number(replay, "malformed"), broken - messages);
    equal(&mut different, "malformed_messages", number(replay, "malformed_messages"), messages);

    let dns = number(truth, "malformed.dns_pointer_loop");
    let tls = number(truth, "malformed.tls_client_hello_bad_lengths");
    for (key, at, more) in [
        ("network.ipv4.packets", "l3.ipv4.packets", messages),
        ("network.ipv6.packets", "l3.ipv6.packets", 0),
        ("transport.tcp.packets", "ip_proto.tcp.packets", tls),
        ("transport.udp.packets", "ip_proto.udp.packets", dns),
    ] {
        equal(&mut different, key, number(replay, key), number(truth, at) + more);
    }
    // the broken messages of one kind all have one 5-tuple
    for (key, at, more) in [("flows.tcp", "flows.tcp", tls), ("flows.udp", "flows.udp", dns)] {
        equal(&mut different, key, number(replay, key), number(truth, at) + more.min(1));
    }
    let cut =
        number(truth, "snapped.in_payload") + number(truth, "snapped.in_l4") + number(truth, "snapped.in_ip");
    equal(&mut different, "truncated", number(replay, "truncated"), cut);
    for (key, at) in [("top_sources", "top_src_by_bytes"), ("top_destinations", "top_dst_by_bytes")] {
        let (said, meant) =
            (ranking(&replay[key], "address", "bytes"), ranking(&truth[at], "ip", "wire_bytes"));
        if said != meant {
            different.push(format!("{key}: {said:?} instead of {meant:?}"));
        }
    }
    different
}

/// Keys of the replay's object, and of the truth, that say the same.
const EQUAL: [(&str, &str); 20] = [
    ("packets", "packets"),
    ("bytes", "wire_bytes"),
    ("captured_bytes", "captured_bytes"),
    ("vlan_packets", "vlan_packets"),
    ("qinq_packets", "qinq_packets"),
    ("fragments.first", "frag_first"),
    ("fragments.later", "frag_later"),
    ("cut_before_network", "snapped.in_ip"),
    ("tcp_flags.syn", "tcp_flags.syn"),
    ("tcp_flags.syn_ack", "tcp_flags.synack"),
    ("tcp_flags.fin", "tcp_flags.fin"),
    ("tcp_flags.rst", "tcp_flags.rst"),
    ("network.arp.packets", "l3.arp.packets"),
    ("network.arp.bytes", "l3.arp.wire_bytes"),
    ("network.ipv6.bytes", "l3.ipv6.wire_bytes"),
    ("transport.icmp.packets", "ip_proto.icmp.packets"),
    ("transport.icmp.bytes", "ip_proto.icmp.wire_bytes"),
    ("transport.icmpv6.packets", "ip_proto.icmpv6.packets"),
    ("transport.icmpv6.bytes", "ip_proto.icmpv6.wire_bytes"),
    ("flows.icmp", "flows.icmp_ids"),
];

fn equal(different: &mut Vec<String>, key: &str, said: u64, meant: u64) {
    if said != meant {
        different.push(format!("{key}: {said} instead of {meant}"));
    }
}

/// The number under a dotted path; one that is absent is the largest there is, so that it equals nothing.
fn number(document: &Value, path: &str) -> u64 {
    let found = path.split('.').try_fold(document, |value, key| value.get(key));
    found.and_then(Value::as_u64).unwrap_or(u64::MAX / 4)
}

fn ranking(rows: &Value, address: &str, bytes: &str) -> Vec<(String, u64)> {
    let rows = rows.as_array().into_iter().flatten().take(10);
    rows.map(|row| (row[address].as_str().unwrap_or_default().to_owned(), number(row, bytes))).collect()
}

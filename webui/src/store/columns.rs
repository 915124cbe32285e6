//! The figures of a span, as columns of the table `span` and as fields of [`InterfaceWindow`]: one list, from which
//! storing, rolling up and reading are made.
use std::sync::LazyLock;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use weir_shared::report::InterfaceWindow;

/// A column and the field it stands for.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) field: fn(&mut InterfaceWindow) -> &mut u64,
}

macro_rules! columns {
    ($($name:literal => $($field:ident).+;)*) => {
        &[$(Column { name: $name, field: |window| &mut window.$($field).+ }),*]
    };
}

/// Figures that add up over spans. `ledger_outside_bytes` does too, but is signed and stands alone.
pub(super) static SUMMED: &[Column] = columns! {
    "rx_packets" => captured.rx.packets;
    "rx_bytes" => captured.rx.bytes;
    "tx_packets" => captured.tx.packets;
    "tx_bytes" => captured.tx.bytes;
    "ingress_packets" => directions.ingress.packets;
    "ingress_bytes" => directions.ingress.bytes;
    "egress_packets" => directions.egress.packets;
    "egress_bytes" => directions.egress.bytes;
    "local_packets" => directions.local.packets;
    "local_bytes" => directions.local.bytes;
    "forwarded_in_packets" => directions.forwarded_in.packets;
    "forwarded_in_bytes" => directions.forwarded_in.bytes;
    "forwarded_out_packets" => directions.forwarded_out.packets;
    "forwarded_out_bytes" => directions.forwarded_out.bytes;
    "kernel_rx_packets" => kernel.rx_packets;
    "kernel_rx_bytes" => kernel.rx_bytes;
    "kernel_tx_packets" => kernel.tx_packets;
    "kernel_tx_bytes" => kernel.tx_bytes;
    "ledger_kernel_bytes" => ledger.kernel_bytes;
    "ledger_attributed_bytes" => ledger.attributed_bytes;
    "ledger_unattributed_bytes" => ledger.unattributed_bytes;
    "ledger_lost_bytes" => ledger.lost_bytes;
    "ipv4_packets" => network.ipv4.packets;
    "ipv4_bytes" => network.ipv4.bytes;
    "ipv6_packets" => network.ipv6.packets;
    "ipv6_bytes" => network.ipv6.bytes;
    "arp_packets" => network.arp.packets;
    "arp_bytes" => network.arp.bytes;
    "other_network_packets" => network.other.packets;
    "other_network_bytes" => network.other.bytes;
    "tcp_packets" => transport.tcp.packets;
    "tcp_bytes" => transport.tcp.bytes;
    "udp_packets" => transport.udp.packets;
    "udp_bytes" => transport.udp.bytes;
    "icmp_packets" => transport.icmp.packets;
    "icmp_bytes" => transport.icmp.bytes;
    "icmpv6_packets" => transport.icmpv6.packets;
    "icmpv6_bytes" => transport.icmpv6.bytes;
    "sctp_packets" => transport.sctp.packets;
    "sctp_bytes" => transport.sctp.bytes;
    "other_transport_packets" => transport.other.packets;
    "other_transport_bytes" => transport.other.bytes;
    "syn" => tcp_flags.syn;
    "syn_ack" => tcp_flags.syn_ack;
    "fin" => tcp_flags.fin;
    "rst" => tcp_flags.rst;
    "malformed_packets" => malformed_packets;
    "malformed_messages" => malformed_messages;
    "truncated_packets" => truncated_packets;
    "dropped_packets" => dropped_packets;
    "evicted_flows" => evicted_flows;
    "handshakes" => tcp.handshakes;
    "round_trip_micros_sum" => tcp.round_trip_micros_sum;
    "retransmitted_segments" => tcp.retransmitted_segments;
    "zero_windows" => tcp.zero_windows;
    "resets" => tcp.resets;
};

/// Figures of which the highest stands for several spans.
pub(super) static HIGHEST: &[Column] = columns! {
    "round_trip_micros_max" => tcp.round_trip_micros_max;
    "highest_rx_bytes_per_second" => highest_rx_bytes_per_second;
    "highest_tx_bytes_per_second" => highest_tx_bytes_per_second;
    "highest_packets_per_second" => highest_packets_per_second;
};

/// SQL pieces made of the lists.
pub(super) struct Pieces {
    /// `a, b, …`
    pub(super) names: String,
    /// `?, ?, …`, as many as names
    pub(super) marks: String,
    /// `sum(a) AS a, …, max(z) AS z`
    pub(super) aggregates: String,
    /// `a = a + excluded.a, …, z = max(z, excluded.z)`
    pub(super) additions: String,
}

const OUTSIDE: &str = "ledger_outside_bytes";

pub(super) static PIECES: LazyLock<Pieces> = LazyLock::new(|| {
    let summed = || SUMMED.iter().map(|column| column.name).chain([OUTSIDE]);
    let highest = || HIGHEST.iter().map(|column| column.name);
    let join = |parts: Vec<String>| parts.join(", ");
    Pieces {
        names: join(summed().chain(highest()).map(str::to_owned).collect()),
        marks: join(summed().chain(highest()).map(|_| "?".to_owned()).collect()),
        aggregates: join(
            (summed().map(|name| format!("sum(s.{name}) AS {name}")))
                .chain(highest().map(|name| format!("max(s.{name}) AS {name}")))
                .collect(),
        ),
        additions: join(
            (summed().map(|name| format!("{name} = {name} + excluded.{name}")))
                .chain(highest().map(|name| format!("{name} = max({name}, excluded.{name})")))
                .collect(),
        ),
    }
});

/// The totals alone, without the ranked rows.
pub(super) fn totals(window: &InterfaceWindow) -> InterfaceWindow {
    InterfaceWindow {
        interface: window.interface.clone(),
        in_totals: window.in_totals,
        captured: window.captured,
        directions: window.directions,
        kernel: window.kernel,
        ledger: window.ledger,
        network: window.network,
        transport: window.transport,
        tcp_flags: window.tcp_flags,
        malformed_packets: window.malformed_packets,
        malformed_messages: window.malformed_messages,
        truncated_packets: window.truncated_packets,
        dropped_packets: window.dropped_packets,
        evicted_flows: window.evicted_flows,
        highest_rx_bytes_per_second: window.highest_rx_bytes_per_second,
        highest_tx_bytes_per_second: window.highest_tx_bytes_per_second,
        highest_packets_per_second: window.highest_packets_per_second,
        tcp: window.tcp,
        ..InterfaceWindow::default()
    }
}

/// Adds the totals of one span to another's, without the ranked rows.
pub(super) fn add(sum: &mut InterfaceWindow, part: &InterfaceWindow) {
    let mut part = totals(part);
    for column in SUMMED {
        let value = *(column.field)(&mut part);
        let all = (column.field)(sum);
        *all = all.saturating_add(value);
    }
    for column in HIGHEST {
        let value = *(column.field)(&mut part);
        let all = (column.field)(sum);
        *all = (*all).max(value);
    }
    sum.ledger.outside_bytes = sum.ledger.outside_bytes.saturating_add(part.ledger.outside_bytes);
}

/// Values in the order of `Pieces::names`. SQLite's integers are signed: what does not fit is stored as the highest.
pub(super) fn values(window: &InterfaceWindow) -> Vec<i64> {
    let mut totals = totals(window);
    let outside = totals.ledger.outside_bytes;
    let mut values = Vec::with_capacity(SUMMED.len() + HIGHEST.len() + 1);
    values.extend(SUMMED.iter().map(|column| signed(*(column.field)(&mut totals))));
    values.push(outside);
    values.extend(HIGHEST.iter().map(|column| signed(*(column.field)(&mut totals))));
    values
}

/// The totals in a row that has the columns by their names.
pub(super) fn from_row(row: &SqliteRow) -> Result<InterfaceWindow, sqlx::Error> {
    let mut window = InterfaceWindow::default();
    for column in SUMMED.iter().chain(HIGHEST) {
        *(column.field)(&mut window) = unsigned(row.try_get(column.name)?);
    }
    window.ledger.outside_bytes = row.try_get(OUTSIDE)?;
    Ok(window)
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

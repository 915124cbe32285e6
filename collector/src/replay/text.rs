//! The summary for people.
use std::fmt::{self, Write as _};

use weir_shared::report::Count;

use super::summary::{Summary, Window};

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = self.first_time.as_deref().zip(self.last_time.as_deref());
        if let Some((first, last)) = when {
            writeln!(f, "from        {first}\nto          {last}  ({:.3} s)", self.duration_seconds)?;
        }
        writeln!(f, "link        {}", self.link_type)?;
        writeln!(f, "packets     {:<14} {} on the wire", self.count.packets, bytes(self.count.bytes))?;
        let odd = [
            ("with VLAN tag", self.vlan_packets),
            ("fragments", self.fragments.first + self.fragments.later),
            ("truncated", self.truncated),
            ("malformed", self.malformed),
            ("malformed messages", self.malformed_messages),
            ("flows evicted", self.flows_evicted),
        ];
        let odd: Vec<_> =
            odd.iter().filter(|(_, number)| *number > 0).map(|(what, n)| format!("{n} {what}")).collect();
        if !odd.is_empty() {
            writeln!(f, "of these    {}", odd.join(", "))?;
        }
        let flows = &self.flows;
        writeln!(
            f,
            "flows       {} TCP, {} UDP, {} ICMP, {} other",
            flows.tcp, flows.udp, flows.icmp, flows.other
        )?;
        let flags = &self.mix.tcp_flags;
        writeln!(
            f,
            "TCP flags   {} SYN, {} SYN-ACK, {} FIN, {} RST",
            flags.syn, flags.syn_ack, flags.fin, flags.rst
        )?;
        writeln!(f, "hosts       {}\n", self.hosts)?;
        self.mixes(f)?;
        self.lists(f)?;
        for window in self.windows.iter().flatten() {
            line(f, window)?;
        }
        let processing = &self.processing;
        writeln!(f, "read in {:.3} s, {:.0} packets/s", processing.seconds, processing.packets_per_second)
    }
}

impl Summary {
    fn mixes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (network, transport) = (&self.mix.network, &self.mix.transport);
        let rows = [
            ("ipv4", network.ipv4),
            ("ipv6", network.ipv6),
            ("arp", network.arp),
            ("other network", network.other),
            ("tcp", transport.tcp),
            ("udp", transport.udp),
            ("icmp", transport.icmp),
            ("icmpv6", transport.icmpv6),
            ("sctp", transport.sctp),
            ("other transport", transport.other),
        ];
        let mut applications: Vec<_> =
            self.mix.application.iter().map(|(name, count)| (*name, *count)).collect();
        applications.sort_by_key(|(_, count)| std::cmp::Reverse(count.bytes));
        writeln!(f, "{:<18}{:>12}{:>14}{:>8}", "protocol", "packets", "bytes", "share")?;
        for (name, count) in rows.into_iter().chain(applications).filter(|(_, count)| count.packets > 0) {
            let share = percent(count.bytes, self.count.bytes);
            writeln!(f, "{name:<18}{:>12}{:>14}{share:>7.1}%", count.packets, bytes(count.bytes))?;
        }
        Ok(())
    }

    fn lists(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, rows) in
            [("sources", &self.top.top_sources), ("destinations", &self.top.top_destinations)]
        {
            writeln!(f, "\ntop {title}")?;
            for row in rows {
                let name = self.names.iter().find(|name| name.address == row.address);
                let name = name.map(|name| name.name.as_str()).unwrap_or_default();
                writeln!(f, "  {:<40}{} {name}", row.address.to_string(), figures(row.count))?;
            }
        }
        writeln!(f, "\ntop flows")?;
        for row in &self.top.top_flows {
            let mut ends = String::new();
            write!(ends, "{} {} - {}", row.protocol, row.a, row.b)?;
            writeln!(f, "  {ends:<60}{} {}", figures(row.count), row.name)?;
        }
        writeln!(f)
    }
}

fn line(f: &mut fmt::Formatter<'_>, window: &Window) -> fmt::Result {
    writeln!(f, "{}  {:>6} s {}", window.start, window.seconds, figures(window.count))
}

fn figures(count: Count) -> String {
    format!("{:>12} packets{:>14}", count.packets, bytes(count.bytes))
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Decimal units.
#[expect(clippy::cast_precision_loss, reason = "four digits for people")]
fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            let digits = if unit == "B" { 0 } else { 2 };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.2} TB")
}

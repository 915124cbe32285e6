//! What the collector says of itself.
use shared::client::Collector;
use shared::health::{CaptureStatus, Status};
use shared::units::PacketCount;
use weir_shared as shared;

use super::bytes;
use crate::args::Arguments;
use crate::output::{Colour, Output};
use crate::table::{self, Align};

const COLUMNS: [(&str, Align); 8] = [
    ("INTERFACE", Align::Left),
    ("STATE", Align::Left),
    ("CAPTURED", Align::Right),
    ("PACKETS", Align::Right),
    ("DROPPED", Align::Right),
    ("KERNEL", Align::Right),
    ("LOST", Align::Right),
    ("WHY", Align::Left),
];

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    out: &mut Output,
) -> anyhow::Result<()> {
    let status = only(collector.status().await?, arguments.interface.as_deref());
    if arguments.json {
        out.json(shared::json::status_document(&status))?;
        return Ok(());
    }
    head(&status, out)?;
    let rows: Vec<_> = status.capture.iter().map(row).collect();
    table::print(out, &COLUMNS, &rows)?;
    out.line("")?;
    out.line(&ledger(&status))?;
    out.line(&with_reason("Attribution", &status.attribution.grade, &status.attribution.reason))?;
    for degraded in &status.degraded {
        let text = with_reason("Degraded", &degraded.part, &degraded.reason);
        out.line(&out.paint(Colour::Yellow, &text))?;
    }
    losses(&status, out)?;
    Ok(())
}

/// Of one interface its own ledger; losses and what is degraded are the collector's.
fn only(mut status: Status, interface: Option<&str>) -> Status {
    if let Some(name) = interface {
        status.capture.retain(|capture| capture.interface == name);
        if let Some(capture) = status.capture.first() {
            status.ledger = capture.ledger;
        }
    }
    status
}

fn head(status: &Status, out: &mut Output) -> std::io::Result<()> {
    let host = shared::text::escape(&status.host_name);
    out.line(&format!("Weir {} on {host}, up {}", status.version, uptime(status.uptime_seconds)))?;
    out.line(&format!(
        "Started {}, windows of {} s, journal {} at {}",
        out.date_time(status.started),
        status.window_seconds,
        status.journal_id,
        status.last_sequence
    ))?;
    out.line("")
}

fn row(capture: &CaptureStatus) -> Vec<String> {
    vec![
        capture.interface.clone(),
        shared::json::csv::word(&capture.state),
        bytes(capture.captured.bytes),
        PacketCount(capture.captured.packets).to_string(),
        capture.dropped_packets.to_string(),
        bytes(capture.ledger.kernel_bytes),
        bytes(capture.ledger.lost_bytes),
        capture.reason.clone(),
    ]
}

fn ledger(status: &Status) -> String {
    let ledger = &status.ledger;
    let sign = if ledger.outside_bytes < 0 { "-" } else { "+" };
    format!(
        "Ledger: kernel counted {} = attributed {} + unattributed {} + lost {} {sign} outside {}",
        bytes(ledger.kernel_bytes),
        bytes(ledger.attributed_bytes),
        bytes(ledger.unattributed_bytes),
        bytes(ledger.lost_bytes),
        bytes(ledger.outside_bytes.unsigned_abs())
    )
}

fn with_reason(title: &str, what: &str, reason: &str) -> String {
    let text =
        if reason.is_empty() { format!("{title}: {what}") } else { format!("{title}: {what} ({reason})") };
    shared::text::escape(&text).into_owned()
}

fn losses(status: &Status, out: &mut Output) -> std::io::Result<()> {
    let counted: Vec<_> = status.losses.iter().filter(|(_, count)| **count > 0).collect();
    if counted.is_empty() {
        return out.line("Losses: none");
    }
    for (name, count) in counted {
        let text = shared::text::escape(name).into_owned();
        out.line(&out.paint(Colour::Yellow, &format!("Losses: {text} {count}")))?;
    }
    Ok(())
}

/// `3 d 4 h`, `4 h 5 min`, `5 min 6 s` or `6 s`.
fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uptime_has_its_two_largest_units() {
        let table = [(6, "6 s"), (306, "5 min 6 s"), (14_700, "4 h 5 min"), (273_600, "3 d 4 h")];
        for (seconds, expected) in table {
            assert_eq!(uptime(seconds), expected);
        }
    }
}

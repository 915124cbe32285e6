//! Processes, and what stands for them where there is none, by bytes.
use shared::client::Collector;
use shared::json::OwnerItem;
use shared::process::Scope;
use shared::units::Units;
use weir_shared as shared;

use super::list::{self, Listing};
use super::{bytes, list_request, rate};
use crate::args::{Arguments, Processes};
use crate::output::Output;
use crate::table::Align;

const COLUMNS: [(&str, Align); 11] = [
    ("PID", Align::Right),
    ("NAME", Align::Left),
    ("USER", Align::Left),
    ("UNIT", Align::Left),
    ("RECEIVED", Align::Right),
    ("SENT", Align::Right),
    ("RX RATE", Align::Right),
    ("TX RATE", Align::Right),
    ("STATE", Align::Left),
    ("QUALITY", Align::Left),
    ("PROTOCOLS", Align::Left),
];

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    wanted: &Processes,
    out: &mut Output,
) -> anyhow::Result<()> {
    let format = wanted.list.format;
    arguments.style(format)?;
    let mut request = list_request(arguments, &wanted.list);
    if wanted.session {
        let running = collector.sessions(1).await?.first().is_some_and(|session| session.end.is_none());
        anyhow::ensure!(running, "no session is running; `weir session start` begins one");
        request.of = Scope::Session;
    }
    let answer = collector.processes(&request).await?;
    let document = shared::json::processes_document(answer.since, &answer.list);
    let title = if wanted.session { "Processes in the session" } else { "Processes" };
    let listing = Listing { title, columns: &COLUMNS, received: 4, cells };
    list::print(arguments, format, &document, &listing, out)
}

fn cells(process: &OwnerItem, units: Units) -> Vec<String> {
    let owner = &process.owner;
    let state = match (owner.pid, owner.alive, process.over_threshold) {
        (_, _, true) => "over threshold",
        (Some(_), false, _) => "ended",
        _ => "",
    };
    let unit = if owner.container.is_empty() { &owner.unit } else { &owner.container };
    let quality = match owner.reason.as_str() {
        "" => owner.quality.name().to_owned(),
        reason => format!("{}: {reason}", owner.quality.name()),
    };
    vec![
        owner.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        owner.name.clone(),
        owner.user.clone(),
        unit.clone(),
        bytes(process.traffic.rx_bytes),
        bytes(process.traffic.tx_bytes),
        rate(units, process.rate.rx_bits_per_second),
        rate(units, process.rate.tx_bits_per_second),
        state.to_owned(),
        quality,
        process.protocols.join(" "),
    ]
}

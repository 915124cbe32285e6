//! Remote hosts by bytes.
use shared::client::Collector;
use shared::json::{HostItem, HostsDocument};
use weir_shared as shared;

use super::{bytes, list_request, others_cell, rate};
use crate::args::{Arguments, List, Style};
use crate::output::Output;
use crate::table::{self, Align};

const COLUMNS: [(&str, Align); 8] = [
    ("ADDRESS", Align::Left),
    ("NAME", Align::Left),
    ("INTERFACE", Align::Left),
    ("RECEIVED", Align::Right),
    ("SENT", Align::Right),
    ("RX RATE", Align::Right),
    ("TX RATE", Align::Right),
    ("PROTOCOLS", Align::Left),
];

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    list: &List,
    out: &mut Output,
) -> anyhow::Result<()> {
    let style = arguments.style(list.format)?;
    let answer = collector.hosts(&list_request(arguments, list)).await?;
    let document = shared::json::hosts_document(answer.since, &answer.list);
    match style {
        Style::Json => out.json(&document)?,
        Style::Csv => out.csv(&document.hosts, Some(&document.others))?,
        Style::Table => print(arguments, &document, out)?,
    }
    Ok(())
}

fn print(arguments: &Arguments, document: &HostsDocument, out: &mut Output) -> std::io::Result<()> {
    let row = |host: &HostItem| {
        vec![
            host.address.to_string(),
            host.name.clone(),
            host.interface.clone(),
            bytes(host.traffic.rx_bytes),
            bytes(host.traffic.tx_bytes),
            rate(arguments.units, host.rate.rx_bits_per_second),
            rate(arguments.units, host.rate.tx_bits_per_second),
            host.protocols.join(" "),
        ]
    };
    let mut rows: Vec<_> = document.hosts.iter().map(row).collect();
    if let Some(others) = others_cell(&document.others) {
        let traffic = document.others.traffic;
        rows.push(vec![
            others,
            String::new(),
            String::new(),
            bytes(traffic.rx_bytes),
            bytes(traffic.tx_bytes),
        ]);
    }
    out.line(&format!("Remote hosts since {}", out.date_time(document.since)))?;
    table::print(out, &COLUMNS, &rows)
}

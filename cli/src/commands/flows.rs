//! Flows by bytes.
use shared::client::Collector;
use shared::json::{FlowItem, FlowsDocument};
use weir_shared as shared;

use super::{bytes, list_request, others_cell, rate};
use crate::args::{Arguments, List, Style};
use crate::output::Output;
use crate::table::{self, Align};

const COLUMNS: [(&str, Align); 11] = [
    ("PROTOCOL", Align::Left),
    ("INITIATOR", Align::Left),
    ("RESPONDER", Align::Left),
    ("NAME", Align::Left),
    ("DIRECTION", Align::Left),
    ("STATE", Align::Left),
    ("INTERFACE", Align::Left),
    ("RECEIVED", Align::Right),
    ("SENT", Align::Right),
    ("RX RATE", Align::Right),
    ("TX RATE", Align::Right),
];

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    list: &List,
    out: &mut Output,
) -> anyhow::Result<()> {
    let style = arguments.style(list.format)?;
    let answer = collector.flows(&list_request(arguments, list)).await?;
    let document = shared::json::flows_document(answer.since, &answer.list);
    match style {
        Style::Json => out.json(&document)?,
        Style::Csv => out.csv(&document.flows, Some(&document.others))?,
        Style::Table => print(arguments, &document, out)?,
    }
    Ok(())
}

fn print(arguments: &Arguments, document: &FlowsDocument, out: &mut Output) -> std::io::Result<()> {
    let row = |flow: &FlowItem| {
        let protocol = match flow.application.as_str() {
            "" | "other" => flow.protocol.to_string(),
            application => format!("{} {application}", flow.protocol),
        };
        vec![
            protocol,
            flow.initiator.to_string(),
            flow.responder.to_string(),
            flow.name.clone(),
            shared::json::csv::word(&flow.direction),
            flow.state.clone(),
            flow.interface.clone(),
            bytes(flow.traffic.rx_bytes),
            bytes(flow.traffic.tx_bytes),
            rate(arguments.units, flow.rate.rx_bits_per_second),
            rate(arguments.units, flow.rate.tx_bits_per_second),
        ]
    };
    let mut rows: Vec<_> = document.flows.iter().map(row).collect();
    if let Some(others) = others_cell(&document.others) {
        let traffic = document.others.traffic;
        let mut cells = vec![others];
        cells.resize(7, String::new());
        cells.extend([bytes(traffic.rx_bytes), bytes(traffic.tx_bytes)]);
        rows.push(cells);
    }
    out.line(&format!("Flows since {}", out.date_time(document.since)))?;
    table::print(out, &COLUMNS, &rows)
}

//! Flows by bytes.
use shared::client::Collector;
use shared::json::FlowItem;
use shared::units::Units;
use weir_shared as shared;

use super::list::{self, Listing};
use super::{bytes, list_request, rate};
use crate::args::{Arguments, List};
use crate::output::Output;
use crate::table::Align;

const COLUMNS: [(&str, Align); 12] = [
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
    ("OWNER", Align::Left),
];

const LISTING: Listing<FlowItem> = Listing { title: "Flows", columns: &COLUMNS, received: 7, cells };

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    list: &List,
    out: &mut Output,
) -> anyhow::Result<()> {
    arguments.style(list.format)?;
    let answer = collector.flows(&list_request(arguments, list)).await?;
    let document = shared::json::flows_document(answer.since, &answer.list);
    list::print(arguments, list.format, &document, &LISTING, out)
}

fn cells(flow: &FlowItem, units: Units) -> Vec<String> {
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
        rate(units, flow.rate.rx_bits_per_second),
        rate(units, flow.rate.tx_bits_per_second),
        list::owners(flow.initiator_owner.as_ref(), flow.responder_owner.as_ref()),
    ]
}

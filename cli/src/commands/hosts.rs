//! Remote hosts by bytes.
use shared::client::Collector;
use shared::json::HostItem;
use shared::units::Units;
use weir_shared as shared;

use super::list::{self, Listing};
use super::{bytes, list_request, rate};
use crate::args::{Arguments, List};
use crate::output::Output;
use crate::table::Align;

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

const LISTING: Listing<HostItem> = Listing { title: "Remote hosts", columns: &COLUMNS, received: 3, cells };

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    list: &List,
    out: &mut Output,
) -> anyhow::Result<()> {
    arguments.style(list.format)?;
    let answer = collector.hosts(&list_request(arguments, list)).await?;
    let document = shared::json::hosts_document(answer.since, &answer.list);
    list::print(arguments, list.format, &document, &LISTING, out)
}

fn cells(host: &HostItem, units: Units) -> Vec<String> {
    vec![
        host.address.to_string(),
        host.name.clone(),
        host.interface.clone(),
        bytes(host.traffic.rx_bytes),
        bytes(host.traffic.tx_bytes),
        rate(units, host.rate.rx_bits_per_second),
        rate(units, host.rate.tx_bits_per_second),
        host.protocols.join(" "),
    ]
}

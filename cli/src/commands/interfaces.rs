//! Interfaces as detected, which are captured, and why.
use shared::client::Collector;
use weir_shared as shared;

use crate::args::{Arguments, Format, Style};
use crate::output::Output;
use crate::table::{self, Align};

const COLUMNS: [(&str, Align); 7] = [
    ("INTERFACE", Align::Left),
    ("KIND", Align::Left),
    ("STATE", Align::Left),
    ("CAPTURED", Align::Left),
    ("IN TOTALS", Align::Left),
    ("ADDRESSES", Align::Left),
    ("WHY", Align::Left),
];

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    format: Format,
    out: &mut Output,
) -> anyhow::Result<()> {
    let style = arguments.style(format)?;
    let mut interfaces = collector.interfaces().await?;
    if let Some(only) = &arguments.interface {
        interfaces.retain(|info| info.name == *only);
    }
    match style {
        Style::Json => out.json(&shared::json::interfaces_document(&interfaces))?,
        Style::Csv => out.csv(&interfaces, None)?,
        Style::Table => {
            let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
            let row = |info: &shared::health::InterfaceInfo| {
                let name = if info.primary { format!("{} (primary)", info.name) } else { info.name.clone() };
                let state = if info.up { "up" } else { "down" }.to_owned();
                let addresses = info.addresses.join(" ");
                vec![
                    name,
                    info.kind.clone(),
                    state,
                    yes(info.captured),
                    yes(info.in_totals),
                    addresses,
                    info.reason.clone(),
                ]
            };
            table::print(out, &COLUMNS, &interfaces.iter().map(row).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

//! What the lists by bytes have in common: the styles they are printed in, and the row of what they do not name.
use serde::Serialize;
use shared::json::OthersItem;
use shared::json::csv::Columns;
use shared::process::OwnerReference;
use shared::units::Units;
use weir_shared as shared;

use super::{bytes, others_cell};
use crate::args::{Arguments, Format, Style};
use crate::output::Output;
use crate::table::{self, Align};

/// A list as a table.
pub(super) struct Listing<'a, T> {
    pub title: String,
    pub columns: &'static [(&'static str, Align)],
    /// The column of received bytes; that of sent bytes follows.
    pub received: usize,
    pub rows: &'a [T],
    pub others: &'a OthersItem,
    pub cells: fn(&T, Units) -> Vec<String>,
}

/// Prints `document` whole as JSON, else its rows as CSV or as a table.
pub(super) fn print<T: Columns>(
    arguments: &Arguments,
    format: Format,
    document: &impl Serialize,
    listing: &Listing<'_, T>,
    out: &mut Output,
) -> anyhow::Result<()> {
    match arguments.style(format)? {
        Style::Json => out.json(document)?,
        Style::Csv => out.csv(listing.rows, Some(listing.others))?,
        Style::Table => {
            let mut rows: Vec<_> =
                listing.rows.iter().map(|row| (listing.cells)(row, arguments.units)).collect();
            rows.extend(others_row(listing));
            out.line(&listing.title)?;
            table::print(out, listing.columns, &rows)?;
        }
    }
    Ok(())
}

fn others_row<T>(listing: &Listing<'_, T>) -> Option<Vec<String>> {
    let mut cells = vec![others_cell(listing.others)?];
    cells.resize(listing.received, String::new());
    let traffic = listing.others.traffic;
    cells.extend([bytes(traffic.rx_bytes), bytes(traffic.tx_bytes)]);
    Some(cells)
}

/// `curl 1234`, the name alone where there is no process; of a flow between two of this machine `curl 1234 > nginx 99`.
pub(super) fn owners(initiator: Option<&OwnerReference>, responder: Option<&OwnerReference>) -> String {
    match (initiator, responder) {
        (Some(initiator), Some(responder)) => format!("{} > {}", owner(initiator), owner(responder)),
        (Some(only), None) | (None, Some(only)) => owner(only),
        (None, None) => String::new(),
    }
}

pub(super) fn owner(owner: &OwnerReference) -> String {
    owner.pid.map_or_else(|| owner.name.clone(), |pid| format!("{} {pid}", owner.name))
}

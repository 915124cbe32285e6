//! What the lists by bytes have in common: the styles they are printed in, and the row of what they do not name.
use jiff::Timestamp;
use serde::Serialize;
use shared::json::csv::Columns;
use shared::json::{
    FlowItem, FlowsDocument, HostItem, HostsDocument, OthersItem, OwnerItem, ProcessesDocument,
};
use shared::process::OwnerReference;
use shared::units::Units;
use weir_shared as shared;

use super::{bytes, others_cell};
use crate::args::{Arguments, Format, Style};
use crate::output::Output;
use crate::table::{self, Align};

/// A list as a table.
pub(super) struct Listing<T> {
    pub title: &'static str,
    pub columns: &'static [(&'static str, Align)],
    /// The column of received bytes; that of sent bytes follows.
    pub received: usize,
    pub cells: fn(&T, Units) -> Vec<String>,
}

/// What `--json` prints, and a table's rows.
pub(super) trait Document: Serialize {
    type Row: Columns;

    fn since(&self) -> Timestamp;
    fn rows(&self) -> &[Self::Row];
    fn others(&self) -> &OthersItem;
}

macro_rules! document {
    ($document:ty, $rows:ident: $row:ty) => {
        impl Document for $document {
            type Row = $row;

            fn since(&self) -> Timestamp {
                self.since
            }

            fn rows(&self) -> &[$row] {
                &self.$rows
            }

            fn others(&self) -> &OthersItem {
                &self.others
            }
        }
    };
}

document!(HostsDocument, hosts: HostItem);
document!(FlowsDocument, flows: FlowItem);
document!(ProcessesDocument, processes: OwnerItem);

/// Prints the document whole as JSON, else its rows as CSV or as a table.
pub(super) fn print<D: Document>(
    arguments: &Arguments,
    format: Format,
    document: &D,
    listing: &Listing<D::Row>,
    out: &mut Output,
) -> anyhow::Result<()> {
    match arguments.style(format)? {
        Style::Json => out.json(document)?,
        Style::Csv => out.csv(document.rows(), Some(document.others()))?,
        Style::Table => {
            let mut rows: Vec<_> =
                document.rows().iter().map(|row| (listing.cells)(row, arguments.units)).collect();
            rows.extend(others_row(document.others(), listing.received));
            out.line(&format!("{} since {}", listing.title, out.date_time(document.since())))?;
            table::print(out, listing.columns, &rows)?;
        }
    }
    Ok(())
}

fn others_row(others: &OthersItem, received: usize) -> Option<Vec<String>> {
    let mut cells = vec![others_cell(others)?];
    cells.resize(received, String::new());
    cells.extend([bytes(others.traffic.rx_bytes), bytes(others.traffic.tx_bytes)]);
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

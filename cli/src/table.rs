//! Aligned tables of text, without frames, so that they can be cut and searched.
use std::io;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use weir_shared::text::escape;

use crate::output::{Colour, Output};

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Prints a header and rows; every cell is made safe for a terminal.
pub(crate) fn print(out: &mut Output, columns: &[(&str, Align)], rows: &[Vec<String>]) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(name, align)| cell(name, *align)));
    for row in rows {
        table.add_row(row.iter().zip(columns).map(|(text, (_, align))| cell(&escape(text), *align)));
    }
    for (index, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let line = line.strip_prefix(' ').unwrap_or(line);
        let line = if index == 0 { out.paint(Colour::Bold, line) } else { line.to_owned() };
        out.line(&line)?;
    }
    Ok(())
}

fn cell(text: &str, align: Align) -> Cell {
    Cell::new(text).set_alignment(match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    })
}

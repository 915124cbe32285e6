//! `weir-collector interfaces`: what detection sees, what would be captured, and why.
use std::fmt::Write as _;

use shared::health::InterfaceInfo;
use weir_shared as shared;

use super::{InterfaceError, Selection, interface_infos, list};

/// The machine's interfaces and what the selection makes of them.
///
/// # Errors
/// Neither netlink nor sysfs answered.
pub fn describe(selection: &Selection) -> Result<Vec<InterfaceInfo>, InterfaceError> {
    let (links, degraded) = list()?;
    if let Some(degraded) = degraded {
        tracing::warn!(
            part = degraded.part,
            reason = degraded.reason,
            "interfaces are detected with less than asked"
        );
    }
    Ok(interface_infos(&links, &selection.choose(&links)))
}

/// The text that `weir-collector interfaces` prints: a table, or with `json` one object `{"interfaces": […]}`.
///
/// # Errors
/// Neither netlink nor sysfs answered.
pub fn command(selection: &Selection, json: bool) -> Result<String, InterfaceError> {
    let interfaces = describe(selection)?;
    if json {
        return Ok(serde_json::json!({ "interfaces": interfaces }).to_string());
    }
    Ok(table(&interfaces))
}

fn table(interfaces: &[InterfaceInfo]) -> String {
    let headings = ["INTERFACE", "KIND", "STATE", "CAPTURED", "TOTALS", "ADDRESSES"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(headings).chain(interfaces.iter().map(row)).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths.iter().chain([&0])) {
            // writing to a string cannot fail
            write!(line, "{cell:width$}  ").unwrap_or_default();
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(interface) = number.checked_sub(1).and_then(|number| interfaces.get(number)) {
            writeln!(text, "    {}", interface.reason).unwrap_or_default();
        }
    }
    text
}

fn row(interface: &InterfaceInfo) -> [String; 6] {
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let below = if interface.parent.is_empty() { String::new() } else { format!("@{}", interface.parent) };
    let state = match (interface.index, interface.up) {
        (0, _) => "gone",
        (_, true) => "up",
        (_, false) => "down",
    };
    let primary = if interface.primary { " (primary)" } else { "" };
    [
        format!("{}{below}{primary}", interface.name),
        interface.kind.clone(),
        state.to_owned(),
        yes_no(interface.captured),
        yes_no(interface.in_totals),
        interface.addresses.join(" "),
    ]
}

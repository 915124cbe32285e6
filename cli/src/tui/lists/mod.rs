//! The tabs' lists as tables of text with an order, made from the state anew for every picture.
mod alerts;
mod flows;
mod hosts;
mod interfaces;
mod packets;
mod processes;

use std::cmp::{Ordering, Reverse};

use shared::process::OwnerReference;
use shared::report::{Others, RxTx};
use shared::units::{ByteCount, Units};
use weir_shared as shared;

pub(super) use flows::protocol as flow_protocol;
pub(super) use packets::{end as packet_end, protocol as packet_protocol};

use super::state::{Level, State, Tab};
use crate::output::others_name;

#[derive(Debug, Default)]
pub(super) struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// What the rows do not name; always last, never chosen.
    pub others: Option<Row>,
    /// What the list is, and since when it counts.
    pub caption: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// A line above the name, where there is room: the unit, since when.
    pub over: &'static str,
    pub name: &'static str,
    pub least: u16,
    pub most: u16,
    /// Columns with a low figure go first where the screen is narrow.
    pub keep: u8,
    pub right: bool,
}

impl Column {
    const fn text(name: &'static str, least: u16, most: u16, keep: u8) -> Self {
        Self { over: "", name, least, most, keep, right: false }
    }

    const fn number(over: &'static str, name: &'static str, width: u16, keep: u8) -> Self {
        Self { over, name, least: width, most: width, keep, right: true }
    }
}

/// What a row says beyond its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    None,
    /// Over the threshold, critical, gone: red, and a sign.
    Alarm,
    Warning,
    /// Ended, or many in one.
    Faint,
}

impl Mark {
    pub(super) const fn of(level: Level) -> Self {
        match level {
            Level::Critical => Self::Alarm,
            Level::Warning => Self::Warning,
            Level::Event | Level::Info => Self::None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub key: String,
    pub cells: Vec<Cell>,
    pub mark: Mark,
    /// The list's own order, greatest first.
    weight: (u64, u64),
    /// Looked through by the filter, beside the cells.
    more: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub text: String,
    /// Of a number; text is ordered by itself.
    number: Option<u64>,
}

impl Cell {
    fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: None }
    }

    fn number(number: u64, text: impl Into<String>) -> Self {
        Self { text: text.into(), number: Some(number) }
    }

    fn bytes(bytes: u64) -> Self {
        Self::number(bytes, ByteCount(bytes).to_string())
    }

    fn rate(bytes_per_second: u64, units: Units) -> Self {
        let text = if bytes_per_second == 0 { "0".to_owned() } else { short_rate(bytes_per_second, units) };
        Self::number(bytes_per_second, text)
    }

    const fn empty() -> Self {
        Self { text: String::new(), number: Some(0) }
    }
}

/// A rate without its unit, which the column's head has: `12.3 M`.
pub(super) fn short_rate(bytes_per_second: u64, units: Units) -> String {
    let text = units.rate(bytes_per_second);
    text.trim_end_matches(unit(units)).trim_end().to_owned()
}

pub(super) const fn unit(units: Units) -> &'static str {
    match units {
        Units::Bits => "bit/s",
        Units::Bytes => "B/s",
    }
}

/// The tab's list, filtered and in the order that was asked for.
pub(super) fn table(state: &State) -> Table {
    let mut table = match state.tab {
        Tab::Processes => processes::table(state),
        Tab::Hosts => hosts::table(state),
        Tab::Flows => flows::table(state),
        Tab::Interfaces => interfaces::table(state),
        Tab::Packets => packets::table(state),
        Tab::Alerts => alerts::table(state),
    };
    let look = state.look();
    // packets are filtered where they are captured
    if state.tab != Tab::Packets && state.found().is_none() {
        let wanted = look.filter.to_lowercase();
        table.rows.retain(|row| row.contains(&wanted));
    }
    table.rows.sort_by(|a, b| order(a, b, look.sort));
    table
}

impl Row {
    fn contains(&self, wanted: &str) -> bool {
        let texts = self.cells.iter().map(|cell| &cell.text).chain([&self.more]);
        wanted.is_empty() || texts.into_iter().any(|text| text.to_lowercase().contains(wanted))
    }

    /// The row of what a list does not name, in a table whose rates begin at column `rates`.
    fn others(others: &Others, before: usize, after: Vec<Cell>) -> Option<Self> {
        if others.traffic == RxTx::default() && others.rows == 0 {
            return None;
        }
        let mut cells = vec![Cell::empty(); before];
        cells.push(Cell::text(others_name(others.rows)));
        cells.extend(after);
        Some(Self { key: "others".to_owned(), cells, mark: Mark::Faint, weight: (0, 0), more: String::new() })
    }
}

fn order(a: &Row, b: &Row, sort: Option<usize>) -> Ordering {
    let by_weight = || Reverse(a.weight).cmp(&Reverse(b.weight)).then_with(|| a.key.cmp(&b.key));
    let Some((a, b)) = sort.and_then(|column| Some((a.cells.get(column)?, b.cells.get(column)?))) else {
        return by_weight();
    };
    let by_cell = match (a.number, b.number) {
        (Some(a), Some(b)) => Reverse(a).cmp(&Reverse(b)),
        _ => a
            .text
            .is_empty()
            .cmp(&b.text.is_empty())
            .then_with(|| a.text.to_lowercase().cmp(&b.text.to_lowercase())),
    };
    by_cell.then_with(by_weight)
}

/// What moves most now, then what moved most.
fn weight(per_second: RxTx, traffic: RxTx) -> (u64, u64) {
    (per_second.sum().bytes, traffic.sum().bytes)
}

/// `curl 1234`, the name alone where there is no process.
pub(super) fn owner(owner: &OwnerReference) -> String {
    owner.pid.map_or_else(|| owner.name.clone(), |pid| format!("{} {pid}", owner.name))
}

/// Whoever of a flow's two ends is on this machine.
pub(super) fn owners(initiator: Option<&OwnerReference>, responder: Option<&OwnerReference>) -> String {
    let names: Vec<String> = initiator.into_iter().chain(responder).map(owner).collect();
    names.join(" > ")
}

pub(super) fn clock(state: &State, time: jiff::Timestamp) -> String {
    time.to_zoned(state.zone.clone()).strftime("%H:%M:%S").to_string()
}

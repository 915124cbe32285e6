//! Standard output: lines, JSON and CSV, coloured only where a person reads and wants it.
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use shared::json::OthersItem;
use shared::json::csv::{self, Columns};
use weir_shared as shared;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Colour {
    /// ECMA-48 select graphic rendition.
    const fn code(self) -> u8 {
        match self {
            Self::Bold => 1,
            Self::Dim => 2,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Blue => 34,
            Self::Magenta => 35,
            Self::Cyan => 36,
        }
    }
}

/// What a list calls the rows that it does not name; 0: how many they are is not known.
pub(crate) fn others_name(rows: u64) -> String {
    match rows {
        0 => "others".to_owned(),
        1 => "1 other".to_owned(),
        rows => format!("{rows} others"),
    }
}

#[derive(Debug)]
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    coloured: bool,
    zone: TimeZone,
}

impl Output {
    /// <https://no-color.org>: any value of NO_COLOR but an empty one.
    pub(crate) fn standard() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let coloured = !refused && io::stdout().is_terminal();
        Self { out: BufWriter::new(io::stdout()), coloured, zone: TimeZone::system() }
    }

    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", text.trim_end())
    }

    /// One document on a line of its own.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, document)?;
        writeln!(self.out)
    }

    pub(crate) fn csv<T: Columns>(&mut self, rows: &[T], others: Option<&OthersItem>) -> io::Result<()> {
        Ok(csv::write(&mut self.out, rows, others)?)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if self.coloured { format!("\x1b[{}m{text}\x1b[0m", colour.code()) } else { text.to_owned() }
    }

    /// `2026-01-31 12:34:56`, in this machine's time zone.
    pub(crate) fn date_time(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `12:34:56`.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// `12:34:56.123456`.
    pub(crate) fn precise_time(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.6f").to_string()
    }
}

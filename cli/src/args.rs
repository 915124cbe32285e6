//! Arguments, as types only.
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use shared::units::{BinaryBytesPerSecond, Units};
use weir_shared as shared;

/// Shows what the Weir collector on this machine sees.
#[derive(Debug, Parser)]
#[command(name = "weir", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The collector's socket [default: $WEIR_SOCKET, else /run/weir/collector.sock]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Ask a web service instead (not in this version)
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// File with the web service's token (not in this version)
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Only this interface
    #[arg(long, global = true, value_name = "NAME")]
    pub interface: Option<String>,
    /// Rates in bits or bytes a second
    #[arg(long, global = true, value_name = "bits|bytes", default_value = "bits")]
    pub units: Units,
    /// JSON on standard output and nothing else: one document, or one a line for streams
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who uses the network now, live on the terminal; H shows the keys
    Top(Top),
    /// Captures, the ledger of bytes, losses, and what does not work and why
    Status,
    /// Interfaces, which are captured, and why
    Interfaces(Format),
    /// Processes by bytes, the ended included, since the collector started
    Processes(Processes),
    /// Remote hosts by bytes, since the collector started
    Hosts(List),
    /// Flows by bytes, since the collector started
    Flows(List),
    /// Packets as they pass, until Ctrl+C, and then their statistics
    Packets(Packets),
    /// Alerts that the collector still holds, newest first
    Alerts(Alerts),
    /// A line a second with the rates of every interface, until Ctrl+C
    Watch,
    /// Named spans of monitoring with totals of their own
    #[command(subcommand)]
    Session(SessionAction),
    /// The bandwidth, in either direction, over which a process raises an alert: prints it, or sets it
    Threshold {
        /// Such as "512 KiB/s", "2 MiB/s", "10 Mbit/s", or off
        #[arg(value_name = "RATE|off")]
        value: Option<BinaryBytesPerSecond>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionAction {
    /// Begins a session; one runs at a time
    Start {
        /// 1 to 64 printable characters; without it the session is named by its start
        #[arg(default_value = "", hide_default_value = true)]
        name: String,
    },
    /// Ends the running session, never the capture
    Stop,
    /// Ends the running session and begins another of its name; history stays
    Reset,
    /// The running session, then those that ended, newest first
    List {
        /// Most rows
        #[arg(long, value_name = "ROWS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Processes {
    /// Only what was moved since the running session began
    #[arg(long)]
    pub session: bool,
    #[command(flatten)]
    pub list: List,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Top {
    /// Seconds between pictures, 0.2 to 60; rates are the mean of a step
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    pub interval: Interval,
}

/// How long a step of the live picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval(pub Duration);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.trim().trim_end_matches('s').trim_end().parse::<f64>().ok();
        let allowed = seconds.filter(|seconds| (0.2..=60.0).contains(seconds));
        let interval = allowed.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        interval.map(Self).ok_or_else(|| format!("`{text}` is not allowed: 0.2 to 60 seconds"))
    }
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Format {
    /// How the list is printed
    #[arg(long, value_name = "table|json|csv")]
    pub format: Option<Style>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Style {
    Table,
    Json,
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Most rows; the rest is in the row of others
    #[arg(long, value_name = "ROWS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub limit: u32,
    /// Only rows with this part of an address or name
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub search: String,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Alerts {
    /// Most rows
    #[arg(long, value_name = "ROWS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Packets {
    /// Only packets that match, in libpcap's filter language (pcap-filter(7)); names of hosts are not looked up
    #[arg(long, value_name = "BPF", default_value = "")]
    pub filter: String,
    /// Also write the packets' headers to this file
    #[arg(long, value_name = "F.pcap")]
    pub write: Option<PathBuf>,
    /// Stop after so many lines
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Most lines a second; more are counted and not shown
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(1..))]
    pub most_per_second: Option<u32>,
}

/// The arguments are each valid and do not fit together, or name what this version has not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("{0} is not in this version: it asks the collector on this machine, by --socket")]
    NotInThisVersion(&'static str),
    #[error("`weir top` draws on a terminal; `weir watch --json` prints the live view")]
    NoJson,
    #[error(
        "`weir top` draws on a terminal, and input or output is none; `weir processes` and `weir watch` print lines"
    )]
    NoTerminal,
    #[error("interface `{name}` is not captured; captured: {captured}")]
    NotCaptured { name: String, captured: String },
    #[error("there is no interface `{name}`; there are: {known}")]
    NoSuchInterface { name: String, known: String },
    #[error("--interface does not go with `weir {0}`, which is about all interfaces")]
    NoInterface(&'static str),
    #[error("--json and --format {0} contradict each other")]
    TwoFormats(&'static str),
}

impl UsageError {
    pub(crate) fn not_captured(name: &str, captured: &[impl AsRef<str>]) -> Self {
        let captured: Vec<&str> = captured.iter().map(AsRef::as_ref).collect();
        let captured = if captured.is_empty() { "none".to_owned() } else { captured.join(", ") };
        Self::NotCaptured { name: name.to_owned(), captured }
    }
}

impl Arguments {
    /// Flag, else environment, else the usual place.
    pub(crate) fn socket(&self) -> PathBuf {
        let variable = || std::env::var_os("WEIR_SOCKET").filter(|value| !value.is_empty());
        self.socket
            .clone()
            .or_else(|| variable().map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(shared::socket::COLLECTOR))
    }

    pub(crate) fn check(&self) -> Result<(), UsageError> {
        if self.url.is_some() {
            return Err(UsageError::NotInThisVersion("--url"));
        }
        if self.token_file.is_some() {
            return Err(UsageError::NotInThisVersion("--token-file"));
        }
        Ok(())
    }

    pub(crate) fn style(&self, format: Format) -> Result<Style, UsageError> {
        match (self.json, format.format) {
            (true, Some(Style::Table)) => Err(UsageError::TwoFormats("table")),
            (true, Some(Style::Csv)) => Err(UsageError::TwoFormats("csv")),
            (true, _) => Ok(Style::Json),
            (false, format) => Ok(format.unwrap_or(Style::Table)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_flag_may_stand_after_the_command() {
        let arguments =
            Arguments::parse_from(["weir", "hosts", "--units", "bytes", "--socket", "/x", "--json"]);
        assert_eq!(arguments.units, Units::Bytes);
        assert_eq!(arguments.socket(), PathBuf::from("/x"));
        assert_eq!(arguments.style(Format { format: None }).unwrap(), Style::Json);
        arguments.style(Format { format: Some(Style::Csv) }).unwrap_err();
    }
}

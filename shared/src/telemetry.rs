//! Log lines on standard error, where systemd or a terminal takes them.
use std::io::{self, Write};
use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::text;

/// How much is logged. In any case; `warning` is warn and `critical` is error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(Level);

impl Default for LogLevel {
    fn default() -> Self {
        Self(Level::INFO)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log level `{0}`; allowed: trace, debug, info, warn, error")]
pub struct UnknownLevel(String);

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Ok(Self(match text.to_ascii_lowercase().as_str() {
            "trace" => Level::TRACE,
            "debug" => Level::DEBUG,
            "info" => Level::INFO,
            "warn" | "warning" => Level::WARN,
            "error" | "critical" => Level::ERROR,
            _ => return Err(UnknownLevel(text.to_owned())),
        }))
    }
}

/// Logs from here on: Weir's own lines at `level`, those of libraries from warnings on.
///
/// # Errors
/// Logging was started before.
pub fn start(level: LogLevel) -> Result<(), TryInitError> {
    let libraries = LevelFilter::WARN.min(LevelFilter::from_level(level.0));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(|| OneLine(io::stderr()));
    let filter = Targets::new().with_default(libraries).with_target("weir", level.0);
    tracing_subscriber::registry().with(lines).with(filter).try_init()
}

/// Escapes control characters, so that what came from the network cannot forge a line or drive a terminal. A formatted
/// event arrives whole, in one write, with its line break last.
#[derive(Debug)]
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let safe = text::escape_bytes(line.strip_suffix(b"\n").unwrap_or(line));
        self.0.write_all(format!("{safe}\n").as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_in_any_case_and_by_their_other_names() {
        assert_eq!("WARNING".parse(), Ok(LogLevel(Level::WARN)));
        assert_eq!("Critical".parse(), Ok(LogLevel(Level::ERROR)));
        assert_eq!("trace".parse(), Ok(LogLevel(Level::TRACE)));
        assert!("loud".parse::<LogLevel>().unwrap_err().to_string().contains("allowed: trace"));
    }

    #[test]
    fn a_name_from_the_network_cannot_forge_a_log_line() {
        let mut out = Vec::new();
        let event = b"host evil\n2026-01-01 ERROR forged\x1b[2J seen\n";
        OneLine(&mut out).write_all(event).unwrap();
        assert_eq!(out, b"host evil\\x0a2026-01-01 ERROR forged\\x1b[2J seen\n");
    }
}

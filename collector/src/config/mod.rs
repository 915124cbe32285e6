//! The collector's configuration, checked: past this nothing is validated again. Defaults, then collector.toml, then
//! `WEIR_COLLECTOR__SECTION__KEY` in the environment, then flags.
use std::path::{Path, PathBuf};

use shared::config::{ConfigError, Loaded, Origins, Sources};
use shared::error::ErrorChain;
use weir_shared as shared;

use crate::attribution::Mode;
use crate::interface::Selection;
use crate::journal::Limits;
use crate::worker::filter::{self, FilterError, Program};

mod check;
mod directory;
mod file;

/// Read where no file is named and this one is there.
pub const DEFAULT_FILE: &str = "/etc/weir/collector.toml";
pub const ENVIRONMENT_PREFIX: &str = "WEIR_COLLECTOR";

/// What flags say; they win over file and environment.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--interface`, as often as given; empty: as configured.
    pub interfaces: Vec<String>,
    pub state: Option<PathBuf>,
    pub socket: Option<PathBuf>,
    pub control_socket: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub capture: Capture,
    pub socket: Socket,
    pub state: State,
    pub process: Process,
    pub detect: Detect,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// What the operator should know of how it was understood; to be logged.
    pub notes: Vec<String>,
    /// Where each value was set, for checks that only the running collector can do.
    pub origins: Origins,
}

/// What the detectors go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detect {
    /// Bytes a second of one process in one direction, until somebody sets another; 0: off.
    pub process_bandwidth: u64,
}

/// How much of a packet is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapLength {
    /// 128 bytes, and up to 2,048 of a packet that can carry a host's name.
    Auto,
    Bytes(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    pub interfaces: Selection,
    /// In libpcap's language, not compiled yet; empty: everything.
    pub filter: String,
    pub snap_length: SnapLength,
    /// Of the primary interface's ring; others get a quarter of it.
    pub buffer_mib: u32,
    pub promiscuous: bool,
    /// 1 to 60.
    pub window_seconds: u32,
    /// Kept per ranked list and window.
    pub window_rows: usize,
    pub hour_rows: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    pub path: PathBuf,
    pub control_path: PathBuf,
    pub group: String,
    /// A group that was asked for must exist; the default one may be missing.
    pub group_configured: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub directory: PathBuf,
    pub journal: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// How owners of sockets are to be found.
    pub attribution: Mode,
    pub pin_directory: PathBuf,
}

impl Config {
    /// Reads and checks everything; without a file the built-in defaults. Call it again to reload: on an error the
    /// configuration in use stays.
    ///
    /// # Errors
    /// Each names where (file and line, variable or flag), key, value and what is allowed. Exit code 2.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let default = Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists());
        Self::from_sources(file.or(default), shared::config::environment(), overrides)
    }

    fn from_sources(
        file: Option<&Path>,
        environment: std::collections::BTreeMap<String, String>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let loaded: Loaded<file::File> = shared::config::load(&Sources {
            defaults: file::DEFAULTS,
            file,
            prefix: ENVIRONMENT_PREFIX,
            lists: &file::LISTS,
            environment: environment.clone(),
        })?;
        let mut config = check::checked(loaded, overrides)?;
        config.file = file.map(Path::to_owned);
        directory::settle(&mut config, overrides, &environment);
        Ok(config)
    }

    /// Compiles `[capture] filter` for frames of `link_type` (<https://www.tcpdump.org/linktypes.html>); None where
    /// everything is captured.
    ///
    /// # Errors
    /// The filter is not one; names where it was set and why it was refused.
    pub fn filter(&self, link_type: i32) -> Result<Option<Program>, ConfigError> {
        if self.capture.filter.is_empty() {
            return Ok(None);
        }
        filter::check(&self.capture.filter, link_type).map(Some).map_err(|error| self.refuse_filter(&error))
    }

    /// What to tell whoever set a filter that does not compile.
    pub fn refuse_filter(&self, error: &FilterError) -> ConfigError {
        let allowed = format!(
            "an expression of pcap-filter(7) with numbers instead of host names, but: {}",
            ErrorChain(error)
        );
        self.origins.refuse("capture.filter", format!("{:?}", self.capture.filter), allowed)
    }

    /// Keys whose change takes a restart; all others a reload can take up.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let changed = [
            ("capture.window_seconds", self.capture.window_seconds != new.capture.window_seconds),
            ("capture.window_rows", self.capture.window_rows != new.capture.window_rows),
            ("capture.hour_rows", self.capture.hour_rows != new.capture.hour_rows),
            ("socket.path", self.socket.path != new.socket.path),
            ("socket.control_path", self.socket.control_path != new.socket.control_path),
            ("socket.group", self.socket.group != new.socket.group),
            ("state.directory", self.state.directory != new.state.directory),
            ("process.attribution", self.process.attribution != new.process.attribution),
            ("process.pin_directory", self.process.pin_directory != new.process.pin_directory),
        ];
        changed.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
    }
}

/// `weir-collector check`: what was read and how it is understood, in a few lines.
///
/// # Errors
/// As [`Config::load`].
pub fn check(file: Option<&Path>, overrides: &Overrides) -> Result<String, ConfigError> {
    let config = Config::load(file, overrides)?;
    let read = config.file.as_ref().map_or_else(
        || format!("no configuration file ({DEFAULT_FILE} does not exist): the built-in defaults"),
        |path| path.display().to_string(),
    );
    let mut text = format!("{read}: nothing wrong\n");
    for note in &config.notes {
        text.push_str(note);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests;

//! The collector's arguments, and its commands that only say something and end.
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use shared::error::{ErrorChain, complain, exit};
use shared::telemetry::LogLevel;
use weir_shared as shared;

use crate::attribution::ebpf;
use crate::config::{self, Config, Overrides};
use crate::worker::filter::ETHERNET;
use crate::{daemon, interface, replay};

/// Captures this machine's traffic and says who uses it.
#[derive(Debug, Parser)]
#[command(name = "weir-collector", version)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command. A flag wins over the environment, that over the file.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Configuration file; without one the built-in defaults run
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Interface to capture: auto, primary, all, a name, a glob or !glob; may be given several times
    #[arg(long = "interface", value_name = "NAME", global = true)]
    pub interfaces: Vec<String>,
    /// Folder of totals and journal
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,
    /// Unix socket for readers
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// Unix socket for root
    #[arg(long, value_name = "PATH", global = true)]
    pub control_socket: Option<PathBuf>,
    /// trace, debug, info, warn or error
    #[arg(long, value_name = "LEVEL", default_value = "info", global = true)]
    pub log_level: LogLevel,
}

impl Common {
    /// Whether something is said that only a capture has.
    fn captures(&self) -> bool {
        !self.interfaces.is_empty()
            || self.state.is_some()
            || self.socket.is_some()
            || self.control_socket.is_some()
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture until stopped (the default)
    Run,
    /// Analyse a capture file, without any privilege
    Replay(replay::Options),
    /// What detection sees, what would be captured, and why
    Interfaces {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Kernel programs that name the owners of sockets
    Ebpf {
        #[command(subcommand)]
        command: ebpf::command::Command,
    },
    /// Read the configuration and say what is wrong
    Check,
}

impl Arguments {
    pub fn run(self) -> ExitCode {
        match self.command {
            Some(Command::Replay(_)) if self.common.captures() => {
                complain(
                    "weir-collector: --interface, --state, --socket and --control-socket do not go with replay",
                );
                ExitCode::from(exit::USAGE)
            }
            Some(Command::Replay(options)) => replay::run(&options, self.common.config.as_deref()),
            Some(Command::Interfaces { json }) => interfaces(&self.common, json),
            Some(Command::Ebpf { command }) => ebpf(&self.common, &command),
            Some(Command::Check) => check(&self.common),
            Some(Command::Run) | None => daemon::main(&self.common),
        }
    }
}

fn interfaces(common: &Common, json: bool) -> ExitCode {
    if let Err(error) = shared::telemetry::start(common.log_level) {
        return fail(&error, exit::FAILED);
    }
    let config = match Config::load(common.config.as_deref(), &Overrides::from(common)) {
        Ok(config) => config,
        Err(error) => return fail(&error, exit::USAGE),
    };
    match interface::command(&config.capture.interfaces, json) {
        Ok(text) => print(&text),
        Err(error) => fail(&error, exit::FAILED),
    }
}

fn ebpf(common: &Common, command: &ebpf::command::Command) -> ExitCode {
    let directory = match command.directory() {
        Some(directory) => directory.to_owned(),
        None => match Config::load(common.config.as_deref(), &Overrides::from(common)) {
            Ok(config) => config.process.pin_directory,
            Err(error) => return fail(&error, exit::USAGE),
        },
    };
    match command.run(&directory) {
        Ok(text) => print(&text),
        Err(error) => fail(&error, exit::FAILED),
    }
}

fn check(common: &Common) -> ExitCode {
    let overrides = Overrides::from(common);
    let text = match config::check(common.config.as_deref(), &overrides) {
        Ok(text) => text,
        Err(error) => return fail(&error, exit::USAGE),
    };
    let config = Config::load(common.config.as_deref(), &overrides);
    match config.and_then(|config| config.filter(ETHERNET)) {
        Ok(_) => print(&text),
        Err(error) => fail(&error, exit::USAGE),
    }
}

/// A reader that has gone is no failure of ours.
fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&error, exit::FAILED),
        _ => ExitCode::SUCCESS,
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    complain(format_args!("weir-collector: {}", ErrorChain(error)));
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn a_flag_may_stand_before_and_after_the_command() {
        for line in [
            ["weir-collector", "--interface", "eth0", "run"],
            ["weir-collector", "run", "--interface", "eth0"],
        ] {
            assert_eq!(Arguments::try_parse_from(line).unwrap().common.interfaces, ["eth0"]);
        }
    }

    #[test]
    fn no_option_is_defined_twice_or_against_another() {
        Arguments::command().debug_assert();
    }
}

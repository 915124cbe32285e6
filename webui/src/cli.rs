//! The command line.
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use weir_shared::telemetry::LogLevel;

use crate::config::Overrides;

/// History and dashboard of the traffic that weir-collector sees.
#[derive(Debug, Parser)]
#[command(name = "weir-webui", version, args_conflicts_with_subcommands = false)]
pub struct Arguments {
    /// Configuration file; without one the built-in defaults run
    #[arg(long, env = "WEIR_WEBUI_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port of the pages, such as 127.0.0.1:8080; port 0 takes a free one
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// SQLite database of the history
    #[arg(long, global = true, value_name = "FILE")]
    pub database: Option<PathBuf>,
    /// The collector's socket
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// trace, debug, info, warn or error
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Arguments {
    pub fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen, database: self.database.clone(), socket: self.socket.clone() }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the pages and store the history (the default)
    Run,
    /// Accounts that may log in
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens for the JSON API
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read the configuration and say what is wrong
    Check,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add an account
    Add(UserPassword),
    /// Set an account's password; its sessions end
    Password(UserPassword),
    /// List the accounts
    List,
}

#[derive(Debug, Args)]
pub struct UserPassword {
    pub name: String,
    /// Read the password from standard input instead of the terminal
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create a token and print it alone on a line; it is not shown again
    Create { name: String },
    /// List the tokens: name, when it was created, when it was last used
    List,
    /// Revoke a token: its next request is refused
    Revoke { name: String },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn no_option_is_defined_twice_or_against_another() {
        Arguments::command().debug_assert();
    }
}

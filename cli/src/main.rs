//! `weir`: what the collector on this machine sees, on the command line.
mod args;
mod commands;
mod output;
mod pcap_file;
mod table;
mod tui;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use shared::client::ClientError;
use shared::error::{ErrorChain, complain, exit};
use weir_shared as shared;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start")),
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// A reader that went away, as `head` does, is no failure.
fn failed(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    complain(format_args!("weir: {}", shared::text::escape(&ErrorChain(error.as_ref()).to_string())));
    let usage = error.chain().any(|cause| {
        cause.is::<args::UsageError>() || cause.downcast_ref().is_some_and(ClientError::is_usage)
    });
    ExitCode::from(if usage { exit::USAGE } else { exit::FAILED })
}

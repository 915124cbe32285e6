//! `weir-collector`: as the capture worker or the filter compiler when a collector has started it so; else a command.
use std::process::ExitCode;

use clap::Parser as _;
use weir_collector::cli::Arguments;
use weir_collector::worker;

fn main() -> ExitCode {
    match worker::hidden_main() {
        Some(code) => code,
        None => Arguments::parse().run(),
    }
}

//! Compares a generated capture's truth with what `weir-collector replay --json` says of it: exit 1 where they differ.
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::Value;

#[derive(Debug, Parser)]
struct Arguments {
    truth: PathBuf,
    replay: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let different = weir_bench::compare::differences(&read(&arguments.truth)?, &read(&arguments.replay)?);
    for line in &different {
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(if different.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &PathBuf) -> Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}

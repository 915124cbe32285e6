//! Runs one command to its end and writes what the kernel accounted to it, as one JSON line, to the file named first.
//! A small launcher, because a child's peak memory is never less than that of the process it was forked from.
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::json;

#[derive(Debug, Parser)]
struct Arguments {
    figures: PathBuf,
    /// Where both of the command's outputs go; else nowhere.
    #[arg(long)]
    out: Option<PathBuf>,
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let [program, rest @ ..] = arguments.command.as_slice() else { anyhow::bail!("no command given") };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(path) = &arguments.out {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
    }
    let start = Instant::now();
    let status = command.status().with_context(|| format!("starting {program}"))?;
    let wall = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let exit = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    let figures = json!({
        "wall": wall,
        "user": usage.user_time().num_microseconds() as f64 / 1e6,
        "sys": usage.system_time().num_microseconds() as f64 / 1e6,
        "peak_kib": usage.max_rss(),
        "voluntary_switches": usage.voluntary_context_switches(),
        "involuntary_switches": usage.involuntary_context_switches(),
        "exit": exit,
    });
    std::fs::write(&arguments.figures, format!("{figures}\n")).context("writing the figures")?;
    Ok(ExitCode::from(exit as u8))
}

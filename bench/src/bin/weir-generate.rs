//! Writes a capture file with known content, and the truth about it.
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use weir_bench::generate::{Options, generate};

#[derive(Debug, Parser)]
struct Arguments {
    /// The capture file to write.
    #[arg(long)]
    out: PathBuf,
    /// Where the truth goes, as JSON; else to standard output.
    #[arg(long)]
    truth: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let name = arguments.out.display().to_string();
    let file = File::create(&arguments.out).with_context(|| format!("creating {name}"))?;
    let mut output = BufWriter::with_capacity(1 << 20, file);
    let truth = generate(&arguments.options, &mut output)?;
    output.flush().with_context(|| format!("writing {name}"))?;
    let truth = serde_json::to_string_pretty(&truth)?;
    match arguments.truth {
        Some(path) => std::fs::write(&path, truth).with_context(|| format!("writing {}", path.display())),
        None => writeln!(std::io::stdout(), "{truth}").context("writing the truth"),
    }
}

//! Processes that live for one exchange.
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::stream::{connect, exchange};
use super::{Aim, Moved};

const UP: usize = 10_000;
const DOWN: usize = 20_000;

/// Starts one process a round under this one's name, each of which connects, exchanges and ends.
pub(super) fn short_lived(aim: &Aim) -> Result<Moved> {
    let program = std::env::current_exe().context("this program's path")?;
    let name = std::env::args_os().next().unwrap_or_default();
    let (host, port) = (aim.host.to_string(), aim.port.to_string());
    aim.each_round(|_| {
        let mut command = Command::new(&program);
        let ended = command.arg0(&name).args(["once", "--to", &host, "--port", &port]).status();
        ensure!(ended.context("starting a process")?.success(), "a short-lived process failed");
        Ok(one_life())
    })
}

/// What such a process does.
///
/// # Errors
/// The far end is not there.
pub fn one_short_life(aim: &Aim) -> Result<()> {
    exchange(&mut connect(aim.stream())?, UP, DOWN).map(drop)
}

fn one_life() -> Moved {
    Moved { sent: (super::stream::HEADER + UP) as u64, received: DOWN as u64, frames: 0 }
}

//! Processes that live for one exchange, and processes that share a listening socket.
use std::io::stdin;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::stream::{connect, exchange};
use super::{Aim, Moved};

const UP: usize = 10_000;
const DOWN: usize = 20_000;

/// Starts one process a round under this one's name, each of which connects, exchanges and ends.
pub(super) fn short_lived(aim: &Aim) -> Result<Moved> {
    let (host, port) = (aim.host.to_string(), aim.port.to_string());
    aim.each_round(|_| {
        let ended = again()?.args(["once", "--to", &host, "--port", &port]).status();
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

/// This program once more, under the same name.
pub(super) fn again() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program's path")?);
    command.arg0(std::env::args_os().next().unwrap_or_default());
    Ok(command)
}

/// A server whose workers accept on one socket that they inherit as standard input; the parent moves nothing. Calls
/// `ready` when all have started, and ends when all have ended.
///
/// # Errors
/// The port is taken, or a worker does not start.
pub fn prefork(port: u16, workers: usize, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    let listener = listener.with_context(|| format!("listening on TCP port {port}"))?;
    let started: Result<Vec<Child>> = (0..workers)
        .map(|_| {
            let socket = OwnedFd::from(listener.try_clone().context("a second handle of the socket")?);
            again()?.arg("worker").stdin(Stdio::from(socket)).spawn().context("starting a worker")
        })
        .collect();
    let mut workers = started?;
    ready()?;
    for worker in &mut workers {
        worker.wait().context("waiting for a worker")?;
    }
    Ok(())
}

/// What such a worker does: serves the listening socket that is its standard input.
///
/// # Errors
/// Standard input is no listening socket.
pub fn serve_inherited() -> Result<()> {
    // nobody would end a worker whose parent is gone
    set_pdeathsig(Signal::SIGTERM).context("asking to end with the parent")?;
    let socket = stdin().as_fd().try_clone_to_owned().context("standard input")?;
    let listener = TcpListener::from(socket);
    listener.local_addr().context("standard input is no listening socket")?;
    super::far_end::accept_one_by_one(&listener);
    Ok(())
}

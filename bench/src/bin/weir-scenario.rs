//! Runs one scenario of known traffic and prints what it moved as one JSON line, or serves the far end of them all.
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use weir_bench::scenario::far_end::{self, Services};
use weir_bench::scenario::workload::Work;
use weir_bench::scenario::{ALL, Aim, Unavailable, find, one_short_life, prefork, serve_inherited};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One line a scenario: its name and what it does.
    List,
    /// Serves until it is ended, ten minutes at most; prints `ready` when everything is open.
    Serve {
        #[arg(long, default_value_t = 7000)]
        port: u16,
        /// TCP and UDP on the port only: a second far end on a network must not answer raw packets.
        #[arg(long)]
        plain: bool,
    },
    /// Runs one scenario.
    Run {
        /// A name from `list`.
        scenario: String,
        #[command(flatten)]
        target: Target,
    },
    /// Serves TCP by several processes that accept on one socket; prints `ready` when they have started.
    Prefork {
        #[arg(long, default_value_t = 7001)]
        port: u16,
        #[arg(long, default_value_t = 4)]
        workers: usize,
    },
    /// One process of the attribution benchmark.
    Work(Work),
    /// A process of `prefork`: the listening socket is its standard input.
    #[command(hide = true)]
    Worker,
    /// One connection, one exchange: what the short-lived processes do.
    #[command(hide = true)]
    Once {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Args)]
#[command(args_override_self = true)]
struct Target {
    /// The far end.
    #[arg(long, default_value = "10.88.0.1")]
    to: Ipv4Addr,
    #[arg(long, default_value = "fd88::1")]
    to6: Ipv6Addr,
    #[arg(long, default_value_t = 7000)]
    port: u16,
    /// The port that UDP is sent from; 0: any.
    #[arg(long, default_value_t = 0)]
    from_port: u16,
    /// Where frames are sent.
    #[arg(long, default_value = "watched0")]
    interface: String,
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Milliseconds between two rounds.
    #[arg(long, default_value_t = 40)]
    pause: u64,
    /// Of a stream and round, in one direction.
    #[arg(long, default_value_t = 65_536)]
    bytes: usize,
}

impl Target {
    fn aim(&self) -> Aim {
        Aim {
            host: self.to,
            host6: self.to6,
            port: self.port,
            from_port: self.from_port,
            interface: self.interface.clone(),
            rounds: self.rounds,
            pause: Duration::from_millis(self.pause),
            bytes: self.bytes,
        }
    }
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::List => {
            let lines = ALL.map(|scenario| format!("{:14} {}", scenario.name, scenario.what));
            say(&lines.join("\n"))
        }
        Command::Serve { port, plain } => far_end::serve(Services { port, all: !plain }, || say("ready")),
        Command::Prefork { port, workers } => prefork(port, workers, || say("ready")),
        Command::Work(work) => work.run(),
        Command::Worker => serve_inherited(),
        Command::Run { scenario, target } => say(&run(&scenario, &target.aim())?.to_string()),
        Command::Once { target } => one_short_life(&target.aim()),
    }
}

fn run(name: &str, aim: &Aim) -> Result<Value> {
    let scenario = find(name).ok_or_else(|| anyhow!("no scenario {name}; `list` names them"))?;
    match (scenario.run)(aim) {
        Ok(moved) => {
            let comm = std::fs::read_to_string("/proc/self/comm").context("this process's name")?;
            Ok(json!({
                "scenario": name, "pid": std::process::id(), "name": comm.trim_end(),
                "sent_payload_bytes": moved.sent, "received_payload_bytes": moved.received, "frames": moved.frames,
            }))
        }
        Err(error) => match error.downcast_ref::<Unavailable>() {
            Some(reason) => Ok(json!({"scenario": name, "unavailable": reason.to_string()})),
            None => Err(error),
        },
    }
}

fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).context("writing to standard output")
}

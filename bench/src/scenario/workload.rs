//! The processes of the attribution benchmark: each moves its bytes, and writes down which port was whose.
use std::fs::File;
use std::io::{Write as _, stdin};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use super::datagram::Asking;
use super::processes::again;
use super::stream::{connect, exchange};

/// Who uses the socket, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One connection.
    Stream,
    /// A connection for each exchange.
    Many,
    /// One connection, passed to another process, which uses it.
    Pass,
    /// What that process does: its standard input is the connection.
    Passed,
    /// One connection, used by another thread than made it.
    Thread,
    /// UDP without connecting.
    Datagram,
    /// UDP, connected.
    Connected,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Work {
    #[arg(value_enum)]
    pub kind: Kind,
    /// The far end.
    pub to: SocketAddr,
    /// Takes a line `protocol port pid name` for each socket.
    pub log: PathBuf,
    /// Bytes of an exchange, or of a datagram and of its answer.
    pub up: usize,
    pub down: usize,
    #[arg(default_value_t = 1)]
    pub times: u32,
    /// Milliseconds between two exchanges.
    #[arg(default_value_t = 0)]
    pub gap: u64,
}

impl Work {
    /// # Errors
    /// The far end is not there, or the log cannot be written.
    pub fn run(&self) -> Result<()> {
        match self.kind {
            Kind::Stream => self.exchanges(connect(self.to)?),
            Kind::Many => self.each(|| {
                let mut stream = connect(self.to)?;
                self.note("tcp", stream.local_addr())?;
                exchange(&mut stream, self.up, self.down).map(drop)
            }),
            Kind::Pass => self.pass(),
            Kind::Passed => {
                let socket = stdin().as_fd().try_clone_to_owned().context("standard input")?;
                self.exchanges(TcpStream::from(socket))
            }
            Kind::Thread => {
                let stream = connect(self.to)?;
                std::thread::scope(|scope| {
                    let user = std::thread::Builder::new().name("user".to_owned());
                    let user = user.spawn_scoped(scope, || self.exchanges(stream)).context("a thread")?;
                    user.join().map_err(|_| anyhow!("the thread panicked"))?
                })
            }
            Kind::Datagram => self.datagrams(false),
            Kind::Connected => self.datagrams(true),
        }
    }

    fn pass(&self) -> Result<()> {
        let socket = OwnedFd::from(connect(self.to)?);
        let numbers =
            [self.up.to_string(), self.down.to_string(), self.times.to_string(), self.gap.to_string()];
        let mut command = again()?;
        command.args(["work", "passed", &self.to.to_string()]).arg(&self.log).args(numbers);
        let ended = command.stdin(Stdio::from(socket)).status().context("starting a process")?;
        ensure!(ended.success(), "the process that was passed a socket failed");
        Ok(())
    }

    fn exchanges(&self, mut stream: TcpStream) -> Result<()> {
        self.note("tcp", stream.local_addr())?;
        self.each(|| exchange(&mut stream, self.up, self.down).map(drop))
    }

    fn datagrams(&self, connected: bool) -> Result<()> {
        let asking = Asking::new((0, self.to), connected, (self.up, self.down))?;
        self.note("udp", asking.local_address())?;
        self.each(|| asking.ask().map(drop))
    }

    fn each(&self, mut exchange: impl FnMut() -> Result<()>) -> Result<()> {
        for number in 0..self.times {
            if number > 0 {
                std::thread::sleep(Duration::from_millis(self.gap));
            }
            exchange()?;
        }
        Ok(())
    }

    fn note(&self, protocol: &str, address: std::io::Result<SocketAddr>) -> Result<()> {
        let port = address.context("the socket's own address")?.port();
        let name = std::fs::read_to_string("/proc/self/comm").context("this process's name")?;
        let line = format!("{protocol} {port} {} {}\n", std::process::id(), name.trim_end());
        let log = File::options().append(true).create(true).open(&self.log);
        log.and_then(|mut log| log.write_all(line.as_bytes()))
            .with_context(|| format!("writing {}", self.log.display()))
    }
}

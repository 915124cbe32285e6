//! What the kernel counts per interface: read (`kernel`, or `proc_net` where netlink is refused), judged against the
//! reading before (`growth`), summed by day across restarts (`totals`), and explained by what capture saw (`ledger`).
use shared::health::Degraded;
use shared::report::KernelCounters;
use weir_shared as shared;

use crate::database::DatabaseError;

mod growth;
mod kernel;
mod ledger;
mod proc_net;
mod stored;
mod totals;

pub use growth::Judgement;
pub use kernel::KernelSource;
pub use ledger::Ledger;
pub use proc_net::ProcSource;
pub use totals::{Counters, Growth, Observation};

/// One interface's counters since it came into being.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub name: String,
    pub index: u32,
    pub counters: KernelCounters,
}

#[derive(Debug, thiserror::Error)]
pub enum CounterError {
    #[error("cannot open a netlink socket for counters")]
    Open(#[source] nix::errno::Errno),
    #[error("the kernel did not answer with its counters")]
    Dump(#[source] nix::errno::Errno),
    #[error("the kernel's answer with counters breaks off")]
    Malformed,
    #[error("cannot read /proc/net/dev")]
    Proc(#[source] procfs::ProcError),
    #[error("the totals failed")]
    Database(#[from] DatabaseError),
    #[error("cannot read {path}")]
    Read { path: &'static str, source: std::io::Error },
}

/// Where counters come from.
pub trait CounterSource: std::fmt::Debug + Send {
    /// As messages name it.
    fn name(&self) -> &'static str;

    /// Replaces `readings` with the counters of every interface now, reusing what is allocated there.
    ///
    /// # Errors
    /// The source did not answer; `readings` is then not to be used.
    fn read(&mut self, readings: &mut Vec<Reading>) -> Result<(), CounterError>;
}

/// netlink, or /proc/net/dev with the reason why it had to be.
pub fn open_source() -> (Box<dyn CounterSource>, Option<Degraded>) {
    let netlink = KernelSource::open().and_then(|mut source| {
        source.read(&mut Vec::new())?;
        Ok(source)
    });
    match netlink {
        Ok(source) => (Box::new(source), None),
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            let reason = format!("{error}{cause}; counters are read from /proc/net/dev instead");
            tracing::warn!("{reason}");
            (Box::new(ProcSource), Some(Degraded { part: "counters".to_owned(), reason }))
        }
    }
}

//! The capture worker: a process of its own, the only one that touches packet bytes. It gives up everything but
//! CAP_NET_RAW and AF_PACKET (`sandbox`), opens what it is told to and reads it fairly (`run`, `tap`), on a timeline that
//! does not step (`timeline`), hears who owns which flow (`owners`), and tells the collector in bounded messages (`records`, `outbox`) what its pipelines have
//! counted and which packets somebody is watching (`watch`). The collector starts it, starts it again when it dies and
//! says what was missed (`supervise`). `filter` compiles people's filters in a process that lives for one of them.
pub mod filter;
mod outbox;
pub mod owners;
pub mod packets;
pub mod records;
mod run;
pub mod sandbox;
pub mod supervise;
mod tap;
mod timeline;
mod watch;

use std::process::ExitCode;

pub use filter::compiler_main;
pub use run::{Connection, main};

/// First argument of a process that is to be the capture worker; the second is its parent's process id, the third, where
/// there is one, what `owners` maps.
pub const CAPTURE_WORKER: &str = "capture-worker";
/// First argument of a process that is to compile one filter; the second is the link type.
pub const FILTER_COMPILER: &str = "filter-compiler";

/// Runs this process as what its hidden first argument says; None where it says neither. Must come before everything
/// else in `main`: before threads, files and the reading of configuration.
pub fn hidden_main() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next()?.as_str() {
        CAPTURE_WORKER => {
            let (parent, owners) = (arguments.next(), arguments.next());
            Some(main(parent.as_deref(), owners.as_deref()))
        }
        FILTER_COMPILER => Some(compiler_main(arguments.next().as_deref())),
        _ => None,
    }
}

//! The collector, in the order in which data flows.
//!
//! Capture worker, a process of its own with CAP_NET_RAW and nothing else:
//! `capture` (frames in) → `decode` (header facts) → `flows` (who talks to whom) → `pipeline` (one interface's stages
//! together) → `worker` (records out, over a socketpair).
//!
//! Collector, which never sees a packet byte:
//! `worker::supervise` (records in) → `window` (closed spans with ranked lists) → `engine` (owns all state, joins
//! `counters` and `interface`) → `journal` (until readers have them) and `publish` → `rpc` (gRPC on Unix sockets).
//!
//! `database` is the kind of file that `journal` and `counters` keep. `replay` runs capture to window over a file in one
//! process. `daemon` is the only wiring.
pub mod attribution;
pub mod capture;
pub mod cli;
pub mod config;
pub mod counters;
pub mod daemon;
pub mod database;
pub mod decode;
pub mod detect;
pub mod engine;
pub mod flows;
#[cfg(test)]
mod frames;
pub mod interface;
pub mod journal;
pub mod kept;
pub mod pipeline;
pub mod privilege;
pub mod replay;
pub mod rpc;
pub mod window;
pub mod worker;

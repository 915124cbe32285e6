//! What the collector, the web service and the command line have in common: the words of traffic (`report`, `alert`,
//! `health`), their form on the wire (`wire`), the client of the collector's socket (`client`), configuration and units.
pub mod alert;
pub mod client;
pub mod config;
pub mod error;
pub mod health;
pub mod journal;
pub mod json;
pub mod live;
pub mod net;
pub mod packets;
pub mod process;
pub mod report;
pub mod session;
pub mod socket;
pub mod telemetry;
pub mod text;
pub mod units;
pub mod wire;

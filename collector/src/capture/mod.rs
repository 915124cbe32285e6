//! Where frames come from.
pub mod file;
mod pcapng;

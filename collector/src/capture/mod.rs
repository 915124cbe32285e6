//! Where frames come from: an interface, live (`live`, with the length program of `lengths`), or a capture file (`file`,
//! `pcapng`).
pub mod connecting;
pub mod file;
pub mod lengths;
pub mod live;
mod pcapng;

//! The live view: one hub, fed by one task, and a WebSocket a browser.
pub mod frame;
pub mod hub;
mod lease;
mod owners;
pub mod packets;
mod seconds;
pub mod session;

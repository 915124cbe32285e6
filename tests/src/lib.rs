//! What the tests of the real binaries share. Everything here starts real processes and cleans up after itself.
pub mod accounts;
pub mod browser;
pub mod crowd;
pub mod disk;
pub mod history;
pub mod lab;
pub mod leftovers;
pub mod network;
pub mod process;
pub mod program;
pub mod scenario;
pub mod scorecard;
pub mod terminal;
pub mod wait;
pub mod web;

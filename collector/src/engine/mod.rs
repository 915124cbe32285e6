//! One thread owns windows, totals and the journal's writing end; others send it `Input` and read what it publishes.
pub mod command;

/// What the engine's thread takes in, one at a time.
#[derive(Debug)]
pub enum Input {
    Command(command::Command),
}

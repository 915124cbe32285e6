//! A person's BPF filter, compiled away from the capture loop.

/// A compiled classic BPF program; how it is compiled and run is this module's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program;

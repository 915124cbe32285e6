//! The capture worker: a process of its own, the only one that touches packet bytes.
pub mod filter;

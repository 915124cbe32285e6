//! Header facts of a frame, and what its payload says.
pub mod application;
mod describe;

pub use describe::{Described, describe};

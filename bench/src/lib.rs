//! Traffic of known content for tests and benchmarks.
//!
//! `generate` writes capture files beside the truth of what is in them, `compare` holds a program's answer against that
//! truth, `frames` builds single frames, `send` puts them on an interface. `scenario` are programs that move bytes in every
//! way a process can, and count them.
pub mod compare;
pub mod frames;
pub mod generate;
pub mod scenario;
pub mod send;

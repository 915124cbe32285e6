//! Who talks to whom: one entry a 5-tuple, both directions together, bounded.
//!
//! An entry is new with its first packet, grows, and is told as growth. Its record ends by a time-out or when a SYN follows
//! FIN or RST; its key then starts a record of the next generation. It leaves the table when it has ended, or when room is
//! needed and it has not been used for longest (second chance).
pub mod addresses;
pub mod fragments;
mod gap;
pub mod index;
pub mod key;
pub mod own;
pub mod owned;
pub mod protocols;
pub mod record;
pub mod sums;
pub mod table;
pub mod tcp;
pub mod waiting;

//! Who talks to whom: one entry a 5-tuple, both directions together, bounded.
pub mod own;
pub mod record;

//! Closed windows and alerts on disk until their readers have them: a ring by size and age over redb.

/// To be written.
#[derive(Debug)]
pub struct Journal;

//! The collector's journal as its readers see it: one gapless sequence over windows, alerts, gaps,
//! ended sessions and events.
use crate::alert::{Alert, Event};
use crate::report::{Gap, Window};
use crate::session::Session;

/// A reader's key is (journal id, sequence), never a time.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    pub sequence: u64,
    /// Of the entry this stream sent before, or would have: what lies between was filtered out.
    pub previous_sequence: u64,
    pub record: JournalRecord,
}

#[derive(Clone, Debug, PartialEq)]
pub enum JournalRecord {
    Window(Box<Window>),
    Alert(Box<Alert>),
    Gap(Gap),
    /// That ended.
    Session(Box<Session>),
    Event(Event),
}

/// How a stream over the journal opens. Another `journal_id` than before: start at the oldest and record a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOpened {
    pub journal_id: String,
    pub oldest_sequence: u64,
    pub next_sequence: u64,
}

/// What a reader of the journal wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalKind {
    Window,
    Alert,
    Gap,
    Session,
    Event,
}

//! What comes to the screen, and what it asks for.
use shared::client::{Collector, Link};
use shared::health::{InterfaceInfo, Status};
use shared::live::Update;
use shared::packets::PacketBatch;
use shared::process::Scope;
use shared::report::{FlowRow, Ranked};
use shared::session::Session;
use weir_shared as shared;

use super::state::{Found, Note, Tab};

#[derive(Debug)]
pub(super) enum Message {
    /// The link works; again from time to time, with what the collector then says of itself.
    Up {
        collector: Box<Collector>,
        status: Box<Status>,
        interfaces: Vec<InterfaceInfo>,
    },
    Down(Link),
    Live(Box<Update>),
    Note(Box<Note>),
    /// Of the packet list with this number.
    Packets {
        watch: u64,
        batch: PacketBatch,
    },
    /// It could not be opened, or broke off.
    PacketsEnded {
        watch: u64,
        reason: String,
    },
    Answer(Answer),
}

#[derive(Debug)]
pub(super) enum Answer {
    Session {
        running: Option<Session>,
        said: String,
    },
    Threshold {
        bytes_per_second: u64,
        said: String,
    },
    Found {
        tab: Tab,
        interface: Option<String>,
        filter: String,
        found: Found,
    },
    /// The flows of what a detail is about, by its key.
    Flows {
        of: String,
        flows: Ranked<FlowRow>,
    },
    /// A change was not made.
    Refused(String),
    /// A list could not be had.
    Failed(String),
}

/// What a key, or the clock, asks of the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    StartSession,
    StopSession,
    ResetSession,
    SetThreshold(u64),
    Find {
        tab: Tab,
        interface: Option<String>,
        filter: String,
    },
    /// Flows of one process, or with an address in them; `of` comes back.
    Flows {
        of: String,
        interface: Option<String>,
        scope: Scope,
        search: String,
    },
}

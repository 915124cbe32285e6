//! One row in full.
use shared::live::LiveInterface;
use shared::packets::PacketHeader;
use shared::process::{OwnerRow, Scope};
use shared::report::{FlowRow, HostRow, Ranked};
use weir_shared as shared;

use super::{Note, State, Tab};
use crate::tui::message::Request;

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Subject {
    Process(Box<OwnerRow>),
    Host(Box<HostRow>),
    Flow(Box<FlowRow>),
    Interface(Box<LiveInterface>),
    Packet(Box<PacketHeader>),
    Note(Box<Note>),
}

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Detail {
    pub tab: Tab,
    pub key: String,
    /// As the newest list had it that named it.
    pub subject: Subject,
    pub scroll: usize,
    /// Of a process or a host; None until the collector answered.
    pub flows: Option<Ranked<FlowRow>>,
}

impl Detail {
    pub(super) fn of(state: &State, key: &str) -> Option<Self> {
        let subject = state.subject(state.tab, key)?;
        Some(Self { tab: state.tab, key: key.to_owned(), subject, scroll: 0, flows: None })
    }

    /// What to ask once a second while this is open.
    pub(super) fn wanted_flows(&self, interface: Option<String>) -> Option<Request> {
        let (scope, search) = match &self.subject {
            Subject::Process(row) => {
                let (pid, started) = row.owner.pid.zip(row.owner.started)?;
                (Scope::Process { pid, started }, String::new())
            }
            Subject::Host(row) => (Scope::All, row.address.to_string()),
            Subject::Flow(_) | Subject::Interface(_) | Subject::Packet(_) | Subject::Note(_) => return None,
        };
        Some(Request::Flows { of: self.key.clone(), interface, scope, search })
    }

    /// Whether flows belong to what this shows.
    pub(in super::super) fn has_flows(&self) -> bool {
        self.wanted_flows(None).is_some()
    }
}

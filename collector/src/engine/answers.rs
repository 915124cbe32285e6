//! Questions to the engine, and what it does once a second.
use jiff::Timestamp;

use shared::error::ErrorChain;
use shared::process::{OwnerRow, Scope};
use shared::report::{FlowRow, Ranked};
use shared::units::BinaryBytesPerSecond;
use weir_shared as shared;

use super::Engine;
use super::command::{Command, ListQuery, Since};
use crate::interface::interface_infos;
use crate::window::owner_lists::OwnerQuery;

impl Engine {
    pub(super) fn answer(&mut self, command: Command) {
        let now = Timestamp::now();
        // an answer that nobody waits for any more is no loss
        match command {
            Command::Status(reply) => drop(reply.send(self.status(now))),
            Command::Interfaces(reply) => {
                let choices = self.settings.capture.selection.choose(&self.links);
                drop(reply.send(interface_infos(&self.links, &choices)));
            }
            Command::Hosts(query, reply) => {
                let list = self.traffic.hosts(&query.interface, &query.search, query.limit);
                drop(reply.send(Since { since: self.started, list }));
            }
            Command::Flows(query, reply) => {
                let list = self.flows(&query);
                drop(reply.send(Since { since: self.started, list }));
            }
            Command::Processes(query, reply) => {
                drop(reply.send(self.owners(&query)));
            }
            Command::Session(request, reply) => drop(reply.send(self.change_session(now, &request))),
            Command::Sessions(reply) => drop(reply.send(self.sessions())),
            Command::SetProcessThreshold(bytes_per_second, by, reply) => {
                let previous = self.set_process_threshold(now, bytes_per_second, &by);
                reply.send(previous).ok();
            }
            Command::Days(reply) => {
                let (since, list) = (self.counters.begun(), self.counters.days());
                drop(reply.send(Since { since, list }));
            }
            Command::Subscribe(reply) => drop(reply.send(self.subscription(now))),
            Command::Watch(request) => self.watch(request),
        }
    }
}

impl Engine {
    fn flows(&self, query: &ListQuery) -> Ranked<FlowRow> {
        let directory = self.directory();
        let owners = match query.of {
            Scope::Process { pid, started } => Some(directory.find(pid, started)),
            Scope::All | Scope::Session => None,
        };
        let of = (query.interface.as_str(), owners.as_deref());
        self.traffic.flows(of, &query.search, query.limit, directory)
    }

    fn owners(&self, query: &ListQuery) -> Since<Ranked<OwnerRow>> {
        let wanted = OwnerQuery {
            interface: &query.interface,
            search: &query.search,
            of_session: query.of == Scope::Session,
            rows: query.limit,
        };
        if wanted.of_session {
            return self.owners_of_session(&wanted);
        }
        Since { since: self.started, list: self.traffic.owners(&wanted, self.directory()) }
    }

    fn set_process_threshold(&mut self, now: Timestamp, bytes_per_second: u64, by: &str) -> u64 {
        let previous = self.process_threshold;
        if let Err(error) = self.kept.set_process_threshold(bytes_per_second) {
            tracing::error!(error = %ErrorChain(&error), "the threshold holds until the next start: it was not written");
        }
        self.threshold_was_set = true;
        self.change_process_threshold(now, bytes_per_second, by);
        previous
    }

    pub(super) fn change_process_threshold(&mut self, now: Timestamp, bytes_per_second: u64, by: &str) {
        self.process_threshold = bytes_per_second;
        let message = match bytes_per_second {
            0 => format!("The process bandwidth threshold was switched off by {by}."),
            limit => {
                let limit = BinaryBytesPerSecond(limit);
                format!("The process bandwidth threshold was set to {limit} by {by}.")
            }
        };
        self.event(now, "threshold_set", "process_bandwidth", message);
    }
}

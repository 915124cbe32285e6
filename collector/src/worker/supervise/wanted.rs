//! What the worker was asked to keep open, so that another one can be asked for the same.
use std::collections::BTreeMap;

use crate::worker::packets::Packets;
use crate::worker::records::{Command, Open, Record, Watch};

#[derive(Debug, Default)]
pub(super) struct Wanted {
    open: BTreeMap<u16, Open>,
    watches: BTreeMap<u32, Watch>,
}

impl Wanted {
    /// Takes note of a command. Returns what a worker would answer to one that ends something, for when there is none.
    pub(super) fn note(&mut self, command: &Command) -> Option<Record> {
        match command {
            Command::Open(open) => {
                self.open.insert(open.id, Open::clone(open));
                None
            }
            Command::Close { id } => {
                self.open.remove(id);
                Some(Record::Closed { id: *id })
            }
            Command::OwnAddresses { id, own } => {
                if let Some(open) = self.open.get_mut(id) {
                    open.own = own.clone();
                }
                None
            }
            Command::Watch(watch) => {
                self.watches.insert(watch.watch, watch.clone());
                None
            }
            Command::StopWatch { watch } => {
                self.watches.remove(watch);
                Some(Record::Packets(Box::new(Packets { watch: *watch, last: true, ..Packets::default() })))
            }
            Command::Finish => None,
        }
    }

    /// What could not be opened, or went away, is not asked for again; who wants it opens it anew.
    pub(super) fn heard(&mut self, record: &Record) {
        if let Record::Failed { id, .. } | Record::Gone { id, .. } | Record::Closed { id } = record {
            self.open.remove(id);
        }
    }

    pub(super) fn interfaces(&self) -> Vec<u16> {
        self.open.keys().copied().collect()
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = Command> {
        let open = self.open.values().map(|open| Command::Open(Box::new(open.clone())));
        open.chain(self.watches.values().cloned().map(Command::Watch))
    }
}

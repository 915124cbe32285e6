//! What the lists are made of: the live view's rows, or those that the collector found for a filter.
use shared::packets::PacketHeader;
use shared::process::OwnerRow;
use shared::report::{FlowRow, HostRow, Others, Ranked};
use weir_shared as shared;

use super::{Found, Keyed as _, State, Subject, Tab};

impl State {
    pub(in super::super) fn owners(&self) -> (&[OwnerRow], Others) {
        if let Some(Found::Owners(list)) = self.found() {
            return (&list.rows, list.others);
        }
        let Some(update) = &self.shown else { return (&[], Others::default()) };
        let list = match &self.interface {
            None => Some(&update.owners),
            Some(name) => {
                let live = update.interfaces.iter().find(|live| live.interface == *name);
                live.map(|live| &live.owners)
            }
        };
        list.map_or((&[], Others::default()), |list| (&list.rows, list.others))
    }

    pub(in super::super) fn hosts(&self) -> (Vec<&HostRow>, Others) {
        match self.found() {
            Some(Found::Hosts(list)) => joined([list].into_iter()),
            _ => joined(self.interfaces().map(|live| &live.hosts)),
        }
    }

    pub(in super::super) fn flows(&self) -> (Vec<&FlowRow>, Others) {
        match self.found() {
            Some(Found::Flows(list)) => joined([list].into_iter()),
            _ => joined(self.interfaces().map(|live| &live.flows)),
        }
    }

    fn packet(&self, number: &str) -> Option<&PacketHeader> {
        let number: u64 = number.parse().ok()?;
        self.packets.newest().find(|(other, _)| *other == number).map(|(_, packet)| packet)
    }

    /// What a row of a tab is about, by its key.
    pub(super) fn subject(&self, tab: Tab, key: &str) -> Option<Subject> {
        match tab {
            Tab::Processes => {
                let row = self.owners().0.iter().find(|row| row.key() == key)?;
                Some(Subject::Process(Box::new(row.clone())))
            }
            Tab::Hosts => {
                let row = self.hosts().0.into_iter().find(|row| row.key() == key)?;
                Some(Subject::Host(Box::new(row.clone())))
            }
            Tab::Flows => {
                let row = self.flows().0.into_iter().find(|row| row.key() == key)?;
                Some(Subject::Flow(Box::new(row.clone())))
            }
            Tab::Interfaces => {
                let live = self.interfaces().find(|live| live.interface == key)?;
                Some(Subject::Interface(Box::new(live.clone())))
            }
            Tab::Packets => Some(Subject::Packet(Box::new(self.packet(key)?.clone()))),
            Tab::Alerts => {
                let note = self.notes.newest().find(|note| note.key == key)?;
                Some(Subject::Note(Box::new(note.clone())))
            }
        }
    }
}

/// Several interfaces' lists as one.
fn joined<'a, T>(lists: impl Iterator<Item = &'a Ranked<T>>) -> (Vec<&'a T>, Others) {
    let mut rows = Vec::new();
    let mut others = Others::default();
    for list in lists {
        rows.extend(&list.rows);
        others.rows = others.rows.saturating_add(list.others.rows);
        others.traffic += list.others.traffic;
    }
    (rows, others)
}

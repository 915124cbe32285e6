//! What the worker tells in a tick, each interface in turn, as far as the socket has room.
use super::{Interface, Record, Worker, WorkerError};

/// Rows of one record.
const MOST_ROWS: usize = 4_096;
/// Records an interface tells in one tick, and while a window waits for it.
const RECORDS_PER_TICK: u32 = 2;
const RECORDS_WHEN_OVERDUE: u32 = 32;
/// And more when a second has ended, so that what was moved in it is not late: the second, its sums, and names before them.
const RECORDS_OF_A_SECOND: u32 = 3;

impl Worker<'_> {
    /// Tells what this tick's bounds and the socket's room allow.
    pub(super) fn tell(&mut self) -> Result<(), WorkerError> {
        while let Some(owners) = self.owners.as_mut().filter(|owners| owners.has_news()) {
            if !self.outbox.has_room() {
                return Ok(()); // traffic refers to them
            }
            if let Some(record) = owners.take_record() {
                self.outbox.tell(&record)?;
            }
        }
        let mut ids: Vec<u16> = self.telling.keys().copied().collect();
        if !ids.is_empty() {
            let first = self.turn % ids.len();
            ids.rotate_left(first);
        }
        for id in ids {
            self.tell_of(id)?;
        }
        while self.telling_watches && self.outbox.has_room() {
            let interfaces = &self.interfaces;
            match self.watches.take(|id, key| interfaces.get(&id)?.flow_of(key)) {
                Some(record) => self.outbox.tell(&record)?,
                None => self.telling_watches = false,
            }
        }
        Ok(())
    }

    fn tell_of(&mut self, id: u16) -> Result<(), WorkerError> {
        let Some(left) = self.telling.get_mut(&id) else { return Ok(()) };
        while *left > 0 && self.outbox.has_room() {
            match self.interfaces.get_mut(&id).and_then(|interface| interface.take(MOST_ROWS)) {
                Some(record) => self.outbox.tell(&record)?,
                None => *left = 1,
            }
            *left -= 1;
        }
        if *left == 0 {
            self.telling.remove(&id);
        }
        Ok(())
    }

    pub(super) fn remove_ended(&mut self) -> Result<(), WorkerError> {
        let ended: Vec<(u16, Record)> =
            self.interfaces.iter().filter_map(|(id, interface)| Some((*id, interface.ended()?))).collect();
        for (id, record) in ended {
            self.interfaces.remove(&id);
            self.telling.remove(&id);
            self.outbox.tell(&record)?;
        }
        Ok(())
    }
}

/// How many records an interface may tell until the next tick.
pub(super) fn records_in_a_tick(interface: &Interface) -> u32 {
    match interface.overdue() {
        0 if interface.has_ended_second() => RECORDS_PER_TICK + RECORDS_OF_A_SECOND,
        0 => RECORDS_PER_TICK,
        _ => RECORDS_WHEN_OVERDUE,
    }
}

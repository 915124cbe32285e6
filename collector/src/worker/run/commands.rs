//! What the collector wants of the worker.
use std::time::Instant;

use super::{Interface, Owners, TICK, Worker, WorkerError};
use crate::capture::live::OpenError;
use crate::worker::outbox::receive;
use crate::worker::records::{Command, MOST_INTERFACES, Open, Record, decode};

impl Worker<'_> {
    /// False when the collector is gone or has closed the link.
    pub(super) fn command(&mut self) -> Result<bool, WorkerError> {
        let message = match receive(self.socket, &mut self.buffer)? {
            None => return Ok(true),
            Some([]) => return Ok(false),
            Some(message) => decode::<Command>(message)?,
        };
        match message {
            Command::Open(open) => self.open(&open)?,
            Command::Close { id } => self.close(id)?,
            Command::OwnAddresses { id, own } => {
                if let Some(interface) = self.interfaces.get_mut(&id) {
                    interface.set_own(own);
                }
            }
            Command::Watch(watch) => self.watches.start(watch, self.timeline.now()),
            Command::StopWatch { watch } => {
                if let Some(last) = self.watches.stop(watch) {
                    self.outbox.tell(&last)?;
                }
            }
            Command::Finish => {
                self.finishing = true;
                self.interfaces.values_mut().for_each(Interface::close);
            }
        }
        self.busy = true;
        self.tick = self.tick.min(Instant::now() + TICK);
        Ok(true)
    }

    fn open(&mut self, open: &Open) -> Result<(), WorkerError> {
        let id = open.id;
        let begun = Instant::now();
        let outcome = if !self.may_capture {
            Err(OpenError::NoPermission)
        } else if self.interfaces.len() >= MOST_INTERFACES || self.interfaces.contains_key(&id) {
            let reason =
                format!("{} interfaces are open, {MOST_INTERFACES} are possible", self.interfaces.len());
            Err(OpenError::Pcap { step: format!("open {}", open.wanted.interface), reason })
        } else {
            Interface::open(open, self.seed, self.owners.as_ref())
        };
        let answer = match outcome {
            Ok(interface) => {
                let link_type = interface.link_type();
                self.interfaces.insert(id, interface);
                self.owners.iter().for_each(Owners::interface_opened);
                Record::Opened {
                    id,
                    link_type,
                    micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                }
            }
            Err(error) => Record::Failed { id, error },
        };
        Ok(self.outbox.tell(&answer)?)
    }

    fn close(&mut self, id: u16) -> Result<(), WorkerError> {
        match self.interfaces.get_mut(&id) {
            Some(interface) => interface.close(),
            None => self.outbox.tell(&Record::Closed { id })?,
        }
        Ok(())
    }
}

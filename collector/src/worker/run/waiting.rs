//! What the worker waits for: the collector's commands, packets, first packets where they are asked for, and the tick.
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Interface, MOST_ANSWERS, Worker, WorkerError};

/// What poll(2) found.
pub(super) struct Ready {
    pub(super) command: bool,
    pub(super) interfaces: Vec<(u16, PollFlags)>,
    /// Those on which connections have begun.
    pub(super) connecting: Vec<u16>,
}

impl Worker<'_> {
    pub(super) fn wait(&mut self) -> Result<Ready, WorkerError> {
        let until_tick = self.tick.saturating_duration_since(Instant::now());
        let patience = self.interfaces.values().filter_map(Interface::patience).min();
        let wait = patience.map_or(until_tick, |patience| patience.min(until_tick));
        let wait = PollTimeout::try_from(wait + Duration::from_micros(999)).unwrap_or(PollTimeout::ZERO);
        let mut own = PollFlags::empty();
        own.set(PollFlags::POLLIN, self.outbox.queued() < MOST_ANSWERS);
        own.set(PollFlags::POLLOUT, !self.outbox.has_room());
        let polled: Vec<(u16, BorrowedFd<'_>)> = self
            .interfaces
            .iter()
            .filter_map(|(id, interface)| Some((*id, interface.descriptor()?)))
            .collect();
        let connecting = self.interfaces.iter().filter(|_| self.pace.has_room());
        let connecting: Vec<(u16, BorrowedFd<'_>)> = connecting
            .filter_map(|(id, interface)| Some((*id, interface.first_packets_descriptor()?)))
            .collect();
        let mut descriptors = vec![PollFd::new(self.socket, own)];
        let watched = polled.iter().chain(&connecting);
        descriptors.extend(watched.map(|(_, descriptor)| PollFd::new(*descriptor, PollFlags::POLLIN)));
        match poll(&mut descriptors, wait) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(WorkerError::Poll(error)),
        }
        let mut found =
            descriptors.iter().map(|descriptor| descriptor.revents().unwrap_or(PollFlags::empty()));
        let command = found.next().is_some_and(|flags| {
            flags.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR)
        });
        let ready = |(_, flags): &(u16, PollFlags)| !flags.is_empty();
        let interfaces = polled.iter().map(|(id, _)| *id).zip(found.by_ref()).filter(ready).collect();
        let connecting = connecting.iter().map(|(id, _)| *id).zip(found).filter(ready).map(|(id, _)| id);
        Ok(Ready { command, interfaces, connecting: connecting.collect() })
    }
}

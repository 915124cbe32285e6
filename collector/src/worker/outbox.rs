//! Messages on their way to the collector. A socket that is full delays, it never blocks and nothing is thrown away: an
//! encoded message waits here until the socket takes it, and who has more to tell asks for room first.
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};

use super::records::{MOST_MESSAGE_BYTES, Record, RecordError, encode};

/// The link to the collector has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("send to the collector")]
    Send(#[source] Errno),
    #[error("receive from the collector")]
    Receive(#[source] Errno),
    #[error("message")]
    Message(#[from] RecordError),
}

pub(super) struct Outbox<'a> {
    socket: BorrowedFd<'a>,
    waiting: VecDeque<Vec<u8>>,
    sent: u64,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(socket: BorrowedFd<'a>) -> Self {
        Self { socket, waiting: VecDeque::new(), sent: 0 }
    }

    /// Answers to commands and what happens to interfaces; so few that they may always queue. Traffic asks `has_room`.
    pub(super) fn tell(&mut self, record: &Record) -> Result<(), LinkError> {
        self.waiting.push_back(encode(record)?);
        self.flush()
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Messages that the socket took.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn flush(&mut self) -> Result<(), LinkError> {
        while let Some(message) = self.waiting.front() {
            match send(self.socket.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => {
                    self.waiting.pop_front();
                    self.sent += 1;
                }
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => return Ok(()),
                Err(error) => return Err(LinkError::Send(error)),
            }
        }
        Ok(())
    }
}

/// The next message, None where none waits, an empty one where the other end is closed.
pub(super) fn receive<'a>(
    socket: BorrowedFd<'_>,
    buffer: &'a mut [u8],
) -> Result<Option<&'a [u8]>, LinkError> {
    match recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC) {
        Ok(length) => match buffer.get(..length) {
            Some(message) if length <= MOST_MESSAGE_BYTES => Ok(Some(message)),
            _ => Err(RecordError::Length(length).into()),
        },
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        Err(Errno::ECONNRESET) => Ok(Some(&[])), // it ended with messages unread
        Err(error) => Err(LinkError::Receive(error)),
    }
}

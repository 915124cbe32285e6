//! The thread that looks up owners, and what leads to it and back.
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::Mode;
use super::clocks::Boot;
use super::early::{self, Connections};
use super::questions::{Answer, Ends, Question, Tallies};
use super::refresh::Refresher;
use super::sources::Sources;

const QUESTIONS_WAITING: usize = 8_192;
const ANSWERS_WAITING: usize = 64;

/// The engine's ends of what leads to the thread and back.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) questions: SyncSender<Question>,
    pub(super) answers: Receiver<Vec<Answer>>,
    pub(super) wake: Arc<EventFd>,
    pub(super) tallies: Arc<Tallies>,
    pub(super) sources: Sources,
    /// Where nobody else tells who begins a connection.
    pub(super) connections: Option<Connections>,
    pub(super) ended: bool,
}

impl Thread {
    pub(super) fn start(boot: Boot, mode: Mode) -> std::io::Result<Self> {
        let (questions, heard) = sync_channel(QUESTIONS_WAITING);
        let (answers, told) = sync_channel(ANSWERS_WAITING);
        let (ready, sources) = sync_channel(1);
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let tallies = Arc::new(Tallies::default());
        let (found, woken) = (questions.clone(), Arc::clone(&wake));
        let ends =
            Ends { questions: heard, answers, wake: Arc::clone(&wake), tallies: Arc::clone(&tallies), boot };
        std::thread::Builder::new().name("attribution".to_owned()).spawn(move || {
            let opened = Refresher::open(ends, mode);
            let (refresher, opened) = match opened {
                Ok((refresher, sources)) => {
                    // by this thread, whose privileges it gets
                    let connections = sources.lacks_events().then(|| early::start(found, woken)).flatten();
                    (Some(refresher), Ok((sources, connections)))
                }
                Err(error) => (None, Err(std::io::Error::other(error))),
            };
            // fails only when the other half is gone already, and then the thread ends by itself
            drop(ready.send(opened));
            if let Some(refresher) = refresher {
                refresher.run();
            }
        })?;
        let (sources, connections) = sources.recv().map_err(std::io::Error::other)??;
        Ok(Self { questions, answers: told, wake, tallies, sources, connections, ended: false })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // it looks whether anybody still asks when it is woken, and after the questions' end is closed
        let (closed, _) = sync_channel(1);
        self.questions = closed;
        self.connections = None;
        self.wake.write(1).ok();
    }
}

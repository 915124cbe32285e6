//! Windows that have ended on some interfaces and wait for the others.
use std::collections::{BTreeMap, VecDeque};

use weir_shared::report::{InterfaceWindow, Window};

use super::interface::Capture;
use super::{joined, timestamp};

#[derive(Debug)]
struct Waiting {
    number: u64,
    start: u64,
    length: u64,
    parts: Vec<(u16, InterfaceWindow)>,
}

/// In the order in which they began to end.
#[derive(Debug)]
pub(super) struct Pending {
    windows: VecDeque<Waiting>,
    next: u64,
    most: usize,
}

impl Pending {
    pub(super) fn new(most: usize) -> Self {
        Self { windows: VecDeque::new(), next: 0, most: most.max(1) }
    }

    /// The number of the next window: who is opened now is not waited for before it.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn ended(&mut self, id: u16, start: u64, length: u64, part: InterfaceWindow) {
        let later =
            self.windows.iter().rposition(|window| window.parts.iter().any(|(other, _)| *other == id));
        let from = later.map_or(0, |place| place + 1);
        let same = self.windows.iter_mut().skip(from).find(|window| window.start == start);
        if let Some(window) = same {
            window.length = window.length.max(length);
            window.parts.push((id, part));
            return;
        }
        let number = self.next;
        self.next += 1;
        self.windows.push_back(Waiting { number, start, length, parts: vec![(id, part)] });
    }

    /// The oldest window, once every open interface has ended it or a later one; or when too many wait.
    pub(super) fn take(&mut self, captures: &BTreeMap<u16, Capture>) -> Option<Window> {
        let front = self.windows.front()?;
        let ended =
            |id: &u16| self.windows.iter().any(|window| window.parts.iter().any(|(other, _)| other == id));
        let ready = captures.iter().all(|(id, capture)| capture.opened_at > front.number || ended(id));
        if !ready && self.windows.len() <= self.most {
            return None;
        }
        let window = self.windows.pop_front()?;
        Some(Window {
            start: timestamp(window.start),
            length_millis: u32::try_from(window.length.div_ceil(1_000_000)).unwrap_or(u32::MAX),
            interfaces: joined::by_interface(window.parts.into_iter().map(|(_, part)| part).collect()),
        })
    }
}

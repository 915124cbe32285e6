//! Small numbers for owners, and what each one means, told once before any flow refers to it.
use std::collections::VecDeque;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use weir_shared::text;

use super::event::{Holder, Program, ProgramEvent, until_zero};

/// Owners whose numbers are remembered. One that is forgotten and comes back gets another number.
const MOST_OWNERS: usize = 65_536;
/// Programs that have made a socket and not used it yet.
const MOST_PROGRAMS: usize = 4_096;
/// Owners that wait to be told; told at every tick, so this is never reached unless the collector stands still.
const MOST_UNTOLD: usize = 65_536;
/// Owners of one record: 64 of them stay under the bound of a message.
pub(super) const MOST_IN_RECORD: usize = 32;

/// Escaped: a byte can become four.
const MOST_NAME_BYTES: usize = 64;
const MOST_TEXT_BYTES: usize = 512;

/// Those under it have a meaning of their own (`attribution::OwnerId`).
const FIRST_NUMBER: u32 = 16;

/// What a number of the worker's means, from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRecord {
    pub number: u32,
    pub pid: u32,
    /// Of the process, nanoseconds since boot.
    pub start: u64,
    /// Of a process's programs, one after the other by exec(2), which one.
    pub exec: u32,
    pub user: u32,
    pub cgroup: u64,
    /// comm of the thread group's leader; escaped, as the texts below.
    pub name: Box<str>,
    /// Of the executable, as far as known; `…/` before it where its first folders are not. Else empty.
    pub executable: Box<str>,
    /// Cut to 255 bytes; empty where it is not known.
    pub command_line: Box<str>,
}

impl OwnerRecord {
    /// What a reader should refuse.
    pub fn over_bound(&self) -> Option<&'static str> {
        let texts = [
            (&self.name, MOST_NAME_BYTES, "an owner's name"),
            (&self.executable, 2 * MOST_TEXT_BYTES, "an executable's path"),
            (&self.command_line, 2 * MOST_TEXT_BYTES, "a command line"),
        ];
        let texts = texts.iter().find(|(text, most, _)| text.len() > *most).map(|(_, _, what)| *what);
        if self.number < FIRST_NUMBER { Some("an owner's number") } else { texts }
    }
}

#[derive(Debug, Default)]
struct Details {
    executable: Box<str>,
    command_line: Box<str>,
}

#[derive(Debug)]
pub(super) struct Numbers {
    next: u32,
    known: HashMap<Program, u32>,
    in_order: VecDeque<Program>,
    details: HashMap<Program, Details>,
    details_in_order: VecDeque<Program>,
    untold: VecDeque<OwnerRecord>,
    pub(super) lost: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            next: FIRST_NUMBER,
            known: HashMap::new(),
            in_order: VecDeque::new(),
            details: HashMap::new(),
            details_in_order: VecDeque::new(),
            untold: VecDeque::new(),
            lost: 0,
        }
    }
}

impl Numbers {
    /// Comes before the first use of a socket by this program.
    pub(super) fn program(&mut self, event: ProgramEvent) {
        let text = |bytes: &[u8]| cut(text::escape_bytes(bytes), MOST_TEXT_BYTES);
        let details = Details { executable: text(&event.path), command_line: text(&event.command_line) };
        if self.details.insert(event.program, details).is_none() {
            self.details_in_order.push_back(event.program);
        }
        if self.details_in_order.len() > MOST_PROGRAMS
            && let Some(oldest) = self.details_in_order.pop_front()
        {
            self.details.remove(&oldest);
        }
    }

    /// The number of who an event names.
    pub(super) fn of(&mut self, holder: &Holder) -> u32 {
        if let Some(number) = self.known.get(&holder.program) {
            return *number;
        }
        let number = self.next;
        self.next = self.next.checked_add(1).unwrap_or(FIRST_NUMBER);
        self.known.insert(holder.program, number);
        self.in_order.push_back(holder.program);
        if self.in_order.len() > MOST_OWNERS
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.tell(holder, number);
        number
    }

    fn tell(&mut self, holder: &Holder, number: u32) {
        if self.untold.len() >= MOST_UNTOLD {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        let details = self.details.remove(&holder.program).unwrap_or_default();
        self.untold.push_back(OwnerRecord {
            number,
            pid: holder.program.pid,
            start: holder.program.start,
            exec: holder.program.exec,
            user: holder.user,
            cgroup: holder.cgroup,
            name: cut(text::escape_bytes(until_zero(&holder.name)), MOST_NAME_BYTES),
            executable: details.executable,
            command_line: details.command_line,
        });
    }

    pub(super) fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<OwnerRecord> {
        let many = self.untold.len().min(MOST_IN_RECORD);
        self.untold.drain(..many).collect()
    }
}

fn cut(mut text: String, most: usize) -> Box<str> {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::told;
    use super::super::event::{Event, How};
    use super::*;

    fn event(pid: u32, name: &str) -> Holder {
        match Event::read(&told((1, How::Made, 1), (1, 1), (pid, name), None)) {
            Some(Event::Socket(event)) => event.holder,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_owner_is_told_once_and_exec_makes_another_one() {
        let mut numbers = Numbers::default();
        let curl = event(1, "curl");
        assert_eq!(numbers.of(&curl), numbers.of(&curl));
        let mut after_exec = curl.clone();
        after_exec.program.exec += 1;
        assert_ne!(numbers.of(&after_exec), numbers.of(&curl));
        let told = numbers.take();
        assert_eq!(told.iter().map(|owner| (owner.pid, &*owner.name)).collect::<Vec<_>>(), [(1, "curl"); 2]);
        assert!(!numbers.has_untold() && told.iter().all(|owner| owner.over_bound().is_none()));
    }

    #[test]
    fn what_a_process_calls_itself_is_made_harmless() {
        let mut numbers = Numbers::default();
        let hostile = event(1, "\x1b[2J\u{202e}abc");
        let line = ProgramEvent {
            time: 0,
            program: hostile.program,
            path: b"/tmp/\n".to_vec(),
            command_line: vec![0xff; 255],
        };
        numbers.program(line);
        numbers.of(&hostile);
        let told = numbers.take();
        assert_eq!((&*told[0].name, &*told[0].executable), ("\\x1b[2J\\u{202e}abc", "/tmp/\\x0a"));
        assert!(told[0].command_line.len() <= MOST_TEXT_BYTES && told[0].over_bound().is_none());
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut numbers = Numbers::default();
        let first = numbers.of(&event(1, "first"));
        for pid in 2..u32::try_from(MOST_OWNERS + 2).unwrap() {
            numbers.of(&event(pid, "x"));
            drop(numbers.take());
        }
        assert_eq!(numbers.known.len(), MOST_OWNERS);
        assert_ne!(numbers.of(&event(1, "first")), first);
    }
}

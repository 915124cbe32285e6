//! Alerts, events and gaps, newest first.
use jiff::Timestamp;
use shared::alert::{Alert, AlertState, Event, Severity};
use shared::journal::{JournalEntry, JournalRecord};
use shared::report::Gap;
use weir_shared as shared;

/// More is history, and `weir alerts` has it.
const MOST_NOTES: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Level {
    Event,
    Info,
    Warning,
    Critical,
}

impl Level {
    pub(in super::super) const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Note {
    /// The same however it came: by the journal or by a list of alerts.
    pub key: String,
    pub time: Timestamp,
    pub level: Level,
    /// Of an alert; empty of what does not last.
    pub state: &'static str,
    pub kind: String,
    pub subject: String,
    pub message: String,
    /// Name and value, as far as there is any.
    pub evidence: Vec<(String, String)>,
}

impl Note {
    /// Nothing for what is no news, such as a window.
    pub(in super::super) fn of(entry: JournalEntry) -> Option<Self> {
        match entry.record {
            JournalRecord::Alert(alert) => Some(Self::alert(*alert)),
            JournalRecord::Event(event) => Some(Self::event(event)),
            JournalRecord::Gap(gap) => Some(Self::gap(gap)),
            JournalRecord::Window(_) | JournalRecord::Session(_) => None,
        }
    }

    pub(in super::super) fn alert(alert: Alert) -> Self {
        let state = match alert.state {
            AlertState::Start => "start",
            AlertState::Update => "update",
            AlertState::End => "end",
        };
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Self {
            key: format!("alert {} {} {state}", alert.id, alert.time),
            time: alert.time,
            level: match alert.severity {
                Severity::Info => Level::Info,
                Severity::Warning => Level::Warning,
                Severity::Critical => Level::Critical,
            },
            state,
            kind: alert.kind,
            subject: alert.subject,
            message: alert.message,
            evidence: alert.evidence.into_iter().map(|(name, value)| (name, text(value))).collect(),
        }
    }

    fn event(event: Event) -> Self {
        Self {
            key: format!("event {} {} {}", event.kind, event.time, event.subject),
            time: event.time,
            level: Level::Event,
            state: "",
            kind: event.kind,
            subject: event.subject,
            message: event.message,
            evidence: Vec::new(),
        }
    }

    fn gap(gap: Gap) -> Self {
        Self {
            key: format!("gap {} {} {}", gap.start, gap.end, gap.interface),
            time: gap.end,
            level: Level::Warning,
            state: "",
            kind: "gap".to_owned(),
            subject: if gap.interface.is_empty() { "all".to_owned() } else { gap.interface },
            message: format!("Not seen: {}", gap.reason),
            evidence: vec![
                ("from".to_owned(), gap.start.to_string()),
                ("to".to_owned(), gap.end.to_string()),
                ("kernel_bytes".to_owned(), gap.kernel.bytes().to_string()),
            ],
        }
    }
}

#[derive(Debug, Default)]
pub(in super::super) struct Notes {
    /// Newest first.
    list: Vec<Note>,
}

impl Notes {
    /// Once each, in order of time; the oldest go where there are too many.
    pub(super) fn insert(&mut self, note: Note) {
        let at = self.list.partition_point(|other| other.time > note.time);
        let same_time = self.list.iter().skip(at).take_while(|other| other.time == note.time);
        if same_time.clone().any(|other| other.key == note.key) {
            return;
        }
        self.list.insert(at, note);
        self.list.truncate(MOST_NOTES);
    }

    pub(in super::super) fn newest(&self) -> impl Iterator<Item = &Note> {
        self.list.iter()
    }
}

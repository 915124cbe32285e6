//! Keeps the link to the collector: the live view and the journal as messages, and who to ask meanwhile.
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use shared::client::{Backoff, ClientError, Collector, Incoming, Link};
use shared::error::ErrorChain;
use shared::journal::{JournalEntry, JournalKind};
use shared::live::Live;
use tokio::sync::mpsc::Sender;
use tokio::time::MissedTickBehavior;
use weir_shared as shared;

use super::message::Message;
use super::state::{Level, Note};

/// How often the collector is asked what it says of itself.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// Journal entries that are looked through for events at the start; with windows of ten seconds, half a day.
const LOOK_BACK: u64 = 5_000;
const ALERTS_AT_START: u32 = 200;
const KINDS: [JournalKind; 3] = [JournalKind::Alert, JournalKind::Event, JournalKind::Gap];

/// Why a connection is no longer followed.
enum Ended {
    Lost(ClientError),
    /// The collector closed its stream.
    Stopped,
    /// Nobody listens any more.
    Quit,
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Self::Lost(error)
    }
}

/// Where the journal was left.
#[derive(Debug, Default)]
struct Position {
    journal_id: String,
    next: u64,
}

/// Until nobody listens. `first` is the connection that was made before the screen was opened.
pub(super) async fn keep(path: PathBuf, first: Collector, messages: Sender<Message>) {
    let mut follower = Follower { messages, position: Position::default(), backoff: Backoff::default() };
    let mut connected = Some(first);
    let mut down_since = None;
    loop {
        let collector = match connected.take() {
            Some(collector) => Ok(collector),
            None => Collector::connect(&path).await,
        };
        let ended = match collector {
            Ok(collector) => match follower.follow(&collector, &mut down_since).await {
                Ok(never) => match never {},
                Err(ended) => ended,
            },
            Err(error) => Ended::Lost(error),
        };
        let reason = match ended {
            Ended::Lost(error) => ErrorChain(&error).to_string(),
            Ended::Stopped => "the collector stopped".to_owned(),
            Ended::Quit => return,
        };
        let since = *down_since.get_or_insert_with(Timestamp::now);
        let retry_in = follower.backoff.next_delay();
        if follower.send(Message::Down(Link::Down { since, retry_in, reason })).await.is_err() {
            return;
        }
        tokio::time::sleep(retry_in).await;
    }
}

struct Follower {
    messages: Sender<Message>,
    position: Position,
    backoff: Backoff,
}

impl Follower {
    async fn follow(
        &mut self,
        collector: &Collector,
        down_since: &mut Option<Timestamp>,
    ) -> Result<std::convert::Infallible, Ended> {
        let mut live = collector.subscribe().await?;
        self.introduce(collector).await?;
        self.backoff.reset();
        *down_since = None;
        let mut entries = self.journal(collector).await?;
        let mut again = tokio::time::interval(STATUS_EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        again.reset();
        loop {
            tokio::select! {
                message = live.next() => match message.ok_or(Ended::Stopped)?? {
                    Live::Snapshot { now, .. } | Live::Update { now, .. } => {
                        self.send(Message::Live(Box::new(now))).await?;
                    }
                },
                entry = entries.next() => match entry {
                    Some(Ok(entry)) => self.entry(entry).await?,
                    Some(Err(error)) => {
                        self.complain(&error).await?;
                        entries = stream::pending().boxed();
                    }
                    None => entries = stream::pending().boxed(),
                },
                _ = again.tick() => self.introduce(collector).await?,
            }
        }
    }

    /// Tells what the collector says of itself, and that it can be asked.
    async fn introduce(&mut self, collector: &Collector) -> Result<(), Ended> {
        let status = collector.status().await?;
        let interfaces = collector.interfaces().await?;
        if self.position.journal_id != status.journal_id {
            self.position = Position {
                journal_id: status.journal_id.clone(),
                next: status.last_sequence.saturating_sub(LOOK_BACK),
            };
        }
        self.send(Message::Up {
            collector: Box::new(collector.clone()),
            status: Box::new(status),
            interfaces,
        })
        .await
    }

    /// The journal from where it was left. The screen goes on without it.
    async fn journal(&mut self, collector: &Collector) -> Result<Incoming<JournalEntry>, Ended> {
        match collector.alerts(ALERTS_AT_START).await {
            Ok(alerts) => {
                for alert in alerts {
                    self.send(Message::Note(Box::new(Note::alert(alert)))).await?;
                }
            }
            Err(error) => self.complain(&error).await?,
        }
        match collector.journal(self.position.next, &KINDS).await {
            Ok((_, entries)) => Ok(entries),
            Err(error) => {
                self.complain(&error).await?;
                Ok(stream::pending().boxed())
            }
        }
    }

    async fn entry(&mut self, entry: JournalEntry) -> Result<(), Ended> {
        self.position.next = entry.sequence.saturating_add(1);
        match Note::of(entry) {
            Some(note) => self.send(Message::Note(Box::new(note))).await,
            None => Ok(()),
        }
    }

    async fn complain(&self, error: &ClientError) -> Result<(), Ended> {
        let time = Timestamp::now();
        let note = Note {
            key: format!("journal {time}"),
            time,
            level: Level::Warning,
            state: "",
            kind: "journal".to_owned(),
            subject: "journal".to_owned(),
            message: format!("New alerts and events are not shown: {}", ErrorChain(error)),
            evidence: Vec::new(),
        };
        self.send(Message::Note(Box::new(note))).await
    }

    async fn send(&self, message: Message) -> Result<(), Ended> {
        self.messages.send(message).await.map_err(|_| Ended::Quit)
    }
}

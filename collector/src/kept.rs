//! What people have set or started and expect to find again after a restart: the running session, the last that ended,
//! the process bandwidth threshold.
use std::path::Path;

use jiff::Timestamp;
use prost::Message as _;
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};
use shared::health::Degraded;
use shared::session::Session;
use shared::wire::v1;
use weir_shared as shared;

use crate::database::{DatabaseError, Schema, Store};

pub const FILE_NAME: &str = "kept.redb";
/// Ended sessions that are kept here; history has them all.
pub const MOST_ENDED: usize = 50;

/// By id, as on the wire.
const SESSIONS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("sessions");
const FIGURES: TableDefinition<'static, &str, i64> = TableDefinition::new("figures");
/// Wall time at which the running session was written last.
const SAVED: &str = "saved";
const THRESHOLD: &str = "process_threshold";

const SCHEMA: Schema = Schema { check: |transaction| read(transaction).map(drop), create };

/// All that the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The running session as it was written last, and when.
    pub running: Option<(Session, Timestamp)>,
    /// Newest first.
    pub ended: Vec<Session>,
    /// Bytes a second; None: nobody has set it.
    pub process_threshold: Option<u64>,
}

/// Calls block on the disk.
#[derive(Debug)]
pub struct Kept {
    store: Store,
}

impl Kept {
    /// Opens `kept.redb` in `directory`. A corrupt file is moved aside and a new one begun: see [`Kept::degraded`].
    ///
    /// # Errors
    /// Another collector has it open, or it cannot be created or written.
    pub fn open(directory: &Path) -> Result<(Self, Contents), DatabaseError> {
        let store = Store::open("sessions", directory.join(FILE_NAME), SCHEMA)?;
        let contents = store.read(read)?;
        Ok((Self { store }, contents))
    }

    pub fn degraded(&self) -> Vec<Degraded> {
        self.store.degraded()
    }

    /// The running session as it stands.
    pub fn save(&self, session: &Session, now: Timestamp) -> Result<(), DatabaseError> {
        self.store.write(|transaction| {
            put(transaction, session)?;
            transaction.open_table(FIGURES)?.insert(SAVED, now.as_millisecond())?;
            Ok(())
        })
    }

    /// A session that ended, and the one that begins with it, if any: in one transaction.
    pub fn end(&self, ended: &Session, next: Option<&Session>, now: Timestamp) -> Result<(), DatabaseError> {
        self.store.write(|transaction| {
            put(transaction, ended)?;
            if let Some(next) = next {
                put(transaction, next)?;
            }
            transaction.open_table(FIGURES)?.insert(SAVED, now.as_millisecond())?;
            let mut sessions = transaction.open_table(SESSIONS)?;
            let ids: Vec<u64> =
                sessions.iter()?.map(|entry| Ok(entry?.0.value())).collect::<Result<_, redb::Error>>()?;
            for old in ids.iter().rev().skip(MOST_ENDED + 1) {
                sessions.remove(*old)?;
            }
            Ok(())
        })
    }

    pub fn set_process_threshold(&self, bytes_per_second: u64) -> Result<(), DatabaseError> {
        let value = i64::try_from(bytes_per_second).unwrap_or(i64::MAX);
        self.store.write(|transaction| {
            transaction.open_table(FIGURES)?.insert(THRESHOLD, value)?;
            Ok(())
        })
    }
}

fn put(transaction: &WriteTransaction, session: &Session) -> Result<(), redb::Error> {
    let encoded = v1::Session::from(session).encode_to_vec();
    transaction.open_table(SESSIONS)?.insert(session.id, encoded.as_slice())?;
    Ok(())
}

fn create(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(SESSIONS)?;
    transaction.open_table(FIGURES)?;
    Ok(())
}

fn read(transaction: &ReadTransaction) -> Result<Contents, redb::Error> {
    let figures = transaction.open_table(FIGURES)?;
    let figure = |name| Ok::<_, redb::Error>(figures.get(name)?.map(|figure| figure.value()));
    let saved =
        figure(SAVED)?.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or_default();
    let mut contents = Contents {
        process_threshold: figure(THRESHOLD)?.map(|value| u64::try_from(value).unwrap_or(0)),
        ..Contents::default()
    };
    for entry in transaction.open_table(SESSIONS)?.iter()? {
        let (id, encoded) = entry?;
        let corrupt = |reason: String| redb::Error::Corrupted(format!("session {}: {reason}", id.value()));
        let session = v1::Session::decode(encoded.value()).map_err(|error| corrupt(error.to_string()))?;
        let session = Session::try_from(session).map_err(|error| corrupt(error.to_string()))?;
        match session.end {
            None => contents.running = Some((session, saved)),
            Some(_) => contents.ended.insert(0, session),
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: u64, end: Option<i64>) -> Session {
        Session {
            id,
            name: "night".to_owned(),
            begin: Timestamp::from_millisecond(5).unwrap(),
            end: end.map(|end| Timestamp::from_millisecond(end).unwrap()),
            gap_millis: 0,
            traffic: Default::default(),
            interfaces: Vec::new(),
            owners: Default::default(),
        }
    }

    #[test]
    fn a_running_session_and_the_threshold_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, contents) = Kept::open(folder.path()).unwrap();
        assert_eq!(contents, Contents::default());
        let now = Timestamp::from_millisecond(9_000).unwrap();
        kept.save(&session(1, None), now).unwrap();
        kept.set_process_threshold(0).unwrap();
        drop(kept);
        let (_, contents) = Kept::open(folder.path()).unwrap();
        assert_eq!(contents.running, Some((session(1, None), now)));
        assert_eq!(contents.process_threshold, Some(0));
    }

    #[test]
    fn ended_sessions_come_newest_first_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, _) = Kept::open(folder.path()).unwrap();
        let now = Timestamp::from_millisecond(9_000).unwrap();
        for id in 1..=60 {
            let next = session(id + 1, None);
            kept.end(&session(id, Some(8)), Some(&next), now).unwrap();
        }
        drop(kept);
        let (_, contents) = Kept::open(folder.path()).unwrap();
        assert_eq!(contents.running.unwrap().0.id, 61);
        let ids: Vec<u64> = contents.ended.iter().map(|session| session.id).collect();
        assert_eq!(ids, (11..=60).rev().collect::<Vec<_>>());
    }
}

//! The journal's tables and the transactions over them.
use std::borrow::Cow;
use std::io;

use jiff::Timestamp;
use prost::Message as _;
use redb::{ReadTransaction, ReadableTable as _, Table, TableDefinition, WriteTransaction};
use ring::rand::{SecureRandom as _, SystemRandom};
use shared::alert::Alert;
use shared::journal::{JournalEntry, JournalKind, JournalOpened, JournalRecord};
use shared::report::{Gap, KernelCounters};
use shared::wire::v1;
use shared::wire::v1::journal_entry::Content;
use weir_shared as shared;

use super::{Kinds, packing};
use crate::database::Schema;

type Stored = (u8, i64, &'static [u8]);

/// By sequence: kind, time of the append in milliseconds since the epoch, encoded `v1::JournalEntry`, packed.
const ENTRIES: TableDefinition<'static, u64, Stored> = TableDefinition::new("entries");
/// (kind, sequence): finds entries of one kind, and each one's predecessor.
const KINDS: TableDefinition<'static, (u8, u64), ()> = TableDefinition::new("kinds");
const FIGURES: TableDefinition<'static, &str, u64> = TableDefinition::new("figures");
const IDENTITY: TableDefinition<'static, &str, &str> = TableDefinition::new("identity");

const NEXT_SEQUENCE: &str = "next_sequence";
const STORED_BYTES: &str = "stored_bytes";
const JOURNAL_ID: &str = "journal_id";

const WINDOW: u8 = 1;
const ALERT: u8 = 2;
const GAP: u8 = 3;
const SESSION: u8 = 4;
const EVENT: u8 = 5;

/// What an entry takes beside its packed encoding: keys, kind and time in both tables.
const ENTRY_OVERHEAD_BYTES: u64 = 40;

/// What stays after an append.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) stored_bytes: u64,
    pub(super) oldest: Timestamp,
}

pub(super) const SCHEMA: Schema = Schema { check: |transaction| opened(transaction).map(drop), create };

fn create(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(ENTRIES)?;
    transaction.open_table(KINDS)?;
    transaction.open_table(FIGURES)?;
    let mut identity = transaction.open_table(IDENTITY)?;
    if identity.get(JOURNAL_ID)?.is_none() {
        identity.insert(JOURNAL_ID, new_id()?.as_str())?;
    }
    Ok(())
}

/// 128 random bits in hexadecimal.
fn new_id() -> Result<String, redb::Error> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| redb::Error::Io(std::io::Error::other("no random numbers")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) fn append(
    transaction: &WriteTransaction,
    records: &[JournalRecord],
    now: Timestamp,
    bounds: Bounds,
) -> Result<u64, redb::Error> {
    let mut entries = transaction.open_table(ENTRIES)?;
    let mut kinds = transaction.open_table(KINDS)?;
    let mut figures = transaction.open_table(FIGURES)?;
    let mut next = figure(&figures, NEXT_SEQUENCE)?.unwrap_or(1);
    let mut stored = figure(&figures, STORED_BYTES)?.unwrap_or(0);
    for record in records {
        let packed = packing::pack(encode(next, record));
        stored = stored.saturating_add(stored_bytes(&packed));
        let kind = kind_of(record);
        entries.insert(next, (kind, now.as_millisecond(), packed.as_slice()))?;
        kinds.insert((kind, next), ())?;
        next += 1;
    }
    let newest = next - 1;
    while let Some(oldest) = oldest_beyond(&entries, stored, newest, bounds)? {
        let Some(removed) = entries.remove(oldest)? else { break };
        let (kind, _, packed) = removed.value();
        stored = stored.saturating_sub(stored_bytes(packed));
        kinds.remove((kind, oldest))?;
        figures.insert(last_removed(kind), oldest)?;
    }
    figures.insert(NEXT_SEQUENCE, next)?;
    figures.insert(STORED_BYTES, stored)?;
    Ok(newest)
}

/// The oldest entry if it has to go; never the newest.
fn oldest_beyond(
    entries: &Table<'_, u64, Stored>,
    stored: u64,
    newest: u64,
    bounds: Bounds,
) -> Result<Option<u64>, redb::Error> {
    let Some((sequence, value)) = entries.first()? else { return Ok(None) };
    let (_, appended, _) = value.value();
    let beyond = stored > bounds.stored_bytes || appended < bounds.oldest.as_millisecond();
    Ok(Some(sequence.value()).filter(|sequence| beyond && *sequence < newest))
}

pub(super) fn last_sequence(transaction: &ReadTransaction) -> Result<u64, redb::Error> {
    Ok(next_sequence(transaction)?.saturating_sub(1))
}

pub(super) fn next_sequence(transaction: &ReadTransaction) -> Result<u64, redb::Error> {
    Ok(figure(&transaction.open_table(FIGURES)?, NEXT_SEQUENCE)?.unwrap_or(1))
}

pub(super) fn opened(transaction: &ReadTransaction) -> Result<JournalOpened, redb::Error> {
    let identity = transaction.open_table(IDENTITY)?;
    let id = identity.get(JOURNAL_ID)?.map(|id| id.value().to_owned());
    let id = id.ok_or_else(|| redb::Error::Corrupted("the journal has no id".to_owned()))?;
    let next_sequence = next_sequence(transaction)?;
    let oldest = transaction.open_table(ENTRIES)?.first()?.map(|(sequence, _)| sequence.value());
    Ok(JournalOpened { journal_id: id, oldest_sequence: oldest.unwrap_or(next_sequence), next_sequence })
}

pub(super) fn read(
    transaction: &ReadTransaction,
    from: u64,
    kinds: Kinds,
    limit_entries: usize,
    limit_bytes: usize,
) -> Result<Vec<JournalEntry>, redb::Error> {
    let sequences = sequences(transaction, from, kinds, limit_entries)?;
    let Some(first) = sequences.first() else { return Ok(Vec::new()) };
    let mut previous = predecessor(transaction, *first, kinds)?;
    let entries = transaction.open_table(ENTRIES)?;
    let mut found = Vec::with_capacity(sequences.len());
    let mut bytes = 0;
    for sequence in sequences {
        let Some(stored) = entries.get(sequence)? else {
            return Err(redb::Error::Corrupted(format!("entry {sequence} is missing")));
        };
        let (_, appended, packed) = stored.value();
        let encoded = packing::unpack(packed);
        bytes += encoded.as_ref().map_or(0, |encoded| encoded.len());
        if bytes > limit_bytes && !found.is_empty() {
            break;
        }
        let record = decode(encoded, appended);
        found.push(JournalEntry { sequence, previous_sequence: previous, record });
        previous = sequence;
    }
    Ok(found)
}

/// The first sequences of the wanted kinds, in order.
fn sequences(
    transaction: &ReadTransaction,
    from: u64,
    kinds: Kinds,
    limit: usize,
) -> Result<Vec<u64>, redb::Error> {
    let index = transaction.open_table(KINDS)?;
    let mut found = Vec::new();
    for kind in wanted(kinds) {
        for entry in index.range((kind, from)..=(kind, u64::MAX))?.take(limit) {
            found.push(entry?.0.value().1);
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    Ok(found)
}

/// The last entry of the wanted kinds before this one, be it still held or removed by the ring; 0: there was none.
fn predecessor(transaction: &ReadTransaction, sequence: u64, kinds: Kinds) -> Result<u64, redb::Error> {
    let index = transaction.open_table(KINDS)?;
    let figures = transaction.open_table(FIGURES)?;
    let mut latest = 0;
    for kind in wanted(kinds) {
        let held = index.range((kind, 0)..(kind, sequence))?.next_back().transpose()?;
        let before = match held {
            Some((key, _)) => key.value().1,
            None => figure(&figures, last_removed(kind))?.unwrap_or(0),
        };
        latest = latest.max(before);
    }
    Ok(latest)
}

pub(super) fn alerts(transaction: &ReadTransaction, limit: usize) -> Result<Vec<Alert>, redb::Error> {
    let index = transaction.open_table(KINDS)?;
    let entries = transaction.open_table(ENTRIES)?;
    let mut found = Vec::new();
    for key in index.range((ALERT, 0)..=(ALERT, u64::MAX))?.rev().take(limit) {
        let sequence = key?.0.value().1;
        let Some(stored) = entries.get(sequence)? else { continue };
        let (_, appended, packed) = stored.value();
        if let JournalRecord::Alert(alert) = decode(packing::unpack(packed), appended) {
            found.push(*alert);
        }
    }
    Ok(found)
}

fn figure(
    table: &impl redb::ReadableTable<&'static str, u64>,
    name: &str,
) -> Result<Option<u64>, redb::Error> {
    Ok(table.get(name)?.map(|figure| figure.value()))
}

fn wanted(kinds: Kinds) -> impl Iterator<Item = u8> {
    let numbers = [
        (JournalKind::Window, WINDOW),
        (JournalKind::Alert, ALERT),
        (JournalKind::Gap, GAP),
        (JournalKind::Session, SESSION),
        (JournalKind::Event, EVENT),
    ];
    numbers.into_iter().filter_map(move |(kind, number)| kinds.has(kind).then_some(number))
}

fn last_removed(kind: u8) -> &'static str {
    match kind {
        WINDOW => "last_removed_window",
        ALERT => "last_removed_alert",
        SESSION => "last_removed_session",
        EVENT => "last_removed_event",
        _ => "last_removed_gap",
    }
}

fn kind_of(record: &JournalRecord) -> u8 {
    match record {
        JournalRecord::Window(_) => WINDOW,
        JournalRecord::Alert(_) => ALERT,
        JournalRecord::Gap(_) => GAP,
        JournalRecord::Session(_) => SESSION,
        JournalRecord::Event(_) => EVENT,
    }
}

fn stored_bytes(packed: &[u8]) -> u64 {
    ENTRY_OVERHEAD_BYTES.saturating_add(packed.len() as u64)
}

fn encode(sequence: u64, record: &JournalRecord) -> Vec<u8> {
    let content = match record {
        JournalRecord::Window(window) => Content::Window(window.as_ref().into()),
        JournalRecord::Alert(alert) => Content::Alert(alert.as_ref().into()),
        JournalRecord::Gap(gap) => Content::Gap(gap.into()),
        JournalRecord::Session(session) => Content::Session(session.as_ref().into()),
        JournalRecord::Event(event) => Content::Event(event.into()),
    };
    v1::JournalEntry { sequence, previous_sequence: 0, content: Some(content) }.encode_to_vec()
}

fn decode(encoded: io::Result<Cow<'_, [u8]>>, appended_millis: i64) -> JournalRecord {
    let entry = encoded.map_err(|error| error.to_string()).and_then(|encoded| {
        let entry = v1::JournalEntry::decode(encoded.as_ref()).map_err(|error| error.to_string())?;
        JournalEntry::try_from(entry).map_err(|error| error.to_string())
    });
    let reason = match entry {
        Ok(entry) => return entry.record,
        Err(reason) => reason,
    };
    let time = Timestamp::from_millisecond(appended_millis).unwrap_or_default();
    JournalRecord::Gap(Gap {
        start: time,
        end: time,
        interface: String::new(),
        reason: format!("this entry of the journal cannot be read: {reason}"),
        kernel: KernelCounters::default(),
    })
}

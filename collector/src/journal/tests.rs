use std::os::unix::fs::MetadataExt as _;

use jiff::{SignedDuration, ToSpan as _};
use shared::alert::{AlertState, Severity};
use shared::report::{Gap, KernelCounters};

use super::*;

const ROOMY: Limits = Limits::new(64, 7);

#[path = "../../tests/lab/text.rs"]
mod text;

use text::unlike_itself;

fn journal(limits: Limits) -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), limits).unwrap();
    (folder, journal)
}

fn gap(reason: &str) -> JournalRecord {
    let time = Timestamp::UNIX_EPOCH;
    JournalRecord::Gap(Gap {
        start: time,
        end: time,
        interface: String::new(),
        reason: reason.to_owned(),
        kernel: KernelCounters::default(),
    })
}

fn alert(id: u64) -> JournalRecord {
    JournalRecord::Alert(Box::new(Alert {
        id,
        time: Timestamp::UNIX_EPOCH,
        kind: "capture_lost".to_owned(),
        state: AlertState::Start,
        severity: Severity::Warning,
        subject: "eth0".to_owned(),
        subjects: vec!["eth0".to_owned()],
        message: "packets were dropped".to_owned(),
        evidence: serde_json::Map::new(),
    }))
}

fn sequences(entries: &[JournalEntry]) -> Vec<(u64, u64)> {
    entries.iter().map(|entry| (entry.previous_sequence, entry.sequence)).collect()
}

#[test]
fn sequences_start_at_one_and_have_no_gap() {
    let (_folder, journal) = journal(ROOMY);
    assert_eq!(*journal.last_sequence().borrow(), 0);
    assert_eq!(journal.append(&[gap("a"), alert(1)]).unwrap(), 2);
    assert_eq!(journal.append(&[gap("b")]).unwrap(), 3);
    assert_eq!(*journal.last_sequence().borrow(), 3);
    let all = journal.read(0, Kinds::ALL, 10, usize::MAX).unwrap();
    assert_eq!(sequences(&all), [(0, 1), (1, 2), (2, 3)]);
    assert_eq!(all[1].record, alert(1));
    assert_eq!(sequences(&journal.read(3, Kinds::ALL, 10, usize::MAX).unwrap()), [(2, 3)]);
    assert_eq!(journal.read(4, Kinds::ALL, 10, usize::MAX).unwrap(), []);
}

#[test]
fn a_journal_keeps_its_id_and_its_entries_when_opened_again() {
    let (folder, journal) = journal(ROOMY);
    journal.append(&[gap("a")]).unwrap();
    let before = journal.opened().unwrap();
    drop(journal);
    let again = Journal::open(folder.path(), ROOMY).unwrap();
    assert_eq!(again.opened().unwrap(), before);
    assert_eq!(*again.last_sequence().borrow(), 1);
    assert_eq!(again.append(&[gap("b")]).unwrap(), 2);
    assert_eq!(again.degraded(), []);
}

#[test]
fn a_filtered_stream_says_what_it_would_have_sent_before() {
    let (_folder, journal) = journal(ROOMY);
    journal.append(&[alert(1), gap("a"), gap("b"), alert(2), alert(3)]).unwrap();
    let alerts = Kinds::NONE.with(JournalKind::Alert);
    assert_eq!(sequences(&journal.read(0, alerts, 10, usize::MAX).unwrap()), [(0, 1), (1, 4), (4, 5)]);
    assert_eq!(sequences(&journal.read(2, alerts, 1, usize::MAX).unwrap()), [(1, 4)]);
    let newest_first: Vec<u64> = journal.alerts(2).unwrap().iter().map(|alert| alert.id).collect();
    assert_eq!(newest_first, [3, 2]);
}

#[test]
fn what_the_ring_removed_is_still_the_predecessor_of_what_stayed() {
    let (_folder, journal) = journal(ROOMY);
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    journal.append_at(&[alert(1), gap("a")], start).unwrap();
    journal.append_at(&[alert(2), gap("b")], start + SignedDuration::from_hours(8 * 24)).unwrap();
    let alerts = Kinds::NONE.with(JournalKind::Alert);
    assert_eq!(sequences(&journal.read(0, alerts, 10, usize::MAX).unwrap()), [(1, 3)]);
    assert_eq!(journal.opened().unwrap().oldest_sequence, 3);
}

#[test]
fn entries_older_than_the_limit_go_but_never_the_newest() {
    let (_folder, journal) = journal(Limits::new(64, 1));
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    for hour in 0..50 {
        journal.append_at(&[gap("hourly")], start + hour.hours()).unwrap();
    }
    // 24 hours back from the last, both ends included
    assert_eq!(journal.opened().unwrap().oldest_sequence, 26);
    journal.append_at(&[], start + (500).hours()).unwrap();
    assert_eq!(sequences(&journal.read(0, Kinds::ALL, 10, usize::MAX).unwrap()), [(49, 50)]);
}

#[test]
fn the_file_stays_within_its_size_and_keeps_the_newest() {
    let limits = Limits::new(4, 7);
    for (bytes, batch) in [(600, 100), (4_500, 20), (33_000, 2)] {
        let (folder, journal) = journal(limits);
        for _ in 0..(2 * limits.disk_bytes).div_ceil(bytes * batch) {
            let size = usize::try_from(bytes).unwrap();
            journal.append(&vec![gap(&unlike_itself(size)); usize::try_from(batch).unwrap()]).unwrap();
            let file = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap();
            assert!(file.blocks() * 512 <= limits.disk_bytes, "{bytes}: {} blocks", file.blocks());
        }
        let opened = journal.opened().unwrap();
        let kept = (opened.next_sequence - opened.oldest_sequence) * bytes;
        assert!(kept > limits.disk_bytes / 4, "{bytes}: only {kept} bytes are kept");
        let all = journal.read(0, Kinds::ALL, usize::MAX, usize::MAX).unwrap();
        assert_eq!(all.first().map(|entry| entry.sequence), Some(opened.oldest_sequence));
        assert!(all.windows(2).all(|pair| pair[1].previous_sequence == pair[0].sequence));
        assert_eq!(all.last().map(|entry| entry.sequence + 1), Some(opened.next_sequence));
    }
}

#[test]
fn a_record_beyond_the_limit_is_kept_while_it_is_the_newest() {
    let (_folder, journal) = journal(Limits::new(1, 7));
    journal.append(&[gap(&unlike_itself(2 << 20))]).unwrap();
    assert_eq!(sequences(&journal.read(0, Kinds::ALL, 10, 1).unwrap()), [(0, 1)]);
    journal.append(&[gap("small")]).unwrap();
    assert_eq!(sequences(&journal.read(0, Kinds::ALL, 10, 1).unwrap()), [(1, 2)]);
}

#[test]
fn a_read_ends_where_its_bytes_do() {
    let (_folder, journal) = journal(ROOMY);
    journal.append(&vec![gap(&unlike_itself(1000)); 10]).unwrap();
    assert_eq!(journal.read(0, Kinds::ALL, 10, 3500).unwrap().len(), 3);
    assert_eq!(journal.read(0, Kinds::ALL, 10, 0).unwrap().len(), 1);
    assert_eq!(journal.read(0, Kinds::ALL, 4, usize::MAX).unwrap().len(), 4);
}

#[test]
fn lower_limits_apply_with_the_next_append() {
    let (_folder, journal) = journal(ROOMY);
    journal.append(&vec![gap(&unlike_itself(100_000)); 20]).unwrap();
    journal.set_limits(Limits::new(1, 7));
    journal.append(&[]).unwrap();
    assert!(journal.opened().unwrap().oldest_sequence > 14);
}

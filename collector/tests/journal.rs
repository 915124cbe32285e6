//! The journal under what happens to files: kill -9 while writing, a full disk, corruption, a second collector.
#![cfg(test)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use shared::journal::JournalRecord;
use shared::report::{Gap, KernelCounters};
use weir_collector::database::DatabaseError;
use weir_collector::journal::{FILE_NAME, Journal, JournalError, Kinds, Limits};
use weir_shared as shared;

#[path = "lab/text.rs"]
mod text;

use text::unlike_itself;

const LIMITS: Limits = Limits::new(64, 7);
const FOLDER: &str = "WEIR_TEST_JOURNAL_FOLDER";

fn gap(bytes: usize) -> JournalRecord {
    JournalRecord::Gap(Gap {
        start: Timestamp::UNIX_EPOCH,
        end: Timestamp::UNIX_EPOCH,
        interface: String::new(),
        reason: unlike_itself(bytes),
        kernel: KernelCounters::default(),
    })
}

/// This test again, as a process of its own that can be killed.
fn child(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "appends_until_killed", "--ignored", "--nocapture"]).env(FOLDER, folder);
    command
}

#[test]
#[ignore = "the child of the test below"]
fn appends_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let journal = Journal::open(Path::new(&folder), LIMITS).unwrap();
    let mut output = std::io::stdout();
    for round in 0..100_000 {
        let last = journal.append(&[gap(round % 20_000), gap(10)]).unwrap();
        writeln!(output, "acknowledged {last}").unwrap();
    }
}

#[test]
fn killed_while_appending_no_acknowledged_append_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    let mut id = None;
    for cycle in 0..20_u64 {
        let mut writer = child(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut left = 1 + cycle * 5;
        for line in lines {
            if let Some(last) = line.unwrap().strip_prefix("acknowledged ") {
                acknowledged = last.parse().unwrap();
                left = left.saturating_sub(1);
                if left == 0 {
                    writer.kill().unwrap();
                }
            }
        }
        assert!(!writer.wait().unwrap().success(), "cycle {cycle}: it was killed");

        let journal = Journal::open(folder.path(), LIMITS).unwrap();
        assert_eq!(journal.degraded(), [], "cycle {cycle}");
        let last = *journal.last_sequence().borrow();
        assert!(last >= acknowledged, "cycle {cycle}: {last} on disk, {acknowledged} acknowledged");
        assert_eq!(last % 2, 0, "cycle {cycle}: half an append");
        let opened = journal.opened().unwrap();
        assert_eq!(*id.get_or_insert(opened.journal_id.clone()), opened.journal_id);
        let entries = journal.read(0, Kinds::ALL, usize::MAX, usize::MAX).unwrap();
        let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
        assert_eq!(sequences, (opened.oldest_sequence..=last).collect::<Vec<_>>(), "cycle {cycle}");
        assert!(entries.windows(2).all(|pair| pair[1].previous_sequence == pair[0].sequence));
    }
    assert!(acknowledged > 1000);
}

#[test]
fn a_second_collector_is_told_who_has_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = child(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("acknowledged")));
    let error = Journal::open(folder.path(), LIMITS).unwrap_err();
    writer.kill().unwrap();
    writer.wait().unwrap();
    let JournalError::Database(DatabaseError::Locked { path, holder }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(path, folder.path().join(FILE_NAME));
    assert!(holder.contains(&format!("pid {}", writer.id())), "{holder}");
    assert!(Journal::open(folder.path(), LIMITS).is_ok(), "free again");
}

fn filled(folder: &Path) -> String {
    let journal = Journal::open(folder, LIMITS).unwrap();
    for _ in 0..20 {
        journal.append(&vec![gap(10_000); 10]).unwrap();
    }
    journal.opened().unwrap().journal_id
}

fn corrupt_files(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("journal.redb.corrupt-")).count()
}

#[test]
fn a_corrupt_file_is_kept_aside_and_a_new_journal_begins() {
    type Spoil = fn(&Path);
    let garbage: [(&str, Spoil); 4] = [
        ("another format", |file| fs::write(file, "this is no journal".repeat(1000)).unwrap()),
        ("cut in half", |file| {
            let length = fs::metadata(file).unwrap().len();
            fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length / 2).unwrap();
        }),
        ("zeros", |file| {
            let length = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
            fs::write(file, vec![0; length]).unwrap();
        }),
        ("overwritten pages", |file| {
            let mut bytes = fs::read(file).unwrap();
            for byte in bytes.iter_mut().skip(4096) {
                *byte = 0xA5;
            }
            fs::write(file, bytes).unwrap();
        }),
    ];
    for (what, spoil) in garbage {
        let folder = tempfile::tempdir().unwrap();
        let id = filled(folder.path());
        spoil(&folder.path().join(FILE_NAME));
        let journal =
            Journal::open(folder.path(), LIMITS).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_ne!(journal.opened().unwrap().journal_id, id, "{what}");
        assert_eq!(corrupt_files(folder.path()), 1, "{what}");
        let degraded = journal.degraded();
        assert!(
            degraded.iter().any(|said| said.part == "journal" && said.reason.contains("corrupt")),
            "{what}"
        );
        assert_eq!(journal.append(&[gap(1)]).unwrap(), 1, "{what}");
    }
}

#[test]
fn corruption_found_while_running_starts_a_new_journal_too() {
    let folder = tempfile::tempdir().unwrap();
    let id = filled(folder.path());
    let journal = Journal::open(folder.path(), LIMITS).unwrap();
    let file = folder.path().join(FILE_NAME);
    let mut bytes = fs::read(&file).unwrap();
    for byte in bytes.iter_mut().skip(4096) {
        *byte = 0xA5;
    }
    fs::write(&file, bytes).unwrap();
    let error = journal.read(0, Kinds::ALL, 1000, usize::MAX).unwrap_err();
    assert!(matches!(error, JournalError::Database(DatabaseError::Corrupt { .. })), "{error:?}");
    assert_eq!(journal.append(&[gap(20_000)]).unwrap(), 1);
    assert_ne!(journal.opened().unwrap().journal_id, id);
    assert_eq!(*journal.last_sequence().borrow(), 1);
    let follower = journal.read(201, Kinds::ALL, 10, usize::MAX).unwrap_err();
    assert!(matches!(follower, JournalError::Beyond { from: 201, next: 2 }), "{follower:?}");
    assert_eq!(corrupt_files(folder.path()), 1);
}

#[test]
fn a_full_disk_is_an_error_and_the_journal_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    }
    let unmount = Unmount(folder.path());
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let journal = Journal::open(folder.path(), LIMITS).unwrap();
    let mut last = 0;
    let error = loop {
        match journal.append(&[gap(50_000)]) {
            Ok(sequence) => last = sequence,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, JournalError::Database(DatabaseError::Failed { .. } | DatabaseError::Create { .. })),
        "{error:?}"
    );
    assert!(journal.degraded().iter().any(|said| said.reason.contains("space")), "{:?}", journal.degraded());
    let held = journal.read(0, Kinds::ALL, usize::MAX, usize::MAX).unwrap();
    assert_eq!(held.len() as u64, last, "readers go on meanwhile");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(journal.append(&[gap(50_000)]).unwrap(), last + 1);
    assert_eq!(journal.degraded(), []);
    let entries = journal.read(0, Kinds::ALL, usize::MAX, usize::MAX).unwrap();
    assert_eq!(entries.len() as u64, last + 1);
    drop(journal);
    drop(unmount);
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "the file system of the test is left mounted");
    }
}

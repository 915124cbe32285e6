//! `weir-collector replay` on files that break off, are broken or are none: what was readable, and the exit code.
#![cfg(test)]

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use weir_bench::generate::{Mix, Options, generate};

const PROGRAM: &str = env!("CARGO_BIN_EXE_weir-collector");

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn replay(&self, bytes: &[u8], arguments: &[&str]) -> Output {
        let path = self.0.path().join("some capture.pcap");
        fs::write(&path, bytes).unwrap();
        Command::new(PROGRAM).arg("replay").arg(&path).args(arguments).output().unwrap()
    }
}

fn capture() -> Vec<u8> {
    let mut capture = Vec::new();
    generate(&Options::new(Mix::Default, 40, 7), &mut capture).unwrap();
    capture
}

/// Where each packet ends.
fn ends(capture: &[u8]) -> Vec<usize> {
    let mut ends = vec![24];
    let mut at = 24;
    while at < capture.len() {
        let length = u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap());
        at += 16 + usize::try_from(length).unwrap();
        ends.push(at);
    }
    ends
}

#[test]
fn a_file_that_breaks_off_gives_what_was_readable_and_exit_code_1_with_file_and_offset() {
    let folder = Folder::new();
    let capture = capture();
    let ends = ends(&capture);
    for (whole, pair) in ends.windows(2).enumerate().step_by(5) {
        for cut in [pair[0] + 1, pair[0] + 15, pair[1] - 1] {
            let said = folder.replay(&capture[..cut], &["--json"]);
            let error = String::from_utf8_lossy(&said.stderr);
            assert_eq!(said.status.code(), Some(1), "{error}");
            let place = format!("some capture.pcap: breaks off at offset {}", pair[0]);
            assert!(error.contains(&place), "{error}");
            let object: Value = serde_json::from_slice(&said.stdout).unwrap();
            assert_eq!(object["packets"], whole, "cut at {cut}");
        }
    }
    let said = folder.replay(&capture, &["--json"]);
    assert_eq!((said.status.code(), said.stderr.len()), (Some(0), 0));
}

#[test]
fn what_is_no_capture_is_exit_code_1_with_its_name() {
    let folder = Folder::new();
    for bytes in [&b""[..], b"xx", &[0x5a; 4096]] {
        let said = folder.replay(bytes, &["--json"]);
        let error = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1));
        assert!(error.contains("some capture.pcap: neither a pcap nor a pcapng file"), "{error}");
        assert!(said.stdout.is_empty());
    }
    let said = Command::new(PROGRAM).args(["replay", "/nonexistent.pcap"]).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(
        error.contains("/nonexistent.pcap: cannot be opened") && error.contains("No such file"),
        "{error}"
    );
}

#[test]
fn a_link_that_cannot_be_decoded_is_exit_code_1() {
    let mut capture = capture();
    capture[20] = 147;
    let said = Folder::new().replay(&capture, &["--json"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("link type 147"));
}

#[test]
fn wrong_use_is_exit_code_2() {
    let folder = Folder::new();
    for arguments in
        [&["--filter", "host ("][..], &["--windows", "0"], &["--alerts", "x"], &["--local", "nowhere"]]
    {
        let said = folder.replay(&capture(), arguments);
        assert_eq!(said.status.code(), Some(2), "{arguments:?}");
        assert!(said.stdout.is_empty() && !said.stderr.is_empty(), "{arguments:?}");
    }
}

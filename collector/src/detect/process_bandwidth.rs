//! `process_bandwidth`: a process moves more than the threshold in one direction. Each second is judged by itself.
use serde_json::json;
use shared::alert::Severity;
use shared::units::BinaryBytesPerSecond;
use weir_shared as shared;

use super::{Detector, Facts, Finding, ProcessFacts};

const KIND: &str = "process_bandwidth";

#[derive(Debug, Default)]
pub(super) struct ProcessBandwidth;

impl Detector for ProcessBandwidth {
    fn look(&mut self, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
        if facts.process_threshold == 0 {
            return;
        }
        let over = facts.processes.iter().filter(|process| process.is_over(facts.process_threshold));
        findings.extend(over.map(|process| finding(process, facts.process_threshold)));
    }
}

fn finding(process: &ProcessFacts, threshold: u64) -> Finding {
    let (direction, rate) = if process.sent_bytes_per_second >= process.received_bytes_per_second {
        ("up", process.sent_bytes_per_second)
    } else {
        ("down", process.received_bytes_per_second)
    };
    let evidence = [
        ("process", json!(process.name)),
        ("pid", json!(process.pid)),
        ("direction", json!(direction)),
        ("rate_bytes_per_second", json!(rate)),
        ("threshold_bytes_per_second", json!(threshold)),
    ];
    Finding {
        kind: KIND,
        subject: process.subject(),
        severity: Severity::Warning,
        message: format!(
            "{} moves {} {direction}, over the threshold of {}.",
            process.subject(),
            BinaryBytesPerSecond(rate),
            BinaryBytesPerSecond(threshold)
        ),
        evidence: evidence.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::detect::WorkerFacts;

    fn look(process_threshold: u64, received: u64, sent: u64) -> Vec<Finding> {
        let processes = [ProcessFacts {
            name: "curl".to_owned(),
            pid: 7,
            received_bytes_per_second: received,
            sent_bytes_per_second: sent,
        }];
        let worker = WorkerFacts::default();
        let facts = Facts {
            time: Timestamp::UNIX_EPOCH,
            captures: &[],
            worker: &worker,
            processes: &processes,
            process_threshold,
        };
        let mut findings = Vec::new();
        ProcessBandwidth.look(&facts, &mut findings);
        findings
    }

    #[test]
    fn either_direction_over_the_threshold_is_found_with_its_figures() {
        assert_eq!(look(1_000, 1_000, 1_000), []);
        for (received, sent, direction) in [(1_001, 5, "down"), (5, 1_001, "up")] {
            let finding = look(1_000, received, sent).remove(0);
            assert_eq!(finding.subject, "curl (7)");
            assert_eq!(finding.evidence["direction"], json!(direction));
            assert_eq!(finding.evidence["rate_bytes_per_second"], json!(1_001));
        }
    }

    #[test]
    fn a_threshold_of_zero_is_off() {
        assert_eq!(look(0, u64::MAX, u64::MAX), []);
    }
}

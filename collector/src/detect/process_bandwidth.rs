//! `process_bandwidth`: a process moves more than the threshold in one direction. Each second is judged by itself.
use std::collections::BTreeMap;

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
        // by program: a script that runs one download after the other is one alert and not one each
        let mut programs: BTreeMap<&str, Vec<&ProcessFacts>> = BTreeMap::new();
        for process in facts.processes.iter().filter(|process| process.is_over(facts.process_threshold)) {
            programs.entry(&process.name).or_default().push(process);
        }
        findings
            .extend(programs.values().filter_map(|processes| finding(processes, facts.process_threshold)));
    }
}

/// Of the processes of one program.
fn finding(processes: &[&ProcessFacts], threshold: u64) -> Option<Finding> {
    let process = processes.iter().max_by_key(|process| process.fastest().1)?;
    let (direction, rate) = process.fastest();
    let evidence = [
        ("process", json!(process.name)),
        ("pid", json!(process.pid)),
        ("processes_over", json!(processes.len())),
        ("direction", json!(direction)),
        ("rate_bytes_per_second", json!(rate)),
        ("threshold_bytes_per_second", json!(threshold)),
    ];
    let others = match processes.len() {
        1 => String::new(),
        all => format!("; {} more of its name are over it too", all - 1),
    };
    Some(Finding {
        kind: KIND,
        subject: process.name.clone(),
        severity: Severity::Warning,
        message: format!(
            "{} ({}) moves {} {direction}, over the threshold of {}{others}.",
            process.name,
            process.pid,
            BinaryBytesPerSecond(rate),
            BinaryBytesPerSecond(threshold)
        ),
        evidence: evidence.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::detect::WorkerFacts;

    fn process(name: &str, pid: u32, received: u64, sent: u64) -> ProcessFacts {
        let (received_bytes_per_second, sent_bytes_per_second) = (received, sent);
        ProcessFacts { name: name.to_owned(), pid, received_bytes_per_second, sent_bytes_per_second }
    }

    fn look(process_threshold: u64, received: u64, sent: u64) -> Vec<Finding> {
        look_at(process_threshold, &[process("curl", 7, received, sent)])
    }

    fn look_at(process_threshold: u64, processes: &[ProcessFacts]) -> Vec<Finding> {
        let worker = WorkerFacts::default();
        let facts = Facts {
            time: Timestamp::UNIX_EPOCH,
            captures: &[],
            worker: &worker,
            processes,
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
            assert_eq!((finding.subject.as_str(), &finding.evidence["pid"]), ("curl", &json!(7)));
            assert_eq!(finding.evidence["direction"], json!(direction));
            assert_eq!(finding.evidence["rate_bytes_per_second"], json!(1_001));
        }
    }

    #[test]
    fn processes_of_one_program_are_one_finding_with_the_fastest_first() {
        let processes =
            [process("curl", 7, 2_000, 0), process("apt", 9, 0, 1_500), process("curl", 8, 3_000, 0)];
        let findings = look_at(1_000, &processes);
        let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(subjects, ["apt", "curl"]);
        assert_eq!(findings[1].evidence["pid"], json!(8));
        assert_eq!(findings[1].evidence["processes_over"], json!(2));
        assert!(findings[1].message.contains("1 more of its name"), "{}", findings[1].message);
    }

    #[test]
    fn a_threshold_of_zero_is_off() {
        assert_eq!(look(0, u64::MAX, u64::MAX), []);
    }
}

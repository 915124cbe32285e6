//! `capture_lost`: part of the traffic is not seen, because the capture worker died, packets were dropped before it could
//! take them, or an interface is gone.
use std::collections::BTreeMap;

use serde_json::json;
use shared::alert::Severity;
use weir_shared as shared;

use super::{CaptureFacts, Detector, Facts, Finding};

const KIND: &str = "capture_lost";
const WORKER: &str = "capture worker";

#[derive(Debug, Default)]
pub(super) struct CaptureLost {
    /// Lost since the loss on this interface began; forgotten after a tick without one.
    dropping: BTreeMap<String, u64>,
    deaths: u64,
}

impl Detector for CaptureLost {
    fn look(&mut self, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
        self.worker(facts, findings);
        for capture in facts.captures {
            if capture.gone {
                findings.push(gone(capture));
            }
            if let Some(finding) = self.drops(capture) {
                findings.push(finding);
            }
        }
    }
}

impl CaptureLost {
    fn worker(&mut self, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
        let worker = facts.worker;
        self.deaths = self.deaths.saturating_add(worker.deaths);
        if worker.deaths == 0 && worker.running {
            return;
        }
        let evidence =
            [("deaths".to_owned(), json!(self.deaths)), ("last".to_owned(), json!(worker.last_death))];
        findings.push(Finding {
            kind: KIND,
            subject: WORKER.to_owned(),
            severity: Severity::Critical,
            message: format!(
                "The capture worker ended ({}) and was started again; what passed meanwhile is not named, only counted by the kernel.",
                worker.last_death
            ),
            evidence: evidence.into_iter().collect(),
        });
    }

    fn drops(&mut self, capture: &CaptureFacts) -> Option<Finding> {
        if capture.dropped_packets == 0 {
            self.dropping.remove(&capture.interface);
            return None;
        }
        let lost = self.dropping.entry(capture.interface.clone()).or_default();
        *lost = lost.saturating_add(capture.dropped_packets);
        let offered = capture.dropped_packets.saturating_add(capture.seen_packets);
        let evidence = [
            ("dropped_packets".to_owned(), json!(*lost)),
            ("dropped_last_second".to_owned(), json!(capture.dropped_packets)),
            ("offered_last_second".to_owned(), json!(offered)),
            ("threshold".to_owned(), json!(0)),
        ];
        Some(Finding {
            kind: KIND,
            subject: capture.interface.clone(),
            severity: Severity::Warning,
            message: format!(
                "Capture on {} lost {} of {} packets in the last second; the totals stay right, the names of the lost ones are unknown.",
                capture.interface, capture.dropped_packets, offered
            ),
            evidence: evidence.into_iter().collect(),
        })
    }
}

fn gone(capture: &CaptureFacts) -> Finding {
    Finding {
        kind: KIND,
        subject: capture.interface.clone(),
        severity: Severity::Warning,
        message: format!(
            "Interface {} is gone; its capture resumes by itself when it comes back.",
            capture.interface
        ),
        evidence: [("state".to_owned(), json!("gone"))].into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::detect::WorkerFacts;

    fn look(detector: &mut CaptureLost, captures: &[CaptureFacts], worker: &WorkerFacts) -> Vec<Finding> {
        let mut findings = Vec::new();
        let facts =
            Facts { time: Timestamp::UNIX_EPOCH, captures, worker, processes: &[], process_threshold: 0 };
        detector.look(&facts, &mut findings);
        findings
    }

    fn running() -> WorkerFacts {
        WorkerFacts { running: true, ..WorkerFacts::default() }
    }

    #[test]
    fn a_quiet_tick_finds_nothing() {
        let captures =
            [CaptureFacts { interface: "eth0".into(), seen_packets: 9, ..CaptureFacts::default() }];
        assert_eq!(look(&mut CaptureLost::default(), &captures, &running()), []);
    }

    #[test]
    fn drops_add_up_while_they_last() {
        let mut detector = CaptureLost::default();
        let captures =
            [CaptureFacts { interface: "eth0".into(), dropped_packets: 5, ..CaptureFacts::default() }];
        look(&mut detector, &captures, &running());
        let findings = look(&mut detector, &captures, &running());
        assert_eq!(findings[0].evidence["dropped_packets"], json!(10));
        assert_eq!(findings[0].subject, "eth0");
    }

    #[test]
    fn a_dead_worker_is_found_even_when_it_is_back_already() {
        let worker = WorkerFacts { deaths: 1, last_death: "signal 9".into(), running: true };
        let findings = look(&mut CaptureLost::default(), &[], &worker);
        assert_eq!(findings[0].subject, WORKER);
        assert_eq!(findings[0].severity, Severity::Critical);
    }
}

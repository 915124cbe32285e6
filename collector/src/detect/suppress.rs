//! From findings to alerts: one start a subject, updates at most once a minute, an end when it has been quiet long enough,
//! and a cap on new alerts.
use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use shared::alert::{Alert, AlertState};
use weir_shared as shared;

use super::Finding;

const UPDATE_EVERY: SignedDuration = SignedDuration::from_secs(60);
const QUIET_BEFORE_END: SignedDuration = SignedDuration::from_secs(90);
const NEW_PER_HOUR: usize = 60;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const OPEN_AT_MOST: usize = 1_024;

#[derive(Debug)]
struct Open {
    id: u64,
    last_found: Timestamp,
    last_told: Timestamp,
    times: u64,
    finding: Finding,
}

/// The alerts that are open, by kind and subject.
#[derive(Debug)]
pub struct Alerts {
    open: BTreeMap<(&'static str, String), Open>,
    next_id: u64,
    started: VecDeque<Timestamp>,
    /// Findings that the cap kept from becoming alerts.
    pub suppressed: u64,
}

impl Alerts {
    /// `first_id` must be above every id given before, also by an earlier run.
    pub fn new(first_id: u64) -> Self {
        Self { open: BTreeMap::new(), next_id: first_id, started: VecDeque::new(), suppressed: 0 }
    }

    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// What is to be told of this tick's findings.
    pub fn tick(&mut self, now: Timestamp, findings: Vec<Finding>) -> Vec<Alert> {
        let mut told = Vec::new();
        for finding in findings {
            let key = (finding.kind, finding.subject.clone());
            match self.open.get_mut(&key) {
                Some(open) => {
                    open.last_found = now;
                    open.times = open.times.saturating_add(1);
                    open.finding = finding;
                    if now.duration_since(open.last_told) >= UPDATE_EVERY {
                        open.last_told = now;
                        told.push(alert(open, now, AlertState::Update));
                    }
                }
                None => told.extend(self.start(now, key, finding)),
            }
        }
        self.end_quiet(now, &mut told);
        told
    }

    fn start(&mut self, now: Timestamp, key: (&'static str, String), finding: Finding) -> Option<Alert> {
        while self.started.front().is_some_and(|&at| now.duration_since(at) >= HOUR) {
            self.started.pop_front();
        }
        if self.started.len() >= NEW_PER_HOUR || self.open.len() >= OPEN_AT_MOST {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.started.push_back(now);
        let open = Open { id: self.next_id, last_found: now, last_told: now, times: 1, finding };
        self.next_id = self.next_id.saturating_add(1);
        let told = alert(&open, now, AlertState::Start);
        self.open.insert(key, open);
        Some(told)
    }

    fn end_quiet(&mut self, now: Timestamp, told: &mut Vec<Alert>) {
        self.open.retain(|_, open| {
            let over = now.duration_since(open.last_found) >= QUIET_BEFORE_END;
            if over {
                told.push(alert(open, now, AlertState::End));
            }
            !over
        });
    }
}

fn alert(open: &Open, time: Timestamp, state: AlertState) -> Alert {
    let mut evidence = open.finding.evidence.clone();
    evidence.insert("seconds_found".to_owned(), open.times.into());
    Alert {
        id: open.id,
        time,
        kind: open.finding.kind.to_owned(),
        state,
        severity: open.finding.severity,
        subject: open.finding.subject.clone(),
        subjects: vec![open.finding.subject.clone()],
        message: open.finding.message.clone(),
        evidence,
    }
}

#[cfg(test)]
mod tests {
    use shared::alert::Severity;

    use super::*;

    fn finding(subject: &str) -> Finding {
        Finding {
            kind: "capture_lost",
            subject: subject.to_owned(),
            severity: Severity::Warning,
            message: String::new(),
            evidence: serde_json::Map::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn one_start_then_an_update_a_minute_then_an_end() {
        let mut alerts = Alerts::new(7);
        let mut states = Vec::new();
        for second in 0..130 {
            let told = alerts.tick(at(second), vec![finding("eth0")]);
            states.extend(told.into_iter().map(|alert| (second, alert.id, alert.state)));
        }
        for second in 130..300 {
            let told = alerts.tick(at(second), vec![]);
            states.extend(told.into_iter().map(|alert| (second, alert.id, alert.state)));
        }
        assert_eq!(
            states,
            [
                (0, 7, AlertState::Start),
                (60, 7, AlertState::Update),
                (120, 7, AlertState::Update),
                (219, 7, AlertState::End)
            ]
        );
        assert_eq!(alerts.open(), 0);
    }

    #[test]
    fn new_alerts_are_capped_by_the_hour_and_the_rest_is_counted() {
        let mut alerts = Alerts::new(1);
        for subject in 0..100 {
            alerts.tick(at(0), vec![finding(&subject.to_string())]);
        }
        assert_eq!((alerts.open(), alerts.suppressed), (60, 40));
        let told = alerts.tick(at(3_600), vec![finding("later")]);
        assert!(told.iter().any(|alert| alert.subject == "later" && alert.state == AlertState::Start));
    }
}

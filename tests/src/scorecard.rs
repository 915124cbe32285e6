//! The scorecard: each scenario's own count held against what the collector credits to its name.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::accounts::{Account, accounts, grade, named, payload};
use crate::lab::Lab;
use crate::program::must;
use crate::scenario::{Amount, FAR_END, Ground, Moved, NEAR_END, Unavailable};

/// How long the collector may take to know.
const SETTLED: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(100);

/// One scenario's line.
#[derive(Debug)]
pub struct Line {
    pub scenario: String,
    pub what: String,
    pub outcome: Result<Score, Unavailable>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    pub moved: Moved,
    /// Payload bytes credited to the scenario's name.
    pub given: u64,
    pub packets: u64,
    pub detected: bool,
    /// Qualities of the rows with this name, each once.
    pub quality: String,
}

impl Score {
    fn of(moved: Moved, rows: &[&Account]) -> Self {
        let mut qualities: Vec<&str> = rows.iter().map(|row| row.quality.as_str()).collect();
        qualities.sort_unstable();
        qualities.dedup();
        Self {
            moved,
            given: payload(rows),
            packets: rows.iter().map(|row| row.packets).sum(),
            detected: rows.iter().any(|row| row.packets > 0),
            quality: qualities.join(", "),
        }
    }

    /// Within a tenth of what the scenario counted.
    pub fn right(&self) -> bool {
        self.given.abs_diff(self.moved.payload()) * 10 <= self.moved.payload()
    }

    fn percent(&self) -> f64 {
        self.given as f64 * 100.0 / self.moved.payload() as f64
    }
}

/// All scenarios at one grade.
#[derive(Debug)]
pub struct Card {
    pub grade: String,
    pub reason: String,
    pub lines: Vec<Line>,
    /// Payload bytes credited to a name beyond what it moved, with the name.
    pub wrong: BTreeMap<String, u64>,
}

impl Card {
    /// Runs every scenario while the lab's collector watches.
    pub fn play(lab: &Lab, ground: &Ground, amount: Amount) -> Self {
        let (grade, reason) = grade(lab);
        let lines: Vec<Line> = ground
            .scenarios()
            .into_iter()
            .map(|(scenario, what)| {
                let outcome = ground.run(&scenario, amount).map(|moved| settled(lab, &scenario, moved));
                Line { scenario, what, outcome }
            })
            .collect();
        let wrong = wrong(&accounts(lab), &lines);
        Self { grade, reason, lines, wrong }
    }

    fn scores(&self) -> impl Iterator<Item = &Score> {
        self.lines.iter().filter_map(|line| line.outcome.as_ref().ok())
    }

    /// Scenarios that the kernel can do.
    pub fn possible(&self) -> usize {
        self.scores().count()
    }

    pub fn detected(&self) -> usize {
        self.scores().filter(|score| score.detected).count()
    }

    pub fn right(&self) -> usize {
        self.scores().filter(|score| score.detected && score.right()).count()
    }

    /// As Markdown.
    pub fn table(&self) -> String {
        let mut text = format!("## Grade `{}`\n\n", self.grade);
        if !self.reason.is_empty() {
            text += &format!("{}\n\n", self.reason);
        }
        text += "| scenario | payload moved | detected | credited | match |\n|---|--:|---|--:|---|\n";
        for line in &self.lines {
            let row = match &line.outcome {
                Err(reason) => format!("| {} | not possible here ({reason}) | | | |", line.what),
                Ok(score) => {
                    let detected = if score.detected { "yes" } else { "no" };
                    let moved = score.moved.payload();
                    format!(
                        "| {} | {moved} | {detected} | {:.1} % | {} |",
                        line.what,
                        score.percent(),
                        score.quality
                    )
                }
            };
            writeln!(text, "{row}").expect("text grows");
        }
        let (possible, wrong) = (self.possible(), self.wrong.values().sum::<u64>());
        let (detected, right) = (self.detected(), self.right());
        text += &format!(
            "\nDetected {detected} of {possible}, bytes within 10 % for {right} of {possible}, {wrong} bytes credited wrongly.\n"
        );
        text
    }
}

/// The document that `make scorecard` writes.
pub fn document(cards: &[Card]) -> String {
    let tables: Vec<_> = cards.iter().map(Card::table).collect();
    format!("{}\n{}", head(), tables.join("\n"))
}

fn head() -> String {
    let kernel = must("uname -r");
    format!(
        "# Attribution scorecard

Written by `make scorecard` on Linux {}.

Each scenario is a program under a name of its own that moves bytes between two network namespaces and counts the payload
on its socket (`bench/src/scenario`). Credited is what `weir processes` gives to that name; 100 % is right. What this kernel
cannot do counts neither for nor against. Detected: the name is listed with packets. Without an event source
(grade `proc`) sockets are looked up after the fact, so that what lives for milliseconds is `unknown`, never somebody else's.
",
        kernel.trim()
    )
}

/// Waits until the scenario's name has its bytes, but no longer than the collector may take.
fn settled(lab: &Lab, scenario: &str, moved: Moved) -> Score {
    let name = Ground::process_name(scenario);
    let start = Instant::now();
    loop {
        let accounts = accounts(lab);
        let score = Score::of(moved, &named(&accounts, &name));
        if (score.detected && score.given >= moved.payload()) || start.elapsed() >= SETTLED {
            return score;
        }
        std::thread::sleep(STEP);
    }
}

/// What names were given beyond what they moved: all of it for one that moved nothing, past a tenth for the others.
fn wrong(accounts: &[Account], lines: &[Line]) -> BTreeMap<String, u64> {
    let mut moved = BTreeMap::new();
    for (line, score) in lines.iter().filter_map(|line| Some((line, line.outcome.as_ref().ok()?))) {
        moved.insert(Ground::process_name(&line.scenario), score.moved.payload());
        let other_end = match line.scenario.as_str() {
            "loopback" => NEAR_END,
            "container" => FAR_END,
            _ => continue,
        };
        moved.insert(other_end.to_owned(), score.moved.payload());
    }
    let mut given: BTreeMap<&str, u64> = BTreeMap::new();
    for account in accounts.iter().filter(|account| account.names_a_process()) {
        *given.entry(&account.name).or_default() += account.payload;
    }
    let beyond = given.into_iter().map(|(name, given)| {
        let own = moved.get(name).copied().unwrap_or_default();
        (name.to_owned(), given.saturating_sub(own + own / 10))
    });
    beyond.filter(|(_, bytes)| *bytes > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, pid: Option<u64>, payload: u64) -> Account {
        Account {
            name: name.to_owned(),
            pid,
            started: String::new(),
            quality: "exact".to_owned(),
            reason: String::new(),
            container: String::new(),
            alive: false,
            bytes: payload,
            payload,
            packets: 1,
        }
    }

    fn line(scenario: &str, payload: u64) -> Line {
        let moved = Moved { pid: 1, sent: payload, received: 0, frames: 0 };
        Line { scenario: scenario.to_owned(), what: String::new(), outcome: Ok(Score::of(moved, &[])) }
    }

    #[test]
    fn a_tenth_too_much_or_too_little_is_right() {
        let moved = Moved { pid: 1, sent: 600, received: 400, frames: 0 };
        let given = |bytes| Score::of(moved, &[&account("s-udp", Some(1), bytes)]).right();
        assert_eq!([899, 900, 1100, 1101].map(given), [false, true, true, false]);
    }

    #[test]
    fn bytes_of_a_name_that_moved_none_are_wrong() {
        let lines = [line("udp", 1000), line("loopback", 500)];
        let rows =
            [account("s-udp", Some(1), 1000), account("sshd", Some(2), 7), account("unknown", None, 99)];
        assert_eq!(wrong(&rows, &lines), BTreeMap::from([("sshd".to_owned(), 7)]));
        let too_much =
            [account("s-udp", Some(1), 900), account("s-udp", Some(3), 300), account(NEAR_END, Some(2), 500)];
        assert_eq!(wrong(&too_much, &lines), BTreeMap::from([("s-udp".to_owned(), 100)]));
    }
}

//! What the engine does once a second, and at its end.
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use shared::error::ErrorChain;
use shared::health::CaptureState;
use shared::journal::JournalRecord;
use shared::report::{KernelCounters, Ledger, Window};
use weir_shared as shared;

use super::{Engine, Input};
use crate::attribution::clocks;
use crate::counters::{self, Observation};
use crate::detect::{CaptureFacts, Facts, ProcessFacts};
use crate::interface::Link;
use crate::worker::supervise::Event;

/// One interface's account, over all its openings and since the collector started.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) kernel: KernelCounters,
    pub(super) ledger: counters::Ledger,
    /// At the last tick.
    captured_bytes: u64,
    attributed_bytes: u64,
    seen_packets: u64,
    dropped_packets: u64,
    /// When the last window closed.
    window_kernel: KernelCounters,
    window_ledger: Ledger,
}

pub(super) type Accounts = BTreeMap<String, Account>;

impl Engine {
    pub(super) fn tick(&mut self) {
        let now = Timestamp::now();
        let (facts, urgent) = self.read_counters(now);
        let processes = self.processes();
        self.detect(now, &facts, &processes);
        let closed = self.close_windows();
        // in this order: dying between the two, it finds bytes again that a gap or window tells, rather than lose them
        self.backlog.flush();
        if closed || urgent {
            self.persist();
        }
        if closed {
            self.save_session(now);
        }
        self.reopen_due();
        self.tell_comings_and_goings(now);
        self.close_left_watches();
        self.publish(now, closed);
    }

    /// Kernel counters against what was captured since the last tick; and whether the totals must be written at once.
    fn read_counters(&mut self, now: Timestamp) -> (Vec<CaptureFacts>, bool) {
        let observation = self.observe_kernel(now);
        for gap in observation.gaps {
            self.backlog.push(JournalRecord::Gap(gap));
        }
        let mut facts = Vec::new();
        for capture in self.captures.iter() {
            let status = self.capture_status(capture);
            let grown = observation.growth.iter().find(|growth| growth.name == capture.name);
            let grown = grown.filter(|_| capture.is_explained(Instant::now()));
            let grown = grown.map(|growth| growth.kernel).unwrap_or_default();
            let account = self.accounts.entry(capture.name.clone()).or_default();
            let dropped_packets = status.dropped_packets.saturating_sub(account.dropped_packets);
            let captured = status.captured.bytes.saturating_sub(account.captured_bytes);
            account.kernel += grown;
            account.ledger.observe(
                explained(&self.links, &capture.name, grown),
                captured,
                dropped_packets > 0,
            );
            let attributed_bytes = self.traffic.attributed_bytes(&capture.name);
            account.ledger.attribute(attributed_bytes.saturating_sub(account.attributed_bytes));
            account.attributed_bytes = attributed_bytes;
            facts.push(CaptureFacts {
                interface: capture.name.clone(),
                gone: capture.is_missed(),
                dropped_packets,
                seen_packets: status.captured.packets.saturating_sub(account.seen_packets),
            });
            account.captured_bytes = status.captured.bytes;
            account.seen_packets = status.captured.packets;
            account.dropped_packets = status.dropped_packets;
        }
        (facts, observation.urgent)
    }

    fn observe_kernel(&mut self, now: Timestamp) -> Observation {
        self.counters_trouble = None;
        if let Err(error) = self.counter_source.read(&mut self.readings) {
            let reason = ErrorChain(&error).to_string();
            tracing::debug!(reason, "kernel counters could not be read");
            self.counters_trouble = Some(reason);
            return Observation::default();
        }
        let captures = &self.captures;
        let in_totals = |name: &str| captures.iter().any(|capture| capture.in_totals && capture.name == name);
        self.counters.observe(now, Duration::from_nanos(clocks::boot_now()), &self.readings, in_totals)
    }

    fn detect(&mut self, now: Timestamp, captures: &[CaptureFacts], processes: &[ProcessFacts]) {
        let process_threshold = self.process_threshold;
        let facts = Facts { time: now, captures, worker: &self.worker_facts, processes, process_threshold };
        let mut findings = Vec::new();
        for detector in &mut self.detectors {
            detector.look(&facts, &mut findings);
        }
        self.worker_facts.deaths = 0;
        for alert in self.alerts.tick(now, findings) {
            tracing::warn!(kind = alert.kind, state = ?alert.state, subject = alert.subject, "{}", alert.message);
            self.backlog.push(JournalRecord::Alert(Box::new(alert)));
        }
    }

    /// Captured interfaces that went away, and those that came back.
    fn tell_comings_and_goings(&mut self, now: Timestamp) {
        let mut events = Vec::new();
        for capture in self.captures.asked_for().filter(|capture| capture.was_open) {
            let name = &capture.name;
            if capture.is_missed() && self.away.insert(name.clone()) {
                events.push(("interface_gone", name.clone(), format!("Interface {name} is gone or down.")));
            } else if capture.state == CaptureState::Up && self.away.remove(name) {
                let message = format!("Interface {name} is back; it is captured again.");
                events.push(("interface_back", name.clone(), message));
            }
        }
        for (kind, name, message) in events {
            self.event(now, kind, &name, message);
        }
    }

    /// True: the last window is another one than before.
    fn close_windows(&mut self) -> bool {
        let mut closed = false;
        while let Some(mut window) = self.traffic.take_closed() {
            self.complete(&mut window);
            self.publisher.window_closed(window.clone());
            self.backlog.push(JournalRecord::Window(Box::new(window)));
            closed = true;
        }
        closed
    }

    fn persist(&mut self) {
        if let Err(error) = self.counters.persist() {
            tracing::error!(error = %ErrorChain(&error), "the totals were not written; tried again with the next window");
        }
    }

    /// The kernel's growth and the ledger's since the window before.
    fn complete(&mut self, window: &mut Window) {
        for part in &mut window.interfaces {
            let Some(account) = self.accounts.get_mut(&part.interface) else { continue };
            part.kernel = account.kernel.since(account.window_kernel);
            part.ledger = account.ledger.take_since(&mut account.window_ledger);
            account.window_kernel = account.kernel;
        }
    }

    /// The worker has told the rest: what is left in the channel is taken, then everything is written.
    pub(super) fn finish(mut self, inputs: &Receiver<Input>) {
        while let Ok(input) = inputs.try_recv() {
            if let Input::Worker(event @ Event::Record(_)) = input {
                self.worker_event(event);
            }
        }
        self.watches.deliver_all();
        for id in self.captures.iter().filter_map(|capture| capture.id).collect::<Vec<_>>() {
            self.traffic.interface_closed(id, &self.owners.attribution);
        }
        let now = Timestamp::now();
        self.read_counters(now);
        self.close_windows();
        self.backlog.flush();
        self.persist();
        self.save_session(now);
    }
}

/// The bytes that capture has to explain. On loopback each frame is counted as sent and as received, and captured once.
fn explained(links: &[Link], name: &str, grown: KernelCounters) -> u64 {
    let loopback = links.iter().any(|link| link.name == name && link.is_loopback());
    if loopback { grown.rx_bytes } else { grown.bytes() }
}

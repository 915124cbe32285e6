//! A configuration that was read again, taken up while everything runs.
use std::time::Instant;

use jiff::Timestamp;
use weir_shared::units::BinaryBytesPerSecond;

use super::{CaptureSettings, Engine, Settings};
use crate::interface::Choice;

impl Engine {
    /// What is captured otherwise than before is opened anew; interfaces that are no longer asked for are let go.
    pub(super) fn configured(&mut self, settings: Settings) {
        let before = std::mem::replace(&mut self.settings, settings);
        self.journal.set_limits(self.settings.journal);
        self.take_up_threshold(before.process_threshold);
        self.let_go(&before.capture);
        let selection = before.capture.selection.clone();
        if (CaptureSettings { selection, ..self.settings.capture.clone() }) != before.capture {
            let changes = self.captures.close_all();
            self.order(changes);
        }
        self.reconcile();
    }

    /// What somebody has set while it runs wins over the file.
    fn take_up_threshold(&mut self, before: u64) {
        let configured = self.settings.process_threshold;
        if self.threshold_was_set {
            if configured != before {
                let in_force = BinaryBytesPerSecond(self.process_threshold);
                tracing::warn!(
                    %in_force,
                    "detect.process_bandwidth.limit is not taken up: another threshold was set while running"
                );
            }
        } else if configured != self.process_threshold {
            self.change_process_threshold(Timestamp::now(), configured, "the configuration");
        }
    }

    /// An interface that was asked for and no longer is has not gone away.
    fn let_go(&mut self, before: &CaptureSettings) {
        let is_asked_for = |choice: &Choice| choice.captured || choice.index.is_none();
        let asked_for = |capture: &CaptureSettings| {
            let choices = capture.selection.choose(&self.links);
            choices.into_iter().filter(is_asked_for).map(|choice| choice.name).collect::<Vec<_>>()
        };
        let wanted = asked_for(&self.settings.capture);
        for name in asked_for(before).into_iter().filter(|name| !wanted.contains(name)) {
            tracing::info!(interface = name, "no longer captured, as configured");
            self.captures.let_go(&name, Instant::now());
            self.away.remove(&name);
        }
    }
}

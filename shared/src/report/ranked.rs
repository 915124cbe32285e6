//! Ranked lists and their rows put together.
use std::cmp::Reverse;
use std::ops::AddAssign;

use super::{FlowRow, HostRow, Others, Ranked, RxTx};
use crate::process::OwnerRow;

/// A row that stands for one thing: a flow, a host, an owner.
pub trait RankedRow {
    fn traffic(&self) -> RxTx;

    /// Since the running session began; zero where rows do not tell it.
    fn session_traffic(&self) -> RxTx {
        RxTx::default()
    }

    /// Adds what another row of the same thing has counted, in other packets. Its rate is left out: whether the two go on
    /// at the same time is the caller's to know.
    fn add(&mut self, other: &Self);
}

impl<T: RankedRow> Ranked<T> {
    /// The `most` rows with the most bytes, in this order; the rest is with the others.
    pub fn keep_largest(&mut self, most: usize) {
        self.rows.sort_by_key(|row| Reverse(row.traffic().sum().bytes));
        for row in self.rows.drain(most.min(self.rows.len())..) {
            self.others += Others { rows: 1, traffic: row.traffic(), session_traffic: row.session_traffic() };
        }
    }
}

impl AddAssign for Others {
    fn add_assign(&mut self, other: Self) {
        add(&mut self.rows, other.rows);
        self.traffic += other.traffic;
        self.session_traffic += other.session_traffic;
    }
}

impl RankedRow for FlowRow {
    fn traffic(&self) -> RxTx {
        self.traffic
    }

    fn add(&mut self, other: &Self) {
        self.traffic += other.traffic;
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.round_trip_micros = self.round_trip_micros.or(other.round_trip_micros);
        add(&mut self.retransmitted_segments, other.retransmitted_segments);
        add(&mut self.zero_windows, other.zero_windows);
        add(&mut self.resets, other.resets);
        if self.name.is_empty() {
            self.name.clone_from(&other.name);
        }
    }
}

impl RankedRow for HostRow {
    fn traffic(&self) -> RxTx {
        self.traffic
    }

    fn add(&mut self, other: &Self) {
        self.traffic += other.traffic;
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        add_protocols(&mut self.protocols, &other.protocols);
        if self.name.is_empty() {
            self.name.clone_from(&other.name);
        }
    }
}

impl RankedRow for OwnerRow {
    fn traffic(&self) -> RxTx {
        self.traffic
    }

    fn session_traffic(&self) -> RxTx {
        self.session_traffic
    }

    /// How well the owner was matched is left out, too: a group's row says it otherwise than a process's.
    fn add(&mut self, other: &Self) {
        self.traffic += other.traffic;
        self.session_traffic += other.session_traffic;
        add(&mut self.rx_payload_bytes, other.rx_payload_bytes);
        add(&mut self.tx_payload_bytes, other.tx_payload_bytes);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.over_threshold |= other.over_threshold;
        add_protocols(&mut self.protocols, &other.protocols);
    }
}

fn add(to: &mut u64, amount: u64) {
    *to = to.saturating_add(amount);
}

/// The protocols of both, each once.
fn add_protocols(into: &mut Vec<String>, other: &[String]) {
    for protocol in other {
        if !into.contains(protocol) {
            into.push(protocol.clone());
        }
    }
}

//! One interface: what is kept by its name since the start, and what belongs to one opening of it.
use std::collections::VecDeque;

use weir_shared::live::SecondSeries;
use weir_shared::report::{Count, RxTx};

use super::ahead::Ahead;
use super::crediting::Owning;
use super::frames::Frames;
use super::hosts::{self, Hosts, Said};
use super::late::Late;
use super::mirror::{self, Flow, Mirror};
use super::moving::Moving;
use super::owners::Owners;
use super::{InterfaceTotals, RecordError, Settings, count, rate, timestamp};
use crate::decode::application::Application;
use crate::flows::addresses::Addresses;
use crate::flows::protocols::Protocols;
use crate::flows::record::{Counters, FlowIdentity, FlowNews, SecondRecord, Totals, WindowRecord};
use crate::flows::sums::SumsRecord;

const MOST_SECONDS: usize = 300;
/// Keeps the tables' order from whoever chooses addresses; rows of one machine's own view need no secret.
const SEED: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];

/// By name: outlives the workers that capture it.
#[derive(Debug)]
pub(super) struct Interface {
    pub hosts: Hosts,
    pub owners: Owners,
    /// Its owners count in lists over interfaces.
    pub in_owner_totals: bool,
    /// By openings that were closed.
    pub captured_before: RxTx,
    seconds: VecDeque<RxTx>,
    last_second: u64,
    /// Numbers the windows, so that what grew in one is told from what grew before.
    pub window: u64,
}

impl Interface {
    pub(super) fn new(most_hosts: usize) -> Self {
        Self {
            hosts: Hosts::new(most_hosts, SEED),
            owners: Owners::default(),
            in_owner_totals: true,
            captured_before: RxTx::default(),
            seconds: VecDeque::new(),
            last_second: 0,
            window: 1,
        }
    }

    /// Quiet seconds are not told: they are filled in. A timeline that was adopted anew begins a new series.
    pub(super) fn second(&mut self, record: &SecondRecord) {
        let missing = record.second.checked_sub(self.last_second + 1);
        match missing.and_then(|missing| usize::try_from(missing).ok()) {
            Some(missing) if missing < MOST_SECONDS && !self.seconds.is_empty() => {
                self.seconds.extend(std::iter::repeat_n(RxTx::default(), missing));
            }
            _ => self.seconds.clear(),
        }
        self.seconds.push_back(RxTx { rx: count(record.received), tx: count(record.sent) });
        while self.seconds.len() > MOST_SECONDS {
            self.seconds.pop_front();
        }
        self.last_second = record.second;
    }

    pub(super) fn last_second(&self) -> (u64, RxTx) {
        (self.last_second, self.seconds.back().copied().unwrap_or_default())
    }

    /// The newest `most` seconds.
    pub(super) fn series(&self, name: &str, most: usize) -> SecondSeries {
        let older = self.seconds.len().saturating_sub(most);
        let start = (self.last_second + 1).saturating_sub((self.seconds.len() - older) as u64);
        SecondSeries {
            interface: name.to_owned(),
            start: timestamp(start.saturating_mul(1_000_000_000)),
            seconds: self.seconds.iter().skip(older).copied().collect(),
        }
    }
}

/// One opening of an interface.
#[derive(Debug)]
pub(super) struct Capture {
    pub name: String,
    pub in_totals: bool,
    /// The first pending window that waits for it.
    pub opened_at: u64,
    pub time: u64,
    window_start: u64,
    pub counters: Counters,
    /// At the start of the open window.
    pub before: Counters,
    pub mirror: Mirror,
    pub moving: Moving,
    pub late: Late,
    pub ahead: Ahead,
    /// Flows of the open window whose slot was given to another.
    pub gone: Vec<Flow>,
    pub gone_count: u64,
    pub gone_traffic: RxTx,
    pub addresses: Addresses,
    /// Of the open window's rows, those of no flow and sums included.
    pub told: RxTx,
    /// Flows of the open window that were told in sums only.
    pub summed: (u64, RxTx),
    /// Frames of no flow that programs sent.
    pub frames: Frames,
    /// Slot, generation and side of ends whose owner is to be found.
    pub open_ends: Vec<(u32, u32, usize)>,
    /// Captured in closed windows, how many they are, and their length.
    pub closed: RxTx,
    pub closed_windows: u64,
    pub closed_nanos: u64,
    highest: WindowRecord,
}

impl Capture {
    pub(super) fn new(name: &str, in_totals: bool, opened_at: u64) -> Self {
        Self {
            name: name.to_owned(),
            in_totals,
            opened_at,
            time: 0,
            window_start: 0,
            counters: Counters::default(),
            before: Counters::default(),
            mirror: Mirror::default(),
            moving: Moving::default(),
            late: Late::default(),
            ahead: Ahead::default(),
            gone: Vec::new(),
            gone_count: 0,
            gone_traffic: RxTx::default(),
            addresses: Addresses::new(65_536, SEED),
            told: RxTx::default(),
            summed: (0, RxTx::default()),
            frames: Frames::default(),
            open_ends: Vec::new(),
            closed: RxTx::default(),
            closed_windows: 0,
            closed_nanos: 0,
            highest: WindowRecord::default(),
        }
    }

    pub(super) fn totals(&mut self, totals: Totals) {
        self.time = totals.time;
        self.window_start = totals.window_start;
        self.late.counts_in(totals.window_start);
        self.counters = totals.counters;
    }

    pub(super) fn second(&mut self, record: &SecondRecord) {
        self.time = self.time.max(record.second.saturating_add(1).saturating_mul(1_000_000_000));
        self.late.second_ended();
        let highest = &mut self.highest;
        highest.highest_received_bytes = highest.highest_received_bytes.max(record.received.bytes);
        highest.highest_sent_bytes = highest.highest_sent_bytes.max(record.sent.bytes);
        let packets = record.received.packets.saturating_add(record.sent.packets);
        highest.highest_packets = highest.highest_packets.max(packets);
    }

    pub(super) fn highest_of_open_window(&mut self) -> WindowRecord {
        std::mem::take(&mut self.highest)
    }

    /// Start and length of the window that was open when it ended; None if it holds nothing.
    pub(super) fn open_window(&self) -> Option<(u64, u64)> {
        let length = self.time.saturating_sub(self.window_start).max(1_000_000);
        (self.counters != self.before).then_some((self.window_start, length.min(super::LONGEST_WINDOW)))
    }

    pub(super) fn row(
        &mut self,
        interface: &mut Interface,
        mut row: FlowNews,
        time: u64,
        (settings, owning): (&Settings, &Owning),
    ) -> Result<(), RecordError> {
        let (is_new, old) = self.mirror.introduce(&row, settings.max_flows)?;
        if let Some(old) = old {
            self.leaves(old, interface.window, settings.rows);
        }
        let since_told = self.mirror.get(row.slot).map_or(0, |flow| flow.rate.seconds_since(time));
        let seconds = if is_new { 1 } else { self.late.told_again(since_told) };
        self.mirror.grow(&mut row, interface.window, time);
        self.moving.told(row.slot);
        if let Some(flow) = self.mirror.get(row.slot) {
            let identity = flow.identity;
            let remote = identity.remote();
            let said = Said {
                grown: mirror::grown(&row),
                window: interface.window,
                first_seen: identity.first_seen,
                last_seen: flow.last_seen,
                protocols: protocols(&identity, flow.application),
                seconds,
            };
            interface.hosts.add(remote, &said);
            self.addresses.flow(identity.initiator, identity.responder, row.forward, row.backward);
        }
        self.credit(interface, &row, (time, is_new, seconds), owning);
        if row.ended
            && let Some(old) = self.mirror.remove(row.slot)
        {
            self.leaves(old, interface.window, settings.rows);
        }
        Ok(())
    }

    /// Flows that were too many to be told one by one.
    pub(super) fn sums(&mut self, interface: &mut Interface, record: &SumsRecord, owning: &Owning) {
        let [of_flows, of_no_flow] = [record.of_flows, record.of_no_flow]
            .map(|[received, sent]| RxTx { rx: count(received), tx: count(sent) });
        self.summed.0 = self.summed.0.saturating_add(record.flows);
        self.summed.1 += of_flows;
        self.told += of_flows;
        self.told += of_no_flow;
        for (address, sum) in &record.addresses {
            self.addresses.add(*address, sum.sent, sum.received);
            let grown = RxTx { rx: count(sum.remote_received), tx: count(sum.remote_sent) };
            if grown.is_zero() {
                continue;
            }
            let said = Said {
                grown,
                window: interface.window,
                first_seen: self.window_start,
                last_seen: self.time,
                protocols: sum.protocols,
                seconds: self.late.seconds(),
            };
            interface.hosts.add(*address, &said);
        }
        self.credit_sums(interface, record, owning);
    }

    pub(super) fn window_start(&self) -> u64 {
        self.window_start
    }

    /// Of the flows that left, the largest wait for the window's end.
    fn leaves(&mut self, flow: Flow, window: u64, rows: usize) {
        if flow.window != window || !flow.is_flow() {
            return;
        }
        self.gone_count += 1;
        self.gone_traffic += flow.grown;
        self.gone.push(flow);
        let most = (rows * 4).max(64);
        if self.gone.len() > most {
            super::rank::first(&mut self.gone, most / 2, |a, b| {
                hosts::bytes(&b.grown).cmp(&hosts::bytes(&a.grown))
            });
        }
    }

    pub(super) fn captured(&self) -> RxTx {
        RxTx { rx: count(self.counters.received), tx: count(self.counters.sent) }
    }

    pub(super) fn window_ended(&mut self, record: &WindowRecord, captured: RxTx) {
        self.closed += captured;
        self.closed_windows = self.closed_windows.saturating_add(1);
        self.closed_nanos = self.closed_nanos.saturating_add(record.length);
        self.window_start = record.start.saturating_add(record.length);
        self.time = self.time.max(self.window_start);
        self.before = record.counters.clone();
        if self.counters.received.packets < record.counters.received.packets
            || self.counters.sent.packets < record.counters.sent.packets
        {
            self.counters = record.counters.clone();
        }
        self.late.window_closed(self.window_start);
        self.ahead.window_ended();
        self.mirror.window_ends();
        self.moving.window_ends();
        self.gone.clear();
        self.gone_count = 0;
        self.gone_traffic = RxTx::default();
        self.addresses.clear();
        self.told = RxTx::default();
        self.summed = (0, RxTx::default());
        self.highest = WindowRecord::default();
    }

    pub(super) fn interface_totals(&self) -> InterfaceTotals {
        let counters = &self.counters;
        let nothing = RxTx { rx: Count::default(), tx: Count::default() };
        InterfaceTotals {
            captured: self.captured(),
            dropped_packets: counters.kernel_dropped.saturating_add(counters.interface_dropped),
            kernel_received: counters.kernel_received,
            malformed_packets: counters.malformed,
            malformed_messages: counters.malformed_messages,
            truncated_packets: counters.truncated,
            evicted_flows: counters.evicted_flows,
            lost_names: counters.lost_names,
            average_per_second: if self.closed_nanos == 0 {
                nothing
            } else {
                rate::mean(&self.closed, self.closed_nanos)
            },
            average_windows: self.closed_windows,
        }
    }
}

fn protocols(identity: &FlowIdentity, application: Application) -> Protocols {
    let mut protocols = Protocols::default();
    protocols.add(identity.protocol, application);
    protocols
}

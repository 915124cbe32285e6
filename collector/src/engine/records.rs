//! What the engine does with what the capture worker says, and what it tells it to do.
use std::time::Instant;

use jiff::Timestamp;
use shared::journal::JournalRecord;
use shared::report::{Gap, KernelCounters};
use weir_shared as shared;

use super::Engine;
use super::captures::Change;
use super::command::WatchRequest;
use super::watches::{Line, named};
use crate::capture::live::Wanted;
use crate::flows::own::OwnAddresses;
use crate::interface::Link;
use crate::window::Counting;
use crate::worker::owners::frames::FramesRow;
use crate::worker::packets::Packets;
use crate::worker::records::{Command, Open, Record, Watch};
use crate::worker::supervise::Event;

const MAX_FLOWS: u32 = 262_144;

impl Engine {
    pub(super) fn worker_event(&mut self, event: Event) {
        match event {
            Event::Started { pid, confinement, without_owners } => {
                tracing::info!(pid, ?confinement, "the capture worker is confined and ready");
                self.worker_facts.running = true;
                if self.owners.worker_reads(without_owners) {
                    // how owners are found has changed, and with it what the worker is to tell
                    let changes = self.captures.close_all();
                    self.order(changes);
                    self.reconcile();
                }
            }
            Event::Died { status, gap_start, retry_in, .. } => {
                tracing::error!(status, ?retry_in, since = %gap_start, "the capture worker ended; it is started again");
                self.worker_facts.deaths = self.worker_facts.deaths.saturating_add(1);
                self.worker_facts.last_death = status;
                self.worker_facts.running = false;
                for id in self.captures.worker_died() {
                    self.end(id);
                }
                self.watches.worker_died();
                self.traffic.forget_told_owners();
            }
            Event::StartFailed { error, retry_in } => {
                tracing::error!(error, ?retry_in, "the capture worker could not be started");
                self.worker_facts.last_death = error;
            }
            Event::Recovered { gap_start, gap_end } => {
                let reason = format!("the capture worker ended ({})", self.worker_facts.last_death);
                self.gap(gap_start, gap_end, "", reason);
            }
            Event::Record(record) => self.record(record),
        }
    }

    fn record(&mut self, record: Record) {
        match record {
            Record::Traffic { id, record } => {
                if let Err(error) = self.traffic.apply(id, record, &self.owners.attribution) {
                    self.refused_records = self.refused_records.saturating_add(1);
                    tracing::debug!(%error, "a record of the capture worker was refused");
                }
            }
            Record::Opened { id, link_type, .. } => {
                if let Some(capture) = self.captures.opened(id) {
                    tracing::info!(interface = capture.name, link_type, "capturing");
                    let counting =
                        Counting { in_totals: capture.in_totals, in_owner_totals: capture.in_owner_totals };
                    self.traffic.interface_opened(id, &capture.name, counting);
                }
            }
            Record::Failed { id, error } => {
                let name = self.captures.by_id(id).map(|capture| capture.name.clone()).unwrap_or_default();
                tracing::warn!(interface = name, %error, "cannot capture; tried again later");
                self.captures.failed(id, error.to_string(), Instant::now());
            }
            Record::Gone { id, reason } => {
                tracing::warn!(
                    id,
                    reason,
                    "a captured interface went away; it is opened again when it is back"
                );
                self.end(id);
                self.captures.gone(id, reason, Instant::now());
            }
            Record::Closed { id } => self.end(id),
            Record::Outside { id, packets } => {
                tracing::debug!(id, packets, "came in before the filter was attached")
            }
            Record::ClockJump { nanoseconds } => {
                let now = Timestamp::now();
                tracing::warn!(nanoseconds, "the wall clock jumped; the timeline follows");
                self.gap(now, now, "", format!("the wall clock jumped by {:.1} s", seconds(nanoseconds)));
            }
            Record::Packets(packets) => self.packets(*packets),
            Record::OwnerEventsLost { events } => {
                self.owner_events_lost = self.owner_events_lost.saturating_add(events);
            }
            Record::Owners(owners) => self.owners_told(owners),
            Record::Frames(rows) => self.frames_sent(&rows),
            Record::Connections(_) | Record::Ready { .. } | Record::Alive | Record::Done => {}
        }
    }

    fn frames_sent(&mut self, rows: &[FramesRow]) {
        for row in rows {
            let captured = self.captures.iter().find(|capture| capture.index == Some(row.interface));
            if let Some(id) = captured.and_then(|capture| capture.id) {
                self.traffic.frames_sent(id, row.owner, row.sent);
            }
        }
    }

    /// An opening has ended: what it captured is kept, its flows end, windows no longer wait for it.
    fn end(&mut self, id: u16) {
        let totals = self.traffic.totals(id);
        self.captures.settle(id, totals.captured, totals.dropped_packets);
        self.traffic.interface_closed(id, &self.owners.attribution);
    }

    pub(super) fn gap(&mut self, start: Timestamp, end: Timestamp, interface: &str, reason: String) {
        let kernel = KernelCounters::default();
        self.backlog.push(JournalRecord::Gap(Gap {
            start,
            end,
            interface: interface.to_owned(),
            reason,
            kernel,
        }));
    }

    pub(super) fn links_changed(&mut self, links: Vec<Link>) {
        self.links = links;
        self.reconcile();
        let told: Vec<_> =
            self.captures.iter().filter_map(|capture| Some((capture.id?, capture.mac))).collect();
        for (id, mac) in told {
            let own = self.own_addresses(mac);
            self.tell(Command::OwnAddresses { id, own });
        }
    }

    pub(super) fn reconcile(&mut self) {
        let choices = self.settings.capture.selection.choose(&self.links);
        let changes = self.captures.reconcile(&self.links, &choices, Instant::now());
        self.order(changes);
    }

    pub(super) fn reopen_due(&mut self) {
        let changes = self.captures.retry(Instant::now());
        self.order(changes);
    }

    pub(super) fn order(&mut self, changes: Vec<Change>) {
        for change in changes {
            let command = match change {
                Change::Open { id, name } => self.open_command(id, name),
                Change::Close { id } => Command::Close { id },
            };
            self.tell(command);
        }
    }

    fn open_command(&self, id: u16, interface: String) -> Command {
        let capture = self.captures.by_id(id);
        let primary = capture.is_some_and(|capture| capture.primary);
        let settings = &self.settings.capture;
        let wanted = Wanted {
            interface,
            snap_length: settings.snap_length,
            filter: settings.filter.clone(),
            promiscuous: settings.promiscuous,
            buffer_mib: if primary { settings.buffer_mib } else { (settings.buffer_mib / 4).max(1) },
        };
        let own = self.own_addresses(capture.and_then(|capture| capture.mac));
        let window_millis = self.window_millis();
        let connections = self.owners.wants_connections();
        Command::Open(Box::new(Open { id, wanted, own, window_millis, max_flows: MAX_FLOWS, connections }))
    }

    fn own_addresses(&self, mac: Option<[u8; 6]>) -> OwnAddresses {
        let addresses = self.links.iter().flat_map(|link| &link.addresses).map(|address| address.ip);
        OwnAddresses::new(addresses.collect(), mac)
    }

    pub(super) fn watch(&mut self, request: WatchRequest) {
        self.close_left_watches(); // the worker has as many places as may be open, and not one more
        let interfaces = self.watched_interfaces(&request.interface);
        let program = request.program.clone();
        let most_packets_per_second = request.most_packets_per_second;
        let watch = self.watches.add(request);
        self.tell(Command::Watch(Watch { watch, interfaces, program, most_packets_per_second }));
    }

    /// Empty for every one; of a name that is not captured, an id that no interface has.
    fn watched_interfaces(&self, name: &str) -> Vec<u16> {
        if name.is_empty() {
            return Vec::new();
        }
        let named = self.captures.iter().find(|capture| capture.name == name);
        vec![named.and_then(|capture| capture.id).unwrap_or(0)]
    }

    fn packets(&mut self, packets: Packets) {
        let Packets { watch, lines, totals, .. } = packets;
        let name = |id| self.captures.by_id(id).map_or("", |capture| capture.name.as_str());
        let lines = lines.into_iter().map(|line| {
            let (flow, interface) = (line.flow(), name(line.id));
            Line { header: line.into_header(interface), flow }
        });
        let lines = lines.collect();
        self.watches.take_in(watch, lines, totals, Instant::now());
    }

    pub(super) fn name_packets(&mut self) {
        let Self { watches, traffic, owners, .. } = self;
        watches.deliver(Instant::now(), |flow| named(flow, traffic, &owners.attribution));
    }

    pub(super) fn close_left_watches(&mut self) {
        for watch in self.watches.take_closed() {
            self.tell(Command::StopWatch { watch });
        }
    }

    fn tell(&mut self, command: Command) {
        if let Err(error) = self.worker.send(command) {
            tracing::error!(%error, "a command did not reach the capture worker");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a log line with one decimal")]
fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

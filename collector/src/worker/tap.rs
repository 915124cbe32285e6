//! An open interface in the worker: its ring, its pipeline, and how it comes to an end without losing what was counted.
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::owners::{Cursor, Flows, Owners};
use super::records::{Open, Record};
use super::run::FirstPackets;
use super::timeline::Timeline;
use super::watch::{Seen, Watches};
use crate::capture::live::{BLOCK_TIMEOUT, Lost, OpenError, Tap};
use crate::flows::key::Key;
use crate::flows::own::OwnAddresses;
use crate::pipeline::batch::Batch;
use crate::pipeline::{Pipeline, Sample, Settings};

/// Packets a turn, so that one flooded interface does not starve the others, nor the commands.
const MOST_A_TURN: usize = 8_192;
/// Between a packet's stamp and its place in the ring the kernel may be interrupted.
const STAMP_MARGIN: u64 = 20_000_000;
/// A block of the ring may be so late.
const BLOCK_MARGIN: u64 = 150_000_000;
/// The kernel hands the block it still fills over after its time-out; what is not there by then does not come.
const MOST_DRAINING: Duration = Duration::from_millis(300);
/// libpcap hears of a deleted interface once, often before it is gone; it has to be asked again.
const ASK_AGAIN_FOR: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum End {
    Closed,
    Gone(String),
}

#[derive(Debug)]
enum State {
    Open,
    /// Nothing more comes in, what is in the ring is read.
    Draining {
        until: Instant,
        end: End,
    },
    /// What is counted is told.
    Telling {
        end: End,
    },
}

pub(super) struct Interface {
    id: u16,
    tap: Tap,
    pipeline: Pipeline,
    batch: Batch,
    own: OwnAddresses,
    state: State,
    error_seen: Option<Instant>,
    outside_told: u64,
    /// Connections that begin on it; None where they are not asked for.
    first_packets: Option<FirstPackets>,
    /// How far its flows follow the news of owners; None where there is none.
    owners: Option<Cursor>,
}

impl Interface {
    pub(super) fn open(open: &Open, seed: [u64; 2], owners: Option<&Owners>) -> Result<Self, OpenError> {
        let tap = Tap::open(&open.wanted)?;
        let settings = Settings {
            window: Duration::from_millis(open.window_millis.max(1).into()),
            max_flows: usize::try_from(open.max_flows).unwrap_or(usize::MAX).max(1),
            seed,
            ..Settings::default()
        };
        let mut pipeline = Pipeline::new(tap.link_type(), open.own.clone(), settings)
            .map_err(|error| OpenError::Link(error.0))?;
        let owners = owners.map(|owners| owners.cursor(&mut pipeline));
        // without it their sockets are looked up later, like everything else
        let first_packets = open.connections.then(|| FirstPackets::open(&open.wanted).ok()).flatten();
        Ok(Self {
            id: open.id,
            tap,
            pipeline,
            batch: Batch::default(),
            own: open.own.clone(),
            state: State::Open,
            error_seen: None,
            outside_told: 0,
            first_packets,
            owners,
        })
    }

    pub(super) fn link_type(&self) -> i32 {
        self.tap.link_type()
    }

    /// To be polled; None while it is drained, when an error would be reported again and again.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        matches!(self.state, State::Open).then(|| self.tap.descriptor())
    }

    pub(super) fn first_packets_descriptor(&self) -> Option<BorrowedFd<'_>> {
        let packets = self.first_packets.as_ref().filter(|_| matches!(self.state, State::Open))?;
        packets.descriptor()
    }

    pub(super) fn first_packets(&mut self) -> Option<(&mut FirstPackets, &OwnAddresses)> {
        self.first_packets.as_mut().map(|packets| (packets, &self.own))
    }

    /// How soon it wants to be read although nothing is ready.
    pub(super) fn patience(&self) -> Option<Duration> {
        match (&self.state, self.error_seen) {
            (State::Draining { .. }, _) => Some(Duration::from_millis(20)),
            (State::Open, Some(at)) if at.elapsed() < ASK_AGAIN_FOR => Some(Duration::from_millis(250)),
            _ => None,
        }
    }

    pub(super) fn error_seen(&mut self) {
        self.error_seen = Some(Instant::now());
    }

    pub(super) fn set_own(&mut self, own: OwnAddresses) {
        self.own = own.clone();
        self.pipeline.set_own(own);
    }

    /// Takes a turn at reading from the ring; says whether there was anything.
    pub(super) fn read(&mut self, timeline: &Timeline, watches: &mut Watches, news: Option<&Owners>) -> bool {
        let Self { id, tap, pipeline, batch, own, owners, .. } = self;
        let mut followed = news.zip(owners.as_mut());
        if let Some((news, cursor)) = &mut followed {
            news.look_ahead(cursor, timeline);
        }
        let (link_type, in_batches) = (tap.link_type(), pipeline.is_large());
        let mut follow = |pipeline: &mut Pipeline, stamp: u64| {
            if let Some((news, cursor)) = &mut followed
                && cursor.is_due(stamp)
            {
                news.follow(cursor, &mut Flows { pipeline, timeline }, stamp);
            }
        };
        let taken = tap.dispatch(MOST_A_TURN, |packet| {
            let time = timeline.at(packet.stamp);
            if !watches.is_empty() {
                watches.packet(&Seen {
                    id: *id,
                    link_type,
                    own,
                    time,
                    wire_length: packet.wire_length,
                    data: packet.data,
                });
            }
            let sample = Sample { time, wire_length: packet.wire_length, data: packet.data };
            if !in_batches {
                follow(pipeline, packet.stamp);
                pipeline.packet(sample);
            } else if batch.add(sample, packet.stamp) {
                batch.count(pipeline, &mut follow);
            }
        });
        batch.count(pipeline, follow);
        if let Some((news, cursor)) = followed {
            news.name_new(cursor, &mut Flows { pipeline, timeline });
        }
        let read = match taken {
            Ok(taken) => {
                self.drain_on(taken);
                taken > 0
            }
            Err(Lost(reason)) => {
                match self.state {
                    State::Open => self.drain(End::Gone(reason)),
                    _ => self.drain_on(0),
                }
                false
            }
        };
        if let (Some(news), State::Telling { .. }) = (news, &self.state) {
            self.follow(timeline, news);
        }
        read
    }

    /// Takes nothing more in; ends as `Closed` when all is told.
    pub(super) fn close(&mut self) {
        if matches!(self.state, State::Open) {
            self.drain(End::Closed);
        }
    }

    fn drain(&mut self, end: End) {
        // where even that fails the interface is gone, and nothing comes in
        let until =
            Instant::now() + if self.tap.stop_intake().is_ok() { MOST_DRAINING } else { 2 * BLOCK_TIMEOUT };
        self.state = State::Draining { until, end };
    }

    fn drain_on(&mut self, taken: usize) {
        let State::Draining { until, .. } = &self.state else { return };
        let late = Instant::now() >= *until;
        let counters = self.tap.counters();
        if taken == 0
            && (late || self.tap.is_drained())
            && let State::Draining { end, .. } = std::mem::replace(&mut self.state, State::Open)
        {
            self.pipeline.dropped(counters.received, counters.dropped, counters.interface_dropped);
            self.pipeline.tell_all();
            self.state = State::Telling { end };
        }
    }

    /// The kernel's counters, and the time before which nothing will come.
    pub(super) fn tick(&mut self, timeline: &Timeline) {
        let counters = self.tap.counters();
        self.pipeline.dropped(counters.received, counters.dropped, counters.interface_dropped);
        let margin = if self.tap.is_drained() { STAMP_MARGIN } else { BLOCK_MARGIN };
        self.pipeline.reached(timeline.now().saturating_sub(margin));
    }

    /// With which tuples packets of its flows are looked for on all interfaces.
    pub(super) fn looked_for(&self, timeline: &Timeline, news: &Owners) -> Vec<Key> {
        self.owners.as_ref().map(|cursor| news.looked_for(cursor, timeline.now())).unwrap_or_default()
    }

    /// Slot and generation of the flow that has this key.
    pub(super) fn flow_of(&self, key: &Key) -> Option<(u32, u32)> {
        self.pipeline.find_flow(key).and_then(|slot| Some((slot, self.pipeline.generation(slot)?)))
    }

    pub(super) fn has_flow(&self, key: &Key) -> bool {
        self.pipeline.find_flow(key).is_some()
    }

    /// Once a tick, before what was counted is told.
    pub(super) fn follow(&mut self, timeline: &Timeline, news: &Owners) {
        let Self { pipeline, owners, state, .. } = self;
        let Some(cursor) = owners else { return };
        let flows = &mut Flows { pipeline, timeline };
        match state {
            State::Open | State::Draining { .. } => news.settle(cursor, flows),
            State::Telling { .. } => news.end(cursor, flows),
        }
    }

    /// The number of the next change of owners that it has not applied.
    pub(super) fn next_change(&self) -> Option<u64> {
        self.owners.as_ref().map(Cursor::next)
    }

    pub(super) fn jump(&mut self, timeline: &Timeline) {
        self.pipeline.jump(timeline.now());
    }

    pub(super) fn has_news(&self) -> bool {
        self.pipeline.has_news()
            || self.owners.as_ref().is_some_and(Cursor::is_waiting)
            || self.tap.outside() > self.outside_told
            || matches!(self.state, State::Telling { .. })
    }

    /// Rows that hold a window, or what a second moved, back.
    pub(super) fn overdue(&self) -> usize {
        self.pipeline.overdue()
    }

    /// A second has ended that was not told.
    pub(super) fn has_ended_second(&self) -> bool {
        self.pipeline.has_ended_second()
    }

    /// The next of what there is to tell; what is taken counts as told.
    pub(super) fn take(&mut self, most_rows: usize) -> Option<Record> {
        let outside = self.tap.outside();
        if outside > self.outside_told {
            self.outside_told = outside;
            return Some(Record::Outside { id: self.id, packets: outside });
        }
        self.pipeline.take(most_rows).map(|record| Record::Traffic { id: self.id, record })
    }

    /// The last record, once everything else is told: the interface can be dropped.
    pub(super) fn ended(&self) -> Option<Record> {
        match &self.state {
            State::Telling { end }
                if !self.pipeline.has_news() && self.tap.outside() == self.outside_told =>
            {
                Some(match end {
                    End::Closed => Record::Closed { id: self.id },
                    End::Gone(reason) => Record::Gone { id: self.id, reason: reason.clone() },
                })
            }
            _ => None,
        }
    }
}

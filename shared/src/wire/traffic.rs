//! The live view and the journal of traffic.proto.
use super::control::{capture_state, capture_state_to_wire, losses, losses_to_wire};
use super::{WireError, by_value, each, millis, or_zero, required, to_wire, try_or_zero, v1};
use crate::health::Degraded;
use crate::journal::{JournalEntry, JournalOpened, JournalRecord};
use crate::live::{Live, LiveInterface, SecondSeries, Update};
use crate::report::RxTx;

impl From<&LiveInterface> for v1::LiveInterface {
    fn from(live: &LiveInterface) -> Self {
        Self {
            interface: live.interface.clone(),
            state: capture_state_to_wire(live.state),
            reason: live.reason.clone(),
            in_totals: live.in_totals,
            primary: live.primary,
            second: Some(live.second.into()),
            average_per_second: Some(live.average_per_second.into()),
            average_windows: live.average_windows,
            today: Some(live.today.into()),
            month: Some(live.month.into()),
            captured: Some(live.captured.into()),
            dropped_packets: live.dropped_packets,
            ledger: Some(live.ledger.into()),
            hosts: Some((&live.hosts).into()),
            flows: Some((&live.flows).into()),
            owners: Some((&live.owners).into()),
        }
    }
}

impl TryFrom<v1::LiveInterface> for LiveInterface {
    type Error = WireError;

    fn try_from(live: v1::LiveInterface) -> Result<Self, WireError> {
        Ok(Self {
            interface: live.interface,
            state: capture_state(live.state)?,
            reason: live.reason,
            in_totals: live.in_totals,
            primary: live.primary,
            second: or_zero(live.second),
            average_per_second: or_zero(live.average_per_second),
            average_windows: live.average_windows,
            today: or_zero(live.today),
            month: or_zero(live.month),
            captured: or_zero(live.captured),
            dropped_packets: live.dropped_packets,
            ledger: or_zero(live.ledger),
            hosts: try_or_zero(live.hosts)?,
            flows: try_or_zero(live.flows)?,
            owners: try_or_zero(live.owners)?,
        })
    }
}

impl From<&Degraded> for v1::Degraded {
    fn from(degraded: &Degraded) -> Self {
        Self { part: degraded.part.clone(), reason: degraded.reason.clone() }
    }
}

impl From<v1::Degraded> for Degraded {
    fn from(degraded: v1::Degraded) -> Self {
        Self { part: degraded.part, reason: degraded.reason }
    }
}

impl From<&Update> for v1::Update {
    fn from(update: &Update) -> Self {
        Self {
            time_unix_millis: update.time.as_millisecond(),
            interfaces: to_wire(&update.interfaces),
            last_window: update.last_window.as_ref().map(Into::into),
            losses: losses_to_wire(&update.losses),
            degraded: to_wire(&update.degraded),
            last_sequence: update.last_sequence,
            open_alerts: update.open_alerts,
            window_millis: update.window_millis,
            recent_seconds: to_wire(&update.recent_seconds),
            owners: Some((&update.owners).into()),
            active_owners: update.active_owners,
            session: update.session.as_ref().map(Into::into),
            process_threshold_bytes_per_second: update.process_threshold_bytes_per_second,
        }
    }
}

impl TryFrom<v1::Update> for Update {
    type Error = WireError;

    fn try_from(update: v1::Update) -> Result<Self, WireError> {
        Ok(Self {
            time: millis("time_unix_millis", update.time_unix_millis)?,
            interfaces: each(update.interfaces)?,
            last_window: update.last_window.map(TryInto::try_into).transpose()?,
            losses: losses(update.losses),
            degraded: update.degraded.into_iter().map(Into::into).collect(),
            last_sequence: update.last_sequence,
            open_alerts: update.open_alerts,
            window_millis: update.window_millis,
            recent_seconds: each(update.recent_seconds)?,
            owners: try_or_zero(update.owners)?,
            active_owners: update.active_owners,
            session: update.session.map(TryInto::try_into).transpose()?,
            process_threshold_bytes_per_second: update.process_threshold_bytes_per_second,
        })
    }
}

impl From<&SecondSeries> for v1::SecondSeries {
    fn from(series: &SecondSeries) -> Self {
        Self {
            interface: series.interface.clone(),
            start_unix_millis: series.start.as_millisecond(),
            seconds: to_wire(&series.seconds),
        }
    }
}

impl TryFrom<v1::SecondSeries> for SecondSeries {
    type Error = WireError;

    fn try_from(series: v1::SecondSeries) -> Result<Self, WireError> {
        Ok(Self {
            interface: series.interface,
            start: millis("start_unix_millis", series.start_unix_millis)?,
            seconds: series.seconds.into_iter().map(RxTx::from).collect(),
        })
    }
}

impl From<&Live> for v1::SubscribeResponse {
    fn from(live: &Live) -> Self {
        use v1::subscribe_response::Content;
        let (sequence, content) = match live {
            Live::Snapshot { sequence, now, seconds } => {
                let snapshot = v1::Snapshot { now: Some(now.into()), seconds: to_wire(seconds) };
                (*sequence, Content::Snapshot(snapshot))
            }
            Live::Update { sequence, now } => (*sequence, Content::Update(now.into())),
        };
        Self { sequence, content: Some(content) }
    }
}

impl TryFrom<v1::SubscribeResponse> for Live {
    type Error = WireError;

    fn try_from(message: v1::SubscribeResponse) -> Result<Self, WireError> {
        use v1::subscribe_response::Content;
        let sequence = message.sequence;
        match message.content.ok_or_else(|| WireError::missing("content"))? {
            Content::Snapshot(snapshot) => Ok(Self::Snapshot {
                sequence,
                now: required("now", snapshot.now)?,
                seconds: each(snapshot.seconds)?,
            }),
            Content::Update(update) => Ok(Self::Update { sequence, now: update.try_into()? }),
        }
    }
}

impl From<&JournalOpened> for v1::JournalOpened {
    fn from(opened: &JournalOpened) -> Self {
        Self {
            journal_id: opened.journal_id.clone(),
            oldest_sequence: opened.oldest_sequence,
            next_sequence: opened.next_sequence,
        }
    }
}

impl From<v1::JournalOpened> for JournalOpened {
    fn from(opened: v1::JournalOpened) -> Self {
        Self {
            journal_id: opened.journal_id,
            oldest_sequence: opened.oldest_sequence,
            next_sequence: opened.next_sequence,
        }
    }
}

impl From<&JournalEntry> for v1::JournalEntry {
    fn from(entry: &JournalEntry) -> Self {
        use v1::journal_entry::Content;
        let content = match &entry.record {
            JournalRecord::Window(window) => Content::Window(window.as_ref().into()),
            JournalRecord::Alert(alert) => Content::Alert(alert.as_ref().into()),
            JournalRecord::Gap(gap) => Content::Gap(gap.into()),
            JournalRecord::Session(session) => Content::Session(session.as_ref().into()),
            JournalRecord::Event(event) => Content::Event(event.into()),
        };
        Self { sequence: entry.sequence, previous_sequence: entry.previous_sequence, content: Some(content) }
    }
}

impl TryFrom<v1::JournalEntry> for JournalEntry {
    type Error = WireError;

    fn try_from(entry: v1::JournalEntry) -> Result<Self, WireError> {
        use v1::journal_entry::Content;
        let record = match entry.content.ok_or_else(|| WireError::missing("content"))? {
            Content::Window(window) => JournalRecord::Window(Box::new(window.try_into()?)),
            Content::Alert(alert) => JournalRecord::Alert(Box::new(alert.try_into()?)),
            Content::Gap(gap) => JournalRecord::Gap(gap.try_into()?),
            Content::Session(session) => JournalRecord::Session(Box::new(session.try_into()?)),
            Content::Event(event) => JournalRecord::Event(event.try_into()?),
        };
        Ok(Self { sequence: entry.sequence, previous_sequence: entry.previous_sequence, record })
    }
}

by_value!(
    LiveInterface => v1::LiveInterface,
    Degraded => v1::Degraded,
    Update => v1::Update,
    SecondSeries => v1::SecondSeries,
    Live => v1::SubscribeResponse,
    JournalOpened => v1::JournalOpened,
    JournalEntry => v1::JournalEntry,
);

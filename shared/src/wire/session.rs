//! Monitoring sessions, and events.
use super::{WireError, by_value, each, millis, or_zero, to_wire, try_or_zero, v1};
use crate::alert::Event;
use crate::session::{Session, SessionInterface};

impl From<&SessionInterface> for v1::SessionInterface {
    fn from(part: &SessionInterface) -> Self {
        Self {
            interface: part.interface.clone(),
            captured: Some(part.captured.into()),
            kernel: Some(part.kernel.into()),
        }
    }
}

impl From<v1::SessionInterface> for SessionInterface {
    fn from(part: v1::SessionInterface) -> Self {
        Self { interface: part.interface, captured: or_zero(part.captured), kernel: or_zero(part.kernel) }
    }
}

impl From<&Session> for v1::Session {
    fn from(session: &Session) -> Self {
        Self {
            session_id: session.id,
            name: session.name.clone(),
            begin_unix_millis: session.begin.as_millisecond(),
            end_unix_millis: session.end.map_or(0, |end| end.as_millisecond()),
            gap_millis: session.gap_millis,
            traffic: Some(session.traffic.into()),
            interfaces: to_wire(&session.interfaces),
            owners: Some((&session.owners).into()),
        }
    }
}

impl TryFrom<v1::Session> for Session {
    type Error = WireError;

    fn try_from(session: v1::Session) -> Result<Self, WireError> {
        let end = Some(session.end_unix_millis).filter(|end| *end != 0);
        Ok(Self {
            id: session.session_id,
            name: session.name,
            begin: millis("begin_unix_millis", session.begin_unix_millis)?,
            end: end.map(|end| millis("end_unix_millis", end)).transpose()?,
            gap_millis: session.gap_millis,
            traffic: or_zero(session.traffic),
            interfaces: session.interfaces.into_iter().map(Into::into).collect(),
            owners: try_or_zero(session.owners)?,
        })
    }
}

impl From<&Event> for v1::Event {
    fn from(event: &Event) -> Self {
        Self {
            time_unix_millis: event.time.as_millisecond(),
            kind: event.kind.clone(),
            subject: event.subject.clone(),
            message: event.message.clone(),
        }
    }
}

impl TryFrom<v1::Event> for Event {
    type Error = WireError;

    fn try_from(event: v1::Event) -> Result<Self, WireError> {
        Ok(Self {
            time: millis("time_unix_millis", event.time_unix_millis)?,
            kind: event.kind,
            subject: event.subject,
            message: event.message,
        })
    }
}

/// The sessions of a list.
pub(crate) fn sessions(messages: Vec<v1::Session>) -> Result<Vec<Session>, WireError> {
    each(messages)
}

by_value!(SessionInterface => v1::SessionInterface, Session => v1::Session, Event => v1::Event);

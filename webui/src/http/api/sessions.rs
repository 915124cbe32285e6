//! Monitoring sessions and events.
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Serialize;
use weir_shared::alert::Event;
use weir_shared::json::csv::{Cell, Columns};
use weir_shared::json::{SessionItem, sessions_document};
use weir_shared::session::Session;

use super::super::error::HttpError;
use super::super::state::State;
use super::query::{Paged, Parameters, csv_file};

/// The running one first, then those that ended, newest first; without the collector those that ended.
pub(super) async fn sessions(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let query = parameters.newest_first()?;
    let page = state.store.ended_sessions(&query).await?;
    let mut sessions = page.sessions;
    if query.before.is_none() && !parameters.has_range() && query.search.trim().is_empty() {
        sessions.splice(0..0, running(&state).await);
    }
    let document = sessions_document(&sessions);
    if parameters.is_csv()? {
        let lines: Vec<Line> = document.sessions.into_iter().map(Line).collect();
        return csv_file("sessions", &lines, None);
    }
    Ok(HttpResponse::Ok().json(Paged { document, next_cursor: page.next.map(|id| id.to_string()) }))
}

pub(super) async fn running(state: &State) -> Option<Session> {
    let sessions = state.hub.collector()?.sessions(1).await.ok()?;
    sessions.into_iter().find(|session| session.end.is_none())
}

/// A session in one line; its interfaces and processes are in the JSON.
struct Line(SessionItem);

impl Columns for Line {
    const HEADER: &'static [&'static str] = &[
        "id",
        "name",
        "begin",
        "end",
        "gap_millis",
        "rx_bytes",
        "tx_bytes",
        "rx_packets",
        "tx_packets",
        "interfaces",
        "processes",
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self(session) = self;
        let traffic = session.traffic;
        let end = session.end.map(|end| end.to_string()).unwrap_or_default();
        let interfaces: Vec<&str> = session.interfaces.iter().map(|part| part.interface.as_str()).collect();
        let mut cells = vec![
            Cell::plain(session.id),
            Cell::text(&session.name),
            Cell::plain(session.begin),
            Cell::plain(end),
            Cell::plain(session.gap_millis),
        ];
        cells.extend(
            [traffic.rx_bytes, traffic.tx_bytes, traffic.rx_packets, traffic.tx_packets].map(Cell::plain),
        );
        let processes = u64::try_from(session.processes.len()).unwrap_or(u64::MAX);
        cells.extend([
            Cell::text(interfaces.join(" ")),
            Cell::plain(processes.saturating_add(session.others.rows)),
        ]);
        cells
    }
}

#[derive(Debug, Serialize)]
struct EventsDocument {
    events: Vec<EventItem>,
}

#[derive(Debug, Serialize)]
struct EventItem {
    time: Timestamp,
    kind: String,
    subject: String,
    message: String,
}

impl From<Event> for EventItem {
    fn from(Event { time, kind, subject, message }: Event) -> Self {
        Self { time, kind, subject, message }
    }
}

impl Columns for EventItem {
    const HEADER: &'static [&'static str] = &["time", "kind", "subject", "message"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::plain(self.time),
            Cell::text(&self.kind),
            Cell::text(&self.subject),
            Cell::text(&self.message),
        ]
    }
}

/// What somebody did or what happened once, newest first. Without a range all that is kept.
pub(super) async fn events(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let page = state.store.events(&parameters.newest_first()?).await?;
    let events: Vec<EventItem> = page.events.into_iter().map(Into::into).collect();
    if parameters.is_csv()? {
        return csv_file("events", &events, None);
    }
    let next_cursor = page.next.map(|id| id.to_string());
    Ok(HttpResponse::Ok().json(Paged { document: EventsDocument { events }, next_cursor }))
}

//! Monitoring sessions: named spans with their own totals.
use shared::client::Collector;
use shared::session::Session;
use weir_shared as shared;

use super::bytes;
use crate::args::{Arguments, SessionAction};
use crate::output::Output;
use crate::table::{self, Align};

const COLUMNS: [(&str, Align); 7] = [
    ("ID", Align::Right),
    ("NAME", Align::Left),
    ("BEGIN", Align::Left),
    ("END", Align::Left),
    ("RECEIVED", Align::Right),
    ("SENT", Align::Right),
    ("NOT SEEN", Align::Right),
];

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    action: &SessionAction,
    out: &mut Output,
) -> anyhow::Result<()> {
    let sessions = match action {
        SessionAction::Start { name } => vec![collector.start_session(name).await?],
        SessionAction::Stop => vec![collector.stop_session().await?],
        SessionAction::Reset => {
            let (ended, running) = collector.reset_session().await?;
            vec![running, ended]
        }
        SessionAction::List { limit } => collector.sessions(*limit).await?,
    };
    if arguments.json {
        out.json(&shared::json::sessions_document(&sessions))?;
    } else if sessions.is_empty() {
        out.line("No sessions. `weir session start NAME` begins one.")?;
    } else {
        table::print(out, &COLUMNS, &sessions.iter().map(|session| row(session, out)).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn row(session: &Session, out: &Output) -> Vec<String> {
    let gap =
        if session.gap_millis == 0 { String::new() } else { format!("{} s", session.gap_millis / 1_000) };
    vec![
        session.id.to_string(),
        session.name.clone(),
        out.date_time(session.begin),
        session.end.map_or_else(|| "running".to_owned(), |end| out.date_time(end)),
        bytes(session.traffic.rx.bytes),
        bytes(session.traffic.tx.bytes),
        gap,
    ]
}

//! Owners and the running session as a live frame shows them: without what a page asks for once somebody looks at one.
use jiff::Timestamp;
use serde::Serialize;
use weir_shared::json::{OthersItem, Rate, SessionItem, Traffic};
use weir_shared::live::Update;
use weir_shared::process::{MatchQuality, OwnerRow};
use weir_shared::report::Ranked;

/// Rows of one list in a frame, which goes to each open page once a second.
const MOST_ROWS: usize = 40;

#[derive(Serialize)]
pub(super) struct Owners<'a> {
    rows: Vec<OwnerFrame<'a>>,
    others: OthersItem,
}

#[derive(Serialize)]
struct OwnerFrame<'a> {
    name: &'a str,
    pid: Option<u32>,
    started: Option<Timestamp>,
    user: &'a str,
    unit: &'a str,
    container: &'a str,
    alive: bool,
    quality: MatchQuality,
    reason: &'a str,
    #[serde(flatten)]
    traffic: Traffic,
    #[serde(flatten)]
    rate: Rate,
    protocols: &'a [String],
    over_threshold: bool,
}

impl<'a> From<&'a Ranked<OwnerRow>> for Owners<'a> {
    fn from(list: &'a Ranked<OwnerRow>) -> Self {
        let mut others = list.others;
        for row in list.rows.iter().skip(MOST_ROWS) {
            others.rows = others.rows.saturating_add(1);
            others.traffic += row.traffic;
        }
        Self { rows: list.rows.iter().take(MOST_ROWS).map(Into::into).collect(), others: others.into() }
    }
}

impl<'a> From<&'a OwnerRow> for OwnerFrame<'a> {
    fn from(row: &'a OwnerRow) -> Self {
        let owner = &row.owner;
        Self {
            name: &owner.name,
            pid: owner.pid,
            started: owner.started,
            user: &owner.user,
            unit: &owner.unit,
            container: &owner.container,
            alive: owner.alive,
            quality: owner.quality,
            reason: &owner.reason,
            traffic: row.traffic.into(),
            rate: row.per_second.into(),
            protocols: &row.protocols,
            over_threshold: row.over_threshold,
        }
    }
}

/// What of a frame is about processes.
#[derive(Serialize)]
pub(super) struct Processes<'a> {
    owners: Owners<'a>,
    active_owners: u32,
    /// In either direction; 0: off.
    process_threshold_bytes_per_second: u64,
    /// Null: none is running.
    session: Option<SessionItem>,
}

impl<'a> From<&'a Update> for Processes<'a> {
    fn from(update: &'a Update) -> Self {
        Self {
            owners: (&update.owners).into(),
            active_owners: update.active_owners,
            process_threshold_bytes_per_second: update.process_threshold_bytes_per_second,
            session: update.session.as_ref().map(Into::into),
        }
    }
}

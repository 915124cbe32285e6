//! Owners over a range: each process by itself, or put together by what they have in common, and one's history.
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};
use weir_shared::process::{MatchQuality, Owner, OwnerRow, ParentProcess};
use weir_shared::report::{Count, RxTx};

use super::columns::unsigned;
use super::list::{ListQuery, Page, What, per_second, traffic};
use super::range::{Plan, Range};
use super::ranked::{Kind, quality_of};
use super::rows::{process, text, time};
use super::{Store, StoreError, scope};

/// By what owners are put together. What is no process (`kernel`, `unknown` and the like) stays by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// Not at all.
    #[default]
    Process,
    Program,
    Unit,
    Container,
    User,
}

impl Group {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Process => "pid",
            Self::Program => "program",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::User => "user",
        }
    }

    const fn column(self) -> Option<&'static str> {
        match self {
            Self::Process => None,
            Self::Program => Some("o.name"),
            Self::Unit => Some("o.unit"),
            Self::Container => Some("o.container"),
            Self::User => Some("o.user"),
        }
    }
}

/// Which owners; a field that is None is any. `Some("")` is those that have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerFilter {
    pub name: Option<String>,
    /// 0: no process.
    pub pid: Option<u32>,
    pub started: Option<Timestamp>,
    pub user: Option<String>,
    pub unit: Option<String>,
    pub container: Option<String>,
}

impl OwnerFilter {
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    pub fn matches(&self, owner: &Owner) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|wanted| wanted == text);
        // of what is no process none has a user, and it is not meant by those without
        let detail = |wanted: &Option<String>, text: &str| {
            is(wanted, text) && (wanted.is_none() || owner.pid.is_some())
        };
        is(&self.name, &owner.name)
            && self.pid.is_none_or(|pid| pid == owner.pid.unwrap_or(0))
            && (self.started.is_none() || self.started == owner.started)
            && detail(&self.user, &owner.user)
            && detail(&self.unit, &owner.unit)
            && detail(&self.container, &owner.container)
    }

    /// As [`CHOSEN`] reads it; None for all.
    pub(super) fn json(&self) -> Option<String> {
        let Self { name, pid, started, user, unit, container } = self;
        let started = started.map(Timestamp::as_millisecond);
        let fields = json!({ "name": name, "pid": pid, "started": started, "user": user, "unit": unit,
            "container": container });
        (!self.is_all()).then(|| fields.to_string())
    }
}

/// Common table expression: the owners that parameter 12 describes.
pub(super) const CHOSEN: &str = "chosen(id) AS MATERIALIZED (SELECT o.id FROM owner o WHERE \
    (?12->>'name' IS NULL OR o.name = ?12->>'name') AND (?12->>'pid' IS NULL OR o.pid = ?12->>'pid') AND \
    (?12->>'started' IS NULL OR o.started = ?12->>'started') AND \
    (?12->>'user' IS NULL OR o.pid > 0 AND o.user = ?12->>'user') AND \
    (?12->>'unit' IS NULL OR o.pid > 0 AND o.unit = ?12->>'unit') AND \
    (?12->>'container' IS NULL OR o.pid > 0 AND o.container = ?12->>'container'))";

const TEXTS: [&str; 8] =
    ["name", "reason", "executable", "command_line", "user", "unit", "container", "parents"];
const NUMBERS: [&str; 3] = ["pid", "started", "alive"];

/// Columns of a group beyond those of every list: what all its owners have in common.
pub(super) fn grouped_columns(group: Group) -> String {
    if group == Group::Process {
        return String::new();
    }
    let common = |column: &&str, none: &str| {
        format!(", iif(min(o.{column}) = max(o.{column}), min(o.{column}), {none}) AS owner_{column}")
    };
    let mut columns = String::from(", count(DISTINCT p.key) AS members");
    columns.extend(TEXTS.iter().map(|column| common(column, "''")));
    columns.extend(NUMBERS.iter().map(|column| common(column, "0")));
    columns
}

pub(super) fn grouped_by(group: Group) -> String {
    match group.column() {
        None => "GROUP BY p.key".to_owned(),
        Some(column) => format!(
            "LEFT JOIN owner o ON o.id = p.key GROUP BY p.key = 0, o.pid = 0, iif(o.pid = 0, o.name, {column})"
        ),
    }
}

const LABELS: &str = "(SELECT group_concat(t.text) FROM json_each('[' || p.labels || ']') j \
    JOIN term t ON t.id = j.value) AS protocol_texts";

/// What a list of owners shows beside its figures.
pub(super) fn shown(group: Group) -> String {
    if group != Group::Process {
        return LABELS.to_owned();
    }
    let columns: Vec<String> =
        TEXTS.iter().chain(&NUMBERS).map(|column| format!("o.{column} AS owner_{column}")).collect();
    format!("{LABELS}, 1 AS members, {}", columns.join(", "))
}

pub(super) const fn shown_join(group: Group) -> &'static str {
    match group {
        Group::Process => "LEFT JOIN owner o ON o.id = p.key",
        _ => "",
    }
}

/// What an owner, or several put together, moved over a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerSpan {
    /// Of several: what they have in common, and no pid.
    pub row: OwnerRow,
    /// How many processes these are.
    pub members: u64,
}

/// What the chosen owners moved, step by step; a step in which they are on no list is absent.
#[derive(Clone, Debug)]
pub struct OwnerSeries {
    pub range: Range,
    pub plan: Plan,
    /// By start, oldest first.
    pub steps: Vec<(Timestamp, RxTx)>,
}

impl Store {
    /// Owners over a range, by bytes.
    pub async fn owners(&self, group: Group, query: &ListQuery) -> Result<Page<OwnerSpan>, StoreError> {
        self.list(What { kind: Kind::Owner, group }, query, owner).await
    }

    /// The history of the chosen owners; of all interfaces those that count in totals.
    pub async fn owner_series(
        &self,
        range: Range,
        interface: Option<&str>,
        owners: &OwnerFilter,
        step_millis: Option<i64>,
    ) -> Result<OwnerSeries, StoreError> {
        let held = self.held().await?;
        let range = held.clamp(range);
        let (coarse, plan) = (held.plan_ranked(range), held.plan_series(range, step_millis));
        let level = plan.level.max(coarse.level);
        let plan = Plan { level, step_millis: plan.step_millis.max(level.millis()) };
        let (from, to) = range.millis();
        // parameters 5 to 11 are other statements'
        let sql = format!(
            "WITH {CHOSEN} SELECT {bucket} AS bucket, sum(r.rx_packets), sum(r.rx_bytes), sum(r.tx_packets), \
             sum(r.tx_bytes) FROM ranked r WHERE r.level = ?1 AND r.kind = 6 AND r.start >= ?2 AND r.start < ?3 AND \
             {scope} AND r.key <> 0 AND (?12 IS NULL OR r.key IN chosen) GROUP BY bucket ORDER BY bucket",
            bucket = plan.bucket("r"),
            scope = scope::condition("r.interface_id", 4),
        );
        let mut query =
            sqlx::query(AssertSqlSafe(sql)).bind(level.number()).bind(from).bind(to).bind(interface);
        for _ in 5..12 {
            query = query.bind(None::<i64>);
        }
        let rows = query.bind(owners.json()).fetch_all(&self.readers).await?;
        let steps = rows.iter().map(step).collect::<Result<_, _>>()?;
        Ok(OwnerSeries { range, plan, steps })
    }
}

fn step(row: &SqliteRow) -> Result<(Timestamp, RxTx), sqlx::Error> {
    let count = |packets: usize| -> Result<Count, sqlx::Error> {
        Ok(Count { packets: unsigned(row.try_get(packets)?), bytes: unsigned(row.try_get(packets + 1)?) })
    };
    Ok((time(row, "bucket")?, RxTx { rx: count(1)?, tx: count(3)? }))
}

fn owner(row: &SqliteRow, seconds: f64) -> Result<OwnerSpan, sqlx::Error> {
    let traffic = traffic(row)?;
    let amount = |column: &str| -> Result<u64, sqlx::Error> {
        Ok(unsigned(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0)))
    };
    let row_of = OwnerRow {
        interface: text(row, "interface")?,
        owner: identity(row, quality_of(row.try_get("direction")?), text(row, "state_text")?)?,
        traffic,
        rx_payload_bytes: amount("rx_payload_bytes")?,
        tx_payload_bytes: amount("tx_payload_bytes")?,
        per_second: per_second(&traffic, seconds),
        protocols: words(&text(row, "protocol_texts")?),
        first_seen: time(row, "first_seen")?,
        last_seen: time(row, "last_seen")?,
        over_threshold: false,
        session_traffic: RxTx::default(),
    };
    Ok(OwnerSpan { row: row_of, members: amount("members")? })
}

/// Who it is, from columns `owner_…`, and how it was matched; what is no process has a reason of its own.
pub(super) fn identity(row: &SqliteRow, quality: MatchQuality, reason: String) -> Result<Owner, sqlx::Error> {
    let (pid, started) = process(row, "owner_pid", "owner_started")?;
    let parents: serde_json::Value = serde_json::from_str(&text(row, "owner_parents")?).unwrap_or_default();
    Ok(Owner {
        name: text(row, "owner_name")?,
        pid,
        started,
        executable: text(row, "owner_executable")?,
        command_line: text(row, "owner_command_line")?,
        user: text(row, "owner_user")?,
        unit: text(row, "owner_unit")?,
        container: text(row, "owner_container")?,
        parents: parents.as_array().into_iter().flatten().filter_map(parent).collect(),
        alive: row.try_get::<Option<i64>, _>("owner_alive")? == Some(1),
        quality,
        reason: if pid.is_none() && is_no_process(quality) { text(row, "owner_reason")? } else { reason },
    })
}

/// A group of processes has no pid either.
const fn is_no_process(quality: MatchQuality) -> bool {
    matches!(quality, MatchQuality::Kernel | MatchQuality::Unknown)
}

fn parent(value: &serde_json::Value) -> Option<ParentProcess> {
    let pid = value.get("pid")?.as_u64().and_then(|pid| u32::try_from(pid).ok())?;
    Some(ParentProcess { pid, name: value.get("name")?.as_str()?.to_owned() })
}

/// Each word of several lists once.
pub(super) fn words(lists: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    lists.split(',').filter(|word| !word.is_empty() && seen.insert(*word)).map(str::to_owned).collect()
}

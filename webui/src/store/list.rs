//! Ranked lists over a range, a page at a time, and the one statement that they are read by.
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};
use weir_shared::report::{Count, Others, Ranked, RxTx};

use super::columns::{signed, unsigned};
use super::owners::{self, Group, OwnerFilter};
use super::range::{Level, Range};
use super::ranked::Kind;
use super::rollup::one;
use super::search::{CONDITION, MATCHED, Search};
use super::{Store, StoreError, scope};

/// What a ranked list asks for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    pub range: Range,
    /// None is all that count in totals: a key on several of them is one row.
    pub interface: Option<String>,
    pub search: String,
    /// Only these owners, or only flows of theirs.
    pub owners: OwnerFilter,
    pub limit: usize,
    pub after: Option<Cursor>,
}

/// The last row of the page before, by what the list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub bytes: u64,
    pub key: i64,
}

/// A page of a list. The remainder is what stands on no page up to this one.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub range: Range,
    pub level: Level,
    pub list: Ranked<T>,
    pub next: Option<Cursor>,
}

impl Store {
    pub(super) async fn list<T>(
        &self,
        of: What,
        query: &ListQuery,
        read: fn(&SqliteRow, f64) -> Result<T, sqlx::Error>,
    ) -> Result<Page<T>, StoreError> {
        let held = self.held().await?;
        let range = held.clamp(query.range);
        let level = held.plan_ranked(range).level;
        let search = Search::new(&query.search);
        let (from, to) = range.millis();
        let after = query.after.unwrap_or(Cursor { bytes: u64::MAX, key: i64::MAX });
        let rule = match query.interface {
            None if self.forwards(range, level).await? => Joined::Highest,
            _ => Joined::Summed,
        };
        let statement = Statement { of, searched: search.is_some(), of_owners: !query.owners.is_all(), rule };
        let rows = sqlx::query(AssertSqlSafe(statement.sql()))
            .bind(search.as_ref().map(|search| &search.pattern))
            .bind(search.as_ref().map(|search| &search.protocols))
            .bind(search.as_ref().map(|search| search.port))
            .bind(level.number())
            .bind(of.kind as i64)
            .bind(from)
            .bind(to)
            .bind(query.interface.as_deref())
            .bind(signed(after.bytes))
            .bind(after.key)
            .bind(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1))
            .bind(query.owners.json())
            .fetch_all(&self.readers)
            .await?;
        let seconds = (range.to.duration_since(range.from)).as_secs_f64().max(1.0);
        let (list, next) = page(&rows, query.limit, |row| read(row, seconds))?;
        Ok(Page { range, level, list, next })
    }
}

/// Which rows, and by what those of owners are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct What {
    pub(super) kind: Kind,
    pub(super) group: Group,
}

impl From<Kind> for What {
    fn from(kind: Kind) -> Self {
        Self { kind, group: Group::Process }
    }
}

/// How rows of the same key on several interfaces become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joined {
    Summed,
    /// A router sees each forwarded packet on two interfaces: the row of the one with the most stands for both.
    Highest,
}

/// Of owners only what is forwarded is seen twice; their own packets are others on each interface.
const HIGHEST: &str =
    "row_number() OVER (PARTITION BY r.key ORDER BY sum(r.rx_bytes) + sum(r.tx_bytes) DESC)";

impl Joined {
    fn place(self, kind: Kind) -> String {
        match (self, kind) {
            (Self::Summed, _) => "1".to_owned(),
            (Self::Highest, Kind::Owner) => {
                format!(
                    "iif(r.key IN (SELECT id FROM owner WHERE pid = 0 AND name = 'forwarded'), {HIGHEST}, 1)"
                )
            }
            (Self::Highest, _) => HIGHEST.to_owned(),
        }
    }

    fn columns(self) -> String {
        let counted = if self == Self::Summed { "" } else { "FILTER (WHERE p.place = 1)" };
        [
            "rx_packets",
            "rx_bytes",
            "tx_packets",
            "tx_bytes",
            "bytes",
            "retransmitted_segments",
            "zero_windows",
            "resets",
            "rx_payload_bytes",
            "tx_payload_bytes",
        ]
        .map(|column| format!("sum(p.{column}) {counted} AS {column}"))
        .join(", ")
    }
}

/// The statement of a list. Parameters: 1 to 3 the search, 4 level, 5 kind, 6 and 7 the range, 8 the interface, 9 and 10
/// the cursor, 11 the limit, 12 the owners.
#[derive(Debug)]
struct Statement {
    of: What,
    searched: bool,
    of_owners: bool,
    rule: Joined,
}

const PLAIN: &str = "t.text AS address, NULL AS protocol, NULL AS initiator, NULL AS initiator_port, \
    NULL AS responder, NULL AS responder_port";
const PLAIN_JOIN: &str = "LEFT JOIN term t ON t.id = p.key";
const FLOW: &str = "NULL AS address, f.protocol, a.text AS initiator, f.initiator_port, b.text AS responder, \
    f.responder_port, io.name AS initiator_name, io.pid AS initiator_pid, io.started AS initiator_started, \
    ro.name AS responder_name, ro.pid AS responder_pid, ro.started AS responder_started";
const FLOW_JOIN: &str = "LEFT JOIN flow f ON f.id = p.key LEFT JOIN term a ON a.id = f.initiator \
    LEFT JOIN term b ON b.id = f.responder LEFT JOIN owner io ON io.id = p.initiator_owner / 8 \
    LEFT JOIN owner ro ON ro.id = p.responder_owner / 8";

impl Statement {
    fn sql(&self) -> String {
        let (columns, join) = match self.of.kind {
            Kind::Flow => (FLOW.to_owned(), FLOW_JOIN),
            Kind::Owner => (owners::shown(self.of.group), owners::shown_join(self.of.group)),
            _ => (PLAIN.to_owned(), PLAIN_JOIN),
        };
        format!(
            "WITH {ctes}parts AS ({parts}), grouped AS ({grouped}), \
             page AS (SELECT *, count(*) FILTER (WHERE key <> 0) OVER () AS all_rows, sum(other_rows) OVER () AS \
             all_other_rows, sum(rx_packets) OVER () AS all_rx_packets, sum(rx_bytes) OVER () AS all_rx_bytes, \
             sum(tx_packets) OVER () AS all_tx_packets, sum(tx_bytes) OVER () AS all_tx_bytes FROM grouped \
             WHERE key = 0 OR (bytes, key) < (?9, ?10) ORDER BY key = 0, bytes DESC, key DESC LIMIT ?11) \
             SELECT p.*, (SELECT group_concat(i.name, '+') FROM interface i WHERE \
             instr(',' || p.interfaces || ',', ',' || i.id || ',')) AS interface, \
             n.text AS host_name, l.text AS label_text, s.text AS state_text, {columns} \
             FROM page p LEFT JOIN term n ON n.id = p.name \
             LEFT JOIN term l ON l.id = p.label LEFT JOIN term s ON s.id = p.state {join} \
             ORDER BY p.key = 0, p.bytes DESC, p.key DESC",
            ctes = self.tables(),
            parts = self.parts(),
            grouped = self.grouped(),
        )
    }

    /// What the condition looks up.
    fn tables(&self) -> String {
        let mut tables = String::new();
        if self.searched {
            tables.push_str(MATCHED);
            tables.push_str(", ");
        }
        if self.of_owners {
            tables.push_str(owners::CHOSEN);
            tables.push_str(", ");
        }
        tables
    }

    fn condition(&self) -> String {
        let searched = if self.searched {
            format!("r.key <> 0 AND {CONDITION}")
        } else {
            "?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL".to_owned()
        };
        let of_owners = match (self.of_owners, self.of.kind) {
            (false, _) => "?12 IS NULL",
            (true, Kind::Owner) => "r.key IN chosen",
            (true, _) => "(r.initiator_owner / 8 IN chosen OR r.responder_owner / 8 IN chosen)",
        };
        format!("{searched} AND {of_owners}")
    }

    /// A row a key and interface.
    fn parts(&self) -> String {
        format!(
            "SELECT r.key, r.interface_id, sum(r.rx_packets) AS rx_packets, sum(r.rx_bytes) AS \
             rx_bytes, sum(r.tx_packets) AS tx_packets, sum(r.tx_bytes) AS tx_bytes, min(r.first_seen) AS first_seen, \
             max(r.last_seen) AS last_seen, max(r.name) AS name, max(r.label) AS label, \
             {labels} AS labels, max(r.direction) AS direction, \
             max(r.round_trip_micros) AS round_trip_micros, sum(r.retransmitted_segments) AS retransmitted_segments, \
             sum(r.zero_windows) AS zero_windows, sum(r.resets) AS resets, max(r.state) AS state, max(r.other_rows) AS \
             other_rows, sum(r.rx_payload_bytes) AS rx_payload_bytes, sum(r.tx_payload_bytes) AS tx_payload_bytes, \
             {initiator} AS initiator_owner, {responder} AS responder_owner, \
             sum(r.rx_bytes) + sum(r.tx_bytes) AS bytes, {place} AS place FROM ranked r WHERE r.level = ?4 AND \
             r.kind = ?5 AND r.start >= ?6 AND r.start < ?7 AND {scope} AND {condition} GROUP BY r.key, r.interface_id",
            // only owners show them all, and it costs
            labels = if self.of.kind == Kind::Owner { "group_concat(DISTINCT r.label)" } else { "NULL" },
            initiator = one("r.initiator_owner"),
            responder = one("r.responder_owner"),
            place = self.rule.place(self.of.kind),
            scope = scope::condition("r.interface_id", 8),
            condition = self.condition(),
        )
    }

    /// A row a key, or a group of owners.
    fn grouped(&self) -> String {
        format!(
            "SELECT min(p.key) AS key, {joined}, group_concat(p.interface_id) AS interfaces, \
             min(p.first_seen) AS first_seen, max(p.last_seen) AS last_seen, max(p.name) AS name, \
             max(p.label) AS label, group_concat(p.labels) AS labels, max(p.direction) AS direction, \
             max(p.round_trip_micros) AS round_trip_micros, max(p.state) AS state, max(p.other_rows) AS other_rows, \
             {initiator} AS initiator_owner, {responder} AS responder_owner{more} FROM parts p \
             {by}",
            joined = self.rule.columns(),
            initiator = one("p.initiator_owner"),
            responder = one("p.responder_owner"),
            more = owners::grouped_columns(self.of.group),
            by = owners::grouped_by(self.of.group),
        )
    }
}

/// Cuts the rows to a page and computes what it leaves out.
fn page<T>(
    rows: &[SqliteRow],
    limit: usize,
    read: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
) -> Result<(Ranked<T>, Option<Cursor>), StoreError> {
    let mut list = Ranked { rows: Vec::new(), others: Others::default() };
    if let Some(first) = rows.first() {
        list.others = all(first)?;
    }
    let mut last = None;
    let mut more = false;
    for row in rows {
        let key: i64 = row.try_get("key")?;
        if key == 0 {
            break;
        }
        if list.rows.len() == limit {
            more = true;
            break;
        }
        subtract(&mut list.others.traffic, &traffic(row)?);
        list.rows.push(read(row)?);
        let bytes = unsigned(row.try_get("bytes")?);
        last = Some(Cursor { bytes, key });
    }
    let listed = u64::try_from(list.rows.len()).unwrap_or(u64::MAX);
    list.others.rows = list.others.rows.saturating_sub(listed);
    Ok((list, last.filter(|_| more)))
}

/// Everything from this page on.
fn all(row: &SqliteRow) -> Result<Others, sqlx::Error> {
    let named = unsigned(row.try_get("all_rows")?);
    let unnamed = unsigned(row.try_get::<Option<i64>, _>("all_other_rows")?.unwrap_or(0));
    let count = |packets: &str, bytes: &str| -> Result<Count, sqlx::Error> {
        Ok(Count { packets: unsigned(row.try_get(packets)?), bytes: unsigned(row.try_get(bytes)?) })
    };
    let traffic =
        RxTx { rx: count("all_rx_packets", "all_rx_bytes")?, tx: count("all_tx_packets", "all_tx_bytes")? };
    Ok(Others { rows: named.saturating_add(unnamed), traffic, ..Others::default() })
}

fn subtract(from: &mut RxTx, part: &RxTx) {
    for (whole, part) in [(&mut from.rx, part.rx), (&mut from.tx, part.tx)] {
        whole.packets = whole.packets.saturating_sub(part.packets);
        whole.bytes = whole.bytes.saturating_sub(part.bytes);
    }
}

pub(super) fn traffic(row: &SqliteRow) -> Result<RxTx, sqlx::Error> {
    let count = |packets: &str, bytes: &str| -> Result<Count, sqlx::Error> {
        Ok(Count { packets: unsigned(row.try_get(packets)?), bytes: unsigned(row.try_get(bytes)?) })
    };
    Ok(RxTx { rx: count("rx_packets", "rx_bytes")?, tx: count("tx_packets", "tx_bytes")? })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a mean for the eye; neither operand is negative"
)]
pub(super) fn per_second(traffic: &RxTx, seconds: f64) -> RxTx {
    let mean = |value: u64| (value as f64 / seconds).round() as u64;
    let count = |count: Count| Count { packets: mean(count.packets), bytes: mean(count.bytes) };
    RxTx { rx: count(traffic.rx), tx: count(traffic.tx) }
}

//! Ranked lists over a range: hosts, flows, sources, destinations, applications.
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};
use weir_shared::net::{Endpoint, Transport};
use weir_shared::report::{AddressRow, ApplicationMix, Count, FlowRow, HostRow, Others, Ranked, RxTx};

use super::columns::{signed, unsigned};
use super::range::{Level, Range};
use super::ranked::{Kind, direction_of};
use super::search::{CONDITION, MATCHED, Search};
use super::{Store, StoreError, scope};

/// What a ranked list asks for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    pub range: Range,
    /// None is all that count in totals: a key on several of them is one row.
    pub interface: Option<String>,
    pub search: String,
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

/// One address as source or destination over a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSpan {
    /// `eth0+wlan0` where it was seen on several.
    pub interface: String,
    pub row: AddressRow,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
}

/// Which end of packets a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Source,
    Destination,
}

const PLAIN: &str = "t.text AS address, NULL AS protocol, NULL AS initiator, NULL AS initiator_port, \
    NULL AS responder, NULL AS responder_port";
const PLAIN_JOIN: &str = "LEFT JOIN term t ON t.id = p.key";
const FLOW: &str = "NULL AS address, f.protocol, a.text AS initiator, f.initiator_port, b.text AS responder, \
    f.responder_port";
const FLOW_JOIN: &str = "LEFT JOIN flow f ON f.id = p.key LEFT JOIN term a ON a.id = f.initiator \
    LEFT JOIN term b ON b.id = f.responder";

impl Store {
    /// Remote hosts over a range, by bytes.
    pub async fn hosts(&self, query: &ListQuery) -> Result<Page<HostRow>, StoreError> {
        self.list(Kind::Host, query, host).await
    }

    /// Flows over a range, by bytes.
    pub async fn flows(&self, query: &ListQuery) -> Result<Page<FlowRow>, StoreError> {
        self.list(Kind::Flow, query, flow).await
    }

    /// Addresses as sources or as destinations over a range, by bytes.
    pub async fn addresses(&self, role: Role, query: &ListQuery) -> Result<Page<AddressSpan>, StoreError> {
        let kind = if role == Role::Source { Kind::Source } else { Kind::Destination };
        self.list(kind, query, address).await
    }

    /// Packets and bytes by application over a range; of all interfaces only those that count in totals.
    pub async fn applications(
        &self,
        range: Range,
        interface: Option<&str>,
    ) -> Result<ApplicationMix, StoreError> {
        let held = self.held().await?;
        let range = held.clamp(range);
        let (from, to) = range.millis();
        let sql = format!(
            "SELECT t.text, sum(r.rx_packets), sum(r.rx_bytes) FROM ranked r CROSS JOIN term t ON t.id = r.key \
             WHERE r.level = ?1 AND r.kind = 5 AND r.start >= ?2 AND r.start < ?3 AND {} GROUP BY r.key",
            scope::condition("r.interface_id", 4),
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(held.plan_series(range, None).level.number())
            .bind(from)
            .bind(to)
            .bind(interface)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let count = Count { packets: unsigned(row.try_get(1)?), bytes: unsigned(row.try_get(2)?) };
                Ok((row.try_get(0)?, count))
            })
            .collect()
    }

    async fn list<T>(
        &self,
        kind: Kind,
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
        let rows = sqlx::query(AssertSqlSafe(list_sql(kind, search.is_some(), rule)))
            .bind(search.as_ref().map(|search| &search.pattern))
            .bind(search.as_ref().map(|search| &search.protocols))
            .bind(search.as_ref().map(|search| search.port))
            .bind(level.number())
            .bind(kind as i64)
            .bind(from)
            .bind(to)
            .bind(query.interface.as_deref())
            .bind(signed(after.bytes))
            .bind(after.key)
            .bind(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1))
            .fetch_all(&self.readers)
            .await?;
        let seconds = (range.to.duration_since(range.from)).as_secs_f64().max(1.0);
        let (list, next) = page(&rows, query.limit, |row| read(row, seconds))?;
        Ok(Page { range, level, list, next })
    }
}

/// How rows of the same key on several interfaces become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joined {
    Summed,
    /// A router sees each forwarded packet on two interfaces: the row of the one with the most stands for both.
    Highest,
}

impl Joined {
    /// Which of the rows of a key count, and the column `place` that tells.
    const fn pieces(self) -> (&'static str, &'static str) {
        match self {
            Self::Summed => ("", "1"),
            Self::Highest => (
                "FILTER (WHERE place = 1)",
                "row_number() OVER (PARTITION BY r.key ORDER BY sum(r.rx_bytes) + sum(r.tx_bytes) DESC)",
            ),
        }
    }

    fn columns(self) -> String {
        let (counted, _) = self.pieces();
        [
            "rx_packets",
            "rx_bytes",
            "tx_packets",
            "tx_bytes",
            "bytes",
            "retransmitted_segments",
            "zero_windows",
            "resets",
        ]
        .map(|column| format!("sum({column}) {counted} AS {column}"))
        .join(", ")
    }
}

fn list_sql(kind: Kind, searched: bool, rule: Joined) -> String {
    let (columns, join) = if kind == Kind::Flow { (FLOW, FLOW_JOIN) } else { (PLAIN, PLAIN_JOIN) };
    let (cte, condition) = if searched {
        (format!("{MATCHED}, "), format!("r.key <> 0 AND {CONDITION}"))
    } else {
        (String::new(), "?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL".to_owned())
    };
    format!(
        "WITH {cte}parts AS (SELECT r.key, r.interface_id, sum(r.rx_packets) AS rx_packets, sum(r.rx_bytes) AS \
         rx_bytes, sum(r.tx_packets) AS tx_packets, sum(r.tx_bytes) AS tx_bytes, min(r.first_seen) AS first_seen, \
         max(r.last_seen) AS last_seen, max(r.name) AS name, max(r.label) AS label, max(r.direction) AS direction, \
         max(r.round_trip_micros) AS round_trip_micros, sum(r.retransmitted_segments) AS retransmitted_segments, \
         sum(r.zero_windows) AS zero_windows, sum(r.resets) AS resets, max(r.state) AS state, max(r.other_rows) AS \
         other_rows, sum(r.rx_bytes) + sum(r.tx_bytes) AS bytes, {place} AS place FROM ranked r WHERE r.level = ?4 AND r.kind = ?5 AND \
         r.start >= ?6 AND r.start < ?7 AND {scope} AND {condition} GROUP BY r.key, r.interface_id), \
         grouped AS (SELECT key, {joined}, group_concat(interface_id) AS interfaces, min(first_seen) AS first_seen, \
         max(last_seen) AS last_seen, max(name) AS name, max(label) AS label, max(direction) AS direction, \
         max(round_trip_micros) AS round_trip_micros, max(state) AS state, max(other_rows) AS other_rows FROM parts \
         GROUP BY key), \
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
        scope = scope::condition("r.interface_id", 8),
        joined = rule.columns(),
        place = rule.pieces().1,
    )
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
    Ok(Others { rows: named.saturating_add(unnamed), traffic })
}

fn subtract(from: &mut RxTx, part: &RxTx) {
    for (whole, part) in [(&mut from.rx, part.rx), (&mut from.tx, part.tx)] {
        whole.packets = whole.packets.saturating_sub(part.packets);
        whole.bytes = whole.bytes.saturating_sub(part.bytes);
    }
}

fn traffic(row: &SqliteRow) -> Result<RxTx, sqlx::Error> {
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
fn per_second(traffic: &RxTx, seconds: f64) -> RxTx {
    let mean = |value: u64| (value as f64 / seconds).round() as u64;
    let count = |count: Count| Count { packets: mean(count.packets), bytes: mean(count.bytes) };
    RxTx { rx: count(traffic.rx), tx: count(traffic.tx) }
}

fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Ok(Timestamp::from_millisecond(row.try_get(column)?).unwrap_or_default())
}

fn text(row: &SqliteRow, column: &str) -> Result<String, sqlx::Error> {
    Ok(row.try_get::<Option<String>, _>(column)?.unwrap_or_default())
}

fn ip(row: &SqliteRow, column: &str) -> Result<IpAddr, sqlx::Error> {
    Ok(text(row, column)?.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

fn host(row: &SqliteRow, seconds: f64) -> Result<HostRow, sqlx::Error> {
    let traffic = traffic(row)?;
    Ok(HostRow {
        interface: row.try_get("interface")?,
        address: ip(row, "address")?,
        name: text(row, "host_name")?,
        traffic,
        per_second: per_second(&traffic, seconds),
        protocols: (text(row, "label_text")?.split(','))
            .filter(|protocol| !protocol.is_empty())
            .map(str::to_owned)
            .collect(),
        first_seen: time(row, "first_seen")?,
        last_seen: time(row, "last_seen")?,
    })
}

fn address(row: &SqliteRow, _seconds: f64) -> Result<AddressSpan, sqlx::Error> {
    Ok(AddressSpan {
        interface: row.try_get("interface")?,
        row: AddressRow {
            address: ip(row, "address")?,
            name: text(row, "host_name")?,
            count: traffic(row)?.rx,
        },
        first_seen: time(row, "first_seen")?,
        last_seen: time(row, "last_seen")?,
    })
}

fn flow(row: &SqliteRow, seconds: f64) -> Result<FlowRow, sqlx::Error> {
    let traffic = traffic(row)?;
    let endpoint = |address: &str, port: &str| -> Result<Endpoint, sqlx::Error> {
        let port: Option<i64> = row.try_get(port)?;
        Ok(Endpoint {
            address: ip(row, address)?,
            port: port.and_then(|port| port.try_into().ok()).unwrap_or(0),
        })
    };
    let amount = |column: &str| -> Result<u64, sqlx::Error> {
        Ok(unsigned(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0)))
    };
    let protocol: Option<i64> = row.try_get("protocol")?;
    Ok(FlowRow {
        interface: row.try_get("interface")?,
        protocol: match protocol.and_then(|number| u8::try_from(number).ok()) {
            Some(255) | None => Transport::NoFlow,
            Some(number) => Transport::from_number(number),
        },
        initiator: endpoint("initiator", "initiator_port")?,
        responder: endpoint("responder", "responder_port")?,
        application: text(row, "label_text")?,
        name: text(row, "host_name")?,
        direction: direction_of(row.try_get("direction")?),
        traffic,
        per_second: per_second(&traffic, seconds),
        first_seen: time(row, "first_seen")?,
        last_seen: time(row, "last_seen")?,
        round_trip_micros: row.try_get::<Option<i64>, _>("round_trip_micros")?.map(unsigned),
        retransmitted_segments: amount("retransmitted_segments")?,
        zero_windows: amount("zero_windows")?,
        resets: amount("resets")?,
        state: text(row, "state_text")?,
        initiator_owner: None,
        responder_owner: None,
    })
}

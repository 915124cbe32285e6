//! Monitoring sessions that ended: stored whole, and read newest first.
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use weir_shared::process::{Owner, OwnerRow};
use weir_shared::report::{Count, KernelCounters, Others, Ranked, RxTx};
use weir_shared::session::{Session, SessionInterface};

use super::alerts::AlertQuery;
use super::columns::{signed, unsigned};
use super::intern::DAY_MILLIS;
use super::intern_owners::{self, OwnerKey};
use super::list::traffic;
use super::owners::{identity, words};
use super::ranked::{quality_number, quality_of};
use super::{Store, StoreError};

/// Sessions that ended, newest first.
#[derive(Clone, Debug)]
pub struct SessionPage {
    pub sessions: Vec<Session>,
    pub next: Option<i64>,
}

impl Store {
    /// Sessions that lie in a range at least in part, newest first; the search is in their names.
    pub async fn ended_sessions(&self, query: &AlertQuery) -> Result<SessionPage, StoreError> {
        let (from, to) = query.range.millis();
        let rows = sqlx::query(
            "SELECT * FROM monitoring_session WHERE id < ?1 AND end >= ?2 AND begin < ?3 AND \
             (?4 = '' OR instr(lower(name), lower(?4))) ORDER BY id DESC LIMIT ?5",
        )
        .bind(query.before.unwrap_or(i64::MAX))
        .bind(from)
        .bind(to)
        .bind(query.search.trim())
        .bind(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1))
        .fetch_all(&self.readers)
        .await?;
        let mut page = SessionPage { sessions: Vec::new(), next: None };
        let mut last = None;
        for row in &rows {
            if page.sessions.len() == query.limit {
                page.next = last;
                break;
            }
            let id: i64 = row.try_get("id")?;
            last = Some(id);
            let mut session = whole(row)?;
            session.interfaces = self.session_interfaces(id).await?;
            session.owners.rows = self.session_owners(id).await?;
            page.sessions.push(session);
        }
        Ok(page)
    }

    async fn session_interfaces(&self, session: i64) -> Result<Vec<SessionInterface>, StoreError> {
        let rows = sqlx::query("SELECT * FROM session_interface WHERE session = ?1 ORDER BY interface")
            .bind(session)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let amount =
                    |column: &str| -> Result<u64, sqlx::Error> { Ok(unsigned(row.try_get(column)?)) };
                let kernel = KernelCounters {
                    rx_packets: amount("kernel_rx_packets")?,
                    rx_bytes: amount("kernel_rx_bytes")?,
                    tx_packets: amount("kernel_tx_packets")?,
                    tx_bytes: amount("kernel_tx_bytes")?,
                };
                Ok(SessionInterface { interface: row.try_get("interface")?, captured: traffic(row)?, kernel })
            })
            .collect()
    }

    async fn session_owners(&self, session: i64) -> Result<Vec<OwnerRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.*, o.name AS owner_name, o.pid AS owner_pid, o.started AS owner_started, o.reason AS owner_reason, \
             o.executable AS owner_executable, o.command_line AS owner_command_line, o.user AS owner_user, \
             o.unit AS owner_unit, o.container AS owner_container, o.parents AS owner_parents, \
             o.alive AS owner_alive FROM session_owner s JOIN owner o ON o.id = s.owner WHERE s.session = ?1 \
             ORDER BY s.position",
        )
        .bind(session)
        .fetch_all(&self.readers)
        .await?;
        Ok(rows.iter().map(owner_row).collect::<Result<_, _>>()?)
    }
}

fn whole(row: &SqliteRow) -> Result<Session, sqlx::Error> {
    let amount = |column: &str| -> Result<u64, sqlx::Error> { Ok(unsigned(row.try_get(column)?)) };
    let count = |packets: &str, bytes: &str| -> Result<Count, sqlx::Error> {
        Ok(Count { packets: amount(packets)?, bytes: amount(bytes)? })
    };
    let time = |column: &str| -> Result<Timestamp, sqlx::Error> {
        Ok(Timestamp::from_millisecond(row.try_get(column)?).unwrap_or_default())
    };
    let others = RxTx {
        rx: count("other_rx_packets", "other_rx_bytes")?,
        tx: count("other_tx_packets", "other_tx_bytes")?,
    };
    Ok(Session {
        id: row.try_get::<i64, _>("session_id")?.cast_unsigned(),
        name: row.try_get("name")?,
        begin: time("begin")?,
        end: Some(time("end")?),
        gap_millis: amount("gap_millis")?,
        traffic: traffic(row)?,
        interfaces: Vec::new(),
        owners: Ranked {
            rows: Vec::new(),
            others: Others { rows: amount("other_rows")?, traffic: others, ..Others::default() },
        },
    })
}

fn owner_row(row: &SqliteRow) -> Result<OwnerRow, sqlx::Error> {
    let amount = |column: &str| -> Result<u64, sqlx::Error> { Ok(unsigned(row.try_get(column)?)) };
    let time = |column: &str| -> Result<Timestamp, sqlx::Error> {
        Ok(Timestamp::from_millisecond(row.try_get(column)?).unwrap_or_default())
    };
    let traffic = traffic(row)?;
    Ok(OwnerRow {
        interface: row.try_get("interface")?,
        owner: identity(row, quality_of(row.try_get("quality")?), row.try_get("reason")?)?,
        traffic,
        rx_payload_bytes: amount("rx_payload_bytes")?,
        tx_payload_bytes: amount("tx_payload_bytes")?,
        per_second: RxTx::default(),
        protocols: words(&row.try_get::<String, _>("protocols")?),
        first_seen: time("first_seen")?,
        last_seen: time("last_seen")?,
        over_threshold: false,
        session_traffic: traffic,
    })
}

/// A session with its interfaces and owners.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    journal_id: &str,
    sequence: i64,
    session: &Session,
) -> Result<(), StoreError> {
    let (all, others) = (&session.traffic, &session.owners.others);
    let mut query = sqlx::query(
        "INSERT INTO monitoring_session (journal_id, sequence, session_id, name, begin, end, gap_millis, rx_packets, \
         rx_bytes, tx_packets, tx_bytes, other_rows, other_rx_packets, other_rx_bytes, other_tx_packets, \
         other_tx_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(journal_id)
    .bind(sequence)
    // an id is a name here, not an amount
    .bind(session.id.cast_signed())
    .bind(&session.name)
    .bind(session.begin.as_millisecond())
    .bind(session.end.unwrap_or(session.begin).as_millisecond())
    .bind(signed(session.gap_millis));
    for figure in four(all).into_iter().chain([signed(others.rows)]).chain(four(&others.traffic)) {
        query = query.bind(figure);
    }
    let id = query.execute(&mut *connection).await?.last_insert_rowid();
    insert_interfaces(connection, id, &session.interfaces).await?;
    insert_owners(connection, id, session).await
}

/// In the order of the columns.
fn four(traffic: &RxTx) -> [i64; 4] {
    [traffic.rx.packets, traffic.rx.bytes, traffic.tx.packets, traffic.tx.bytes].map(signed)
}

async fn insert_interfaces(
    connection: &mut SqliteConnection,
    session: i64,
    interfaces: &[SessionInterface],
) -> Result<(), StoreError> {
    for part in interfaces {
        let kernel = &part.kernel;
        let mut query =
            sqlx::query("INSERT OR REPLACE INTO session_interface VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(session)
                .bind(&part.interface);
        let counted = [kernel.rx_packets, kernel.rx_bytes, kernel.tx_packets, kernel.tx_bytes].map(signed);
        for figure in four(&part.captured).into_iter().chain(counted) {
            query = query.bind(figure);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_owners(
    connection: &mut SqliteConnection,
    session: i64,
    whole: &Session,
) -> Result<(), StoreError> {
    let rows = &whole.owners.rows;
    let named: BTreeMap<OwnerKey, Option<&Owner>> =
        rows.iter().map(|row| ((&row.owner).into(), Some(&row.owner))).collect();
    let used = whole.end.unwrap_or(whole.begin).as_millisecond() / DAY_MILLIS * DAY_MILLIS;
    let numbers = intern_owners::intern(connection, &named, used).await?;
    let list: Vec<Value> = (rows.iter().enumerate())
        .filter_map(|(position, row)| {
            let [rx_packets, rx_bytes, tx_packets, tx_bytes] = four(&row.traffic);
            let number = numbers.get(&(&row.owner).into())?;
            Some(json!([
                position,
                number,
                row.interface,
                rx_packets,
                rx_bytes,
                tx_packets,
                tx_bytes,
                signed(row.rx_payload_bytes),
                signed(row.tx_payload_bytes),
                row.protocols.join(","),
                row.first_seen.as_millisecond(),
                row.last_seen.as_millisecond(),
                quality_number(row.owner.quality),
                row.owner.reason
            ]))
        })
        .collect();
    sqlx::query(
        "INSERT INTO session_owner SELECT ?2, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, \
         value->>6, value->>7, value->>8, value->>9, value->>10, value->>11, value->>12, value->>13 FROM json_each(?1)",
    )
    .bind(Value::from(list).to_string())
    .bind(session)
    .execute(connection)
    .await?;
    Ok(())
}

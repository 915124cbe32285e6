//! Ranked lists over a range: hosts, flows, sources, destinations, applications.
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};
use weir_shared::net::{Endpoint, Transport};
use weir_shared::process::OwnerReference;
use weir_shared::report::{AddressRow, ApplicationMix, Count, FlowRow, HostRow};

use super::columns::unsigned;
use super::list::{ListQuery, Page, per_second, traffic};
use super::range::Range;
use super::ranked::{Kind, direction_of, quality_of};
use super::{Store, StoreError, scope};

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

impl Store {
    /// Remote hosts over a range, by bytes.
    pub async fn hosts(&self, query: &ListQuery) -> Result<Page<HostRow>, StoreError> {
        self.list(Kind::Host.into(), query, host).await
    }

    /// Flows over a range, by bytes.
    pub async fn flows(&self, query: &ListQuery) -> Result<Page<FlowRow>, StoreError> {
        self.list(Kind::Flow.into(), query, flow).await
    }

    /// Addresses as sources or as destinations over a range, by bytes.
    pub async fn addresses(&self, role: Role, query: &ListQuery) -> Result<Page<AddressSpan>, StoreError> {
        let kind = if role == Role::Source { Kind::Source } else { Kind::Destination };
        self.list(kind.into(), query, address).await
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
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Ok(Timestamp::from_millisecond(row.try_get(column)?).unwrap_or_default())
}

pub(super) fn text(row: &SqliteRow, column: &str) -> Result<String, sqlx::Error> {
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
        initiator_owner: reference(row, "initiator")?,
        responder_owner: reference(row, "responder")?,
    })
}

/// The owner of a flow's end, where it is one and the same over the range.
fn reference(row: &SqliteRow, end: &str) -> Result<Option<OwnerReference>, sqlx::Error> {
    let Some(name) = row.try_get::<Option<String>, _>(&*format!("{end}_name"))? else { return Ok(None) };
    let (pid, started) = process(row, &format!("{end}_pid"), &format!("{end}_started"))?;
    let number: Option<i64> = row.try_get(&*format!("{end}_owner"))?;
    Ok(Some(OwnerReference { name, pid, started, quality: quality_of(number.map(|number| number % 8)) }))
}

/// Pid and start of an owner; none where it is no process.
pub(super) fn process(
    row: &SqliteRow,
    pid: &str,
    started: &str,
) -> Result<(Option<u32>, Option<Timestamp>), sqlx::Error> {
    let pid: Option<i64> = row.try_get(pid)?;
    let pid = pid.and_then(|pid| u32::try_from(pid).ok()).filter(|&pid| pid > 0);
    let started: Option<i64> = row.try_get(started)?;
    let started =
        started.filter(|_| pid.is_some()).and_then(|millis| Timestamp::from_millisecond(millis).ok());
    Ok((pid, started))
}

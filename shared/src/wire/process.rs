//! Owners and their rows.
use super::{WireError, by_value, each, millis, or_zero, required, to_wire, v1};
use crate::process::{MatchQuality, Owner, OwnerReference, OwnerRow, ParentProcess};
use crate::report::Ranked;

fn quality_to_wire(quality: MatchQuality) -> i32 {
    match quality {
        MatchQuality::Exact => v1::MatchQuality::Exact,
        MatchQuality::Listener => v1::MatchQuality::Listener,
        MatchQuality::Shared => v1::MatchQuality::Shared,
        MatchQuality::Kernel => v1::MatchQuality::Kernel,
        MatchQuality::Unknown => v1::MatchQuality::Unknown,
    }
    .into()
}

fn quality(number: i32) -> Result<MatchQuality, WireError> {
    Ok(match v1::MatchQuality::try_from(number) {
        Ok(v1::MatchQuality::Exact) => MatchQuality::Exact,
        Ok(v1::MatchQuality::Listener) => MatchQuality::Listener,
        Ok(v1::MatchQuality::Shared) => MatchQuality::Shared,
        Ok(v1::MatchQuality::Kernel) => MatchQuality::Kernel,
        Ok(v1::MatchQuality::Unknown) => MatchQuality::Unknown,
        Ok(v1::MatchQuality::Unspecified) | Err(_) => return Err(WireError::number("quality", number)),
    })
}

fn started_to_wire(started: Option<jiff::Timestamp>) -> i64 {
    started.map_or(0, |started| started.as_millisecond())
}

fn started(value: i64) -> Result<Option<jiff::Timestamp>, WireError> {
    if value == 0 { Ok(None) } else { millis("started_unix_millis", value).map(Some) }
}

impl From<&OwnerReference> for v1::OwnerReference {
    fn from(owner: &OwnerReference) -> Self {
        Self {
            name: owner.name.clone(),
            pid: owner.pid.unwrap_or(0),
            started_unix_millis: started_to_wire(owner.started),
            quality: quality_to_wire(owner.quality),
        }
    }
}

impl TryFrom<v1::OwnerReference> for OwnerReference {
    type Error = WireError;

    fn try_from(owner: v1::OwnerReference) -> Result<Self, WireError> {
        Ok(Self {
            name: owner.name,
            pid: Some(owner.pid).filter(|pid| *pid != 0),
            started: started(owner.started_unix_millis)?,
            quality: quality(owner.quality)?,
        })
    }
}

impl From<&Owner> for v1::Owner {
    fn from(owner: &Owner) -> Self {
        let parent =
            |parent: &ParentProcess| v1::ParentProcess { pid: parent.pid, name: parent.name.clone() };
        Self {
            name: owner.name.clone(),
            pid: owner.pid.unwrap_or(0),
            started_unix_millis: started_to_wire(owner.started),
            executable: owner.executable.clone(),
            command_line: owner.command_line.clone(),
            user: owner.user.clone(),
            unit: owner.unit.clone(),
            container: owner.container.clone(),
            parents: owner.parents.iter().map(parent).collect(),
            alive: owner.alive,
            quality: quality_to_wire(owner.quality),
            reason: owner.reason.clone(),
        }
    }
}

impl TryFrom<v1::Owner> for Owner {
    type Error = WireError;

    fn try_from(owner: v1::Owner) -> Result<Self, WireError> {
        let parent = |parent: v1::ParentProcess| ParentProcess { pid: parent.pid, name: parent.name };
        Ok(Self {
            name: owner.name,
            pid: Some(owner.pid).filter(|pid| *pid != 0),
            started: started(owner.started_unix_millis)?,
            executable: owner.executable,
            command_line: owner.command_line,
            user: owner.user,
            unit: owner.unit,
            container: owner.container,
            parents: owner.parents.into_iter().map(parent).collect(),
            alive: owner.alive,
            quality: quality(owner.quality)?,
            reason: owner.reason,
        })
    }
}

impl From<&OwnerRow> for v1::OwnerRow {
    fn from(row: &OwnerRow) -> Self {
        Self {
            interface: row.interface.clone(),
            owner: Some((&row.owner).into()),
            traffic: Some(row.traffic.into()),
            rx_payload_bytes: row.rx_payload_bytes,
            tx_payload_bytes: row.tx_payload_bytes,
            per_second: Some(row.per_second.into()),
            protocols: row.protocols.clone(),
            first_seen_unix_millis: row.first_seen.as_millisecond(),
            last_seen_unix_millis: row.last_seen.as_millisecond(),
            over_threshold: row.over_threshold,
            session_traffic: Some(row.session_traffic.into()),
        }
    }
}

impl TryFrom<v1::OwnerRow> for OwnerRow {
    type Error = WireError;

    fn try_from(row: v1::OwnerRow) -> Result<Self, WireError> {
        Ok(Self {
            interface: row.interface,
            owner: required("owner", row.owner)?,
            traffic: or_zero(row.traffic),
            rx_payload_bytes: row.rx_payload_bytes,
            tx_payload_bytes: row.tx_payload_bytes,
            per_second: or_zero(row.per_second),
            protocols: row.protocols,
            first_seen: millis("first_seen_unix_millis", row.first_seen_unix_millis)?,
            last_seen: millis("last_seen_unix_millis", row.last_seen_unix_millis)?,
            over_threshold: row.over_threshold,
            session_traffic: or_zero(row.session_traffic),
        })
    }
}

impl From<&Ranked<OwnerRow>> for v1::RankedOwners {
    fn from(list: &Ranked<OwnerRow>) -> Self {
        Self { rows: to_wire(&list.rows), others: Some(list.others.into()) }
    }
}

impl TryFrom<v1::RankedOwners> for Ranked<OwnerRow> {
    type Error = WireError;

    fn try_from(list: v1::RankedOwners) -> Result<Self, WireError> {
        Ok(Self { rows: each(list.rows)?, others: or_zero(list.others) })
    }
}

by_value!(
    OwnerReference => v1::OwnerReference,
    Owner => v1::Owner,
    OwnerRow => v1::OwnerRow,
    Ranked<OwnerRow> => v1::RankedOwners,
);

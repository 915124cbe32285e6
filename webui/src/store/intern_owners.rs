//! Owners become numbers: a process by name, pid and start, anything else by its name and reason.
use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use sqlx::{Row as _, SqliteConnection};
use weir_shared::process::{Owner, OwnerReference};
use weir_shared::report::Window;

use super::StoreError;

/// What tells owners apart; pid and start are 0 without a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OwnerKey {
    name: String,
    pid: i64,
    started: i64,
    /// Empty for a process.
    reason: String,
}

impl From<&Owner> for OwnerKey {
    fn from(owner: &Owner) -> Self {
        Self {
            name: owner.name.clone(),
            pid: owner.pid.map_or(0, i64::from),
            started: owner.started.map_or(0, |started| started.as_millisecond()),
            reason: if owner.pid.is_none() { owner.reason.clone() } else { String::new() },
        }
    }
}

impl From<&OwnerReference> for OwnerKey {
    fn from(owner: &OwnerReference) -> Self {
        Self {
            name: owner.name.clone(),
            pid: owner.pid.map_or(0, i64::from),
            started: owner.started.map_or(0, |started| started.as_millisecond()),
            reason: String::new(),
        }
    }
}

/// The owners of a window; those that only a flow names without what else is known of them.
pub(super) fn named(window: &Window) -> BTreeMap<OwnerKey, Option<&Owner>> {
    let mut named = BTreeMap::new();
    for interface in &window.interfaces {
        named.extend(interface.owners.rows.iter().map(|row| ((&row.owner).into(), Some(&row.owner))));
        for flow in &interface.flows.rows {
            for owner in [&flow.initiator_owner, &flow.responder_owner].into_iter().flatten() {
                named.entry(owner.into()).or_insert(None);
            }
        }
    }
    named
}

/// Gives every owner a number, the one it had before if it had one.
pub(super) async fn intern(
    connection: &mut SqliteConnection,
    owners: &BTreeMap<OwnerKey, Option<&Owner>>,
    used: i64,
) -> Result<HashMap<OwnerKey, i64>, StoreError> {
    let list = Value::from(owners.iter().map(|(key, owner)| row(key, *owner)).collect::<Vec<_>>());
    let list = list.to_string();
    sqlx::query(
        "INSERT INTO owner (name, pid, started, reason, executable, command_line, user, unit, container, parents, alive, \
         last_used) SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, \
         value->>8, value->>9, value->>10, ?2 FROM json_each(?1) WHERE true ON CONFLICT DO UPDATE SET \
         executable = iif(excluded.executable = '', executable, excluded.executable), \
         command_line = iif(excluded.command_line = '', command_line, excluded.command_line), \
         user = iif(excluded.user = '', user, excluded.user), unit = iif(excluded.unit = '', unit, excluded.unit), \
         container = iif(excluded.container = '', container, excluded.container), \
         parents = iif(excluded.parents = '[]', parents, excluded.parents), \
         alive = iif(excluded.alive < 0, alive, excluded.alive), last_used = max(last_used, excluded.last_used) \
         WHERE last_used < excluded.last_used OR excluded.alive >= 0 AND (alive, executable, command_line, user, unit, \
         container, parents) IS NOT (excluded.alive, excluded.executable, excluded.command_line, excluded.user, \
         excluded.unit, excluded.container, excluded.parents)",
    )
    .bind(&list)
    .bind(used)
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query(
        "SELECT o.name, o.pid, o.started, o.reason, o.id FROM json_each(?1) j CROSS JOIN owner o ON o.name = j.value->>0 \
         AND o.pid = j.value->>1 AND o.started = j.value->>2 \
         AND o.reason = j.value->>3",
    )
    .bind(&list)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let key = OwnerKey {
                name: row.try_get(0)?,
                pid: row.try_get(1)?,
                started: row.try_get(2)?,
                reason: row.try_get(3)?,
            };
            Ok((key, row.try_get(4)?))
        })
        .collect()
}

/// In the order of the insert's columns; alive is -1 where that is not told.
fn row(key: &OwnerKey, owner: Option<&Owner>) -> Value {
    let none = Owner::default();
    let known = owner.unwrap_or(&none);
    json!([
        key.name,
        key.pid,
        key.started,
        key.reason,
        known.executable,
        known.command_line,
        known.user,
        known.unit,
        known.container,
        json!(known.parents).to_string(),
        owner.map_or(-1, |owner| i64::from(owner.alive))
    ])
}

//! Texts, 5-tuples and owners become numbers, so that rows stay small and a search by part looks at each text once.
use std::collections::{BTreeSet, HashMap};

use serde_json::json;
use sqlx::{Row as _, SqliteConnection};
use weir_shared::report::{FlowRow, InterfaceWindow, Window};

use super::StoreError;
use super::intern_owners::{self as owners, OwnerKey};

/// Times of use are a day coarse, so that what is in daily use is rewritten once a day.
pub(super) const DAY_MILLIS: i64 = 86_400_000;

/// Numbers of all texts, 5-tuples and owners of one window.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    terms: HashMap<String, i64>,
    flows: HashMap<FlowKey, i64>,
    owners: HashMap<OwnerKey, i64>,
}

/// protocol, initiator, its port, responder, its port.
type FlowKey = (i64, i64, i64, i64, i64);

impl Numbers {
    /// Gives every text, 5-tuple and owner of the window a number, the one it had before if it had one.
    pub(super) async fn of(connection: &mut SqliteConnection, window: &Window) -> Result<Self, StoreError> {
        let used = window.start.as_millisecond() / DAY_MILLIS * DAY_MILLIS;
        let texts: BTreeSet<String> = window.interfaces.iter().flat_map(texts).collect();
        let mut numbers = Self { terms: terms(connection, &texts, used).await?, ..Self::default() };
        let keys: BTreeSet<FlowKey> = (window.interfaces.iter())
            .flat_map(|interface| &interface.flows.rows)
            .filter_map(|flow| numbers.flow_key(flow))
            .collect();
        numbers.flows = flows(connection, &keys, used).await?;
        numbers.owners = owners::intern(connection, &owners::named(window), used).await?;
        Ok(numbers)
    }

    /// None for the empty text.
    pub(super) fn term(&self, text: &str) -> Option<i64> {
        self.terms.get(text).copied()
    }

    pub(super) fn flow(&self, flow: &FlowRow) -> Option<i64> {
        self.flows.get(&self.flow_key(flow)?).copied()
    }

    pub(super) fn owner(&self, owner: &OwnerKey) -> Option<i64> {
        self.owners.get(owner).copied()
    }

    fn flow_key(&self, flow: &FlowRow) -> Option<FlowKey> {
        Some((
            i64::from(flow.protocol.number()),
            self.term(&flow.initiator.address.to_string())?,
            i64::from(flow.initiator.port),
            self.term(&flow.responder.address.to_string())?,
            i64::from(flow.responder.port),
        ))
    }
}

fn texts(interface: &InterfaceWindow) -> Vec<String> {
    let mut texts = Vec::new();
    for flow in &interface.flows.rows {
        texts.extend([flow.initiator.address.to_string(), flow.responder.address.to_string()]);
        texts.extend([flow.application.clone(), flow.name.clone(), flow.state.clone()]);
    }
    for host in &interface.hosts.rows {
        texts.extend([host.address.to_string(), host.name.clone(), host.protocols.join(",")]);
    }
    for owner in &interface.owners.rows {
        texts.extend([owner.protocols.join(","), owner.owner.reason.clone()]);
    }
    for row in interface.sources.rows.iter().chain(&interface.destinations.rows) {
        texts.extend([row.address.to_string(), row.name.clone()]);
    }
    texts.extend(interface.application.keys().cloned());
    texts.retain(|text| !text.is_empty());
    texts
}

async fn terms(
    connection: &mut SqliteConnection,
    texts: &BTreeSet<String>,
    used: i64,
) -> Result<HashMap<String, i64>, StoreError> {
    let list = json!(texts).to_string();
    sqlx::query(
        "INSERT INTO term (text, last_used) SELECT value, ?2 FROM json_each(?1) WHERE true \
         ON CONFLICT (text) DO UPDATE SET last_used = excluded.last_used WHERE last_used < excluded.last_used",
    )
    .bind(&list)
    .bind(used)
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query("SELECT t.id, t.text FROM json_each(?1) j JOIN term t ON t.text = j.value")
        .bind(&list)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((row.try_get(1)?, row.try_get(0)?))).collect()
}

async fn flows(
    connection: &mut SqliteConnection,
    keys: &BTreeSet<FlowKey>,
    used: i64,
) -> Result<HashMap<FlowKey, i64>, StoreError> {
    let list = json!(keys).to_string();
    sqlx::query(
        "INSERT INTO flow (protocol, initiator, initiator_port, responder, responder_port, last_used) \
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4, ?2 FROM json_each(?1) WHERE true \
         ON CONFLICT DO UPDATE SET last_used = excluded.last_used WHERE last_used < excluded.last_used",
    )
    .bind(&list)
    .bind(used)
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query(
        "SELECT f.protocol, f.initiator, f.initiator_port, f.responder, f.responder_port, f.id \
         FROM json_each(?1) j CROSS JOIN flow f ON f.initiator = j.value->>1 AND f.responder = j.value->>3 \
         AND f.initiator_port = j.value->>2 AND f.responder_port = j.value->>4 AND f.protocol = j.value->>0",
    )
    .bind(&list)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let key = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            Ok((key, row.try_get(5)?))
        })
        .collect()
}

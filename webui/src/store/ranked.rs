//! The ranked rows of a window as rows of the table `ranked`.
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use weir_shared::net::Direction;
use weir_shared::process::{MatchQuality, OwnerReference, OwnerRow};
use weir_shared::report::{Count, FlowRow, HostRow, InterfaceWindow, Others, RankedAddresses, RxTx, Window};

use super::StoreError;
use super::columns::signed;
use super::intern::Numbers;
use super::write::Place;

/// What a ranked row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flow = 1,
    Host = 2,
    Source = 3,
    Destination = 4,
    Application = 5,
    Owner = 6,
}

/// The remainder that the other rows leave out.
pub(super) const REMAINDER: i64 = 0;

/// All ranked rows of one interface, as arrays in the order of the insert's columns.
pub(super) fn rows(window: &Window, interface: &InterfaceWindow, numbers: &Numbers) -> Vec<Value> {
    let (start, end) = bounds(window);
    let mut rows = Vec::new();
    rows.extend(interface.flows.rows.iter().filter_map(|flow| flow_row(flow, numbers)));
    rows.extend(interface.hosts.rows.iter().filter_map(|host| host_row(host, numbers)));
    rows.extend(remainder(Kind::Flow, &interface.flows.others, (start, end)));
    rows.extend(remainder(Kind::Host, &interface.hosts.others, (start, end)));
    rows.extend(interface.owners.rows.iter().filter_map(|owner| owner_row(owner, numbers)));
    rows.extend(remainder(Kind::Owner, &interface.owners.others, (start, end)));
    rows.extend(address_rows(Kind::Source, &interface.sources, numbers, (start, end)));
    rows.extend(address_rows(Kind::Destination, &interface.destinations, numbers, (start, end)));
    rows.extend(interface.application.iter().filter_map(|(name, count)| {
        let traffic = RxTx { rx: *count, tx: Count::default() };
        Some(row(Kind::Application, numbers.term(name)?, &traffic, (start, end), Details::default()))
    }));
    rows
}

fn bounds(window: &Window) -> (i64, i64) {
    let start = window.start.as_millisecond();
    (start, start.saturating_add(i64::from(window.length_millis)))
}

#[derive(Default)]
struct Details {
    name: Option<i64>,
    label: Option<i64>,
    rest: [Option<i64>; 6],
    other_rows: Option<i64>,
    payload: [Option<i64>; 2],
    owners: [Option<i64>; 2],
}

fn row(kind: Kind, key: i64, traffic: &RxTx, seen: (i64, i64), details: Details) -> Value {
    let [direction, round_trip, retransmitted, zero_windows, resets, state] = details.rest;
    json!([
        kind as i64,
        key,
        signed(traffic.rx.packets),
        signed(traffic.rx.bytes),
        signed(traffic.tx.packets),
        signed(traffic.tx.bytes),
        seen.0,
        seen.1,
        details.name,
        details.label,
        direction,
        round_trip,
        retransmitted,
        zero_windows,
        resets,
        state,
        details.other_rows,
        details.payload[0],
        details.payload[1],
        details.owners[0],
        details.owners[1]
    ])
}

fn flow_row(flow: &FlowRow, numbers: &Numbers) -> Option<Value> {
    let details = Details {
        name: numbers.term(&flow.name),
        label: numbers.term(&flow.application),
        rest: [
            Some(direction_number(flow.direction)),
            flow.round_trip_micros.map(signed),
            Some(signed(flow.retransmitted_segments)),
            Some(signed(flow.zero_windows)),
            Some(signed(flow.resets)),
            numbers.term(&flow.state),
        ],
        owners: [flow.initiator_owner.as_ref(), flow.responder_owner.as_ref()]
            .map(|owner| owner.and_then(|owner| reference(owner, numbers))),
        ..Details::default()
    };
    let seen = (flow.first_seen.as_millisecond(), flow.last_seen.as_millisecond());
    Some(row(Kind::Flow, numbers.flow(flow)?, &flow.traffic, seen, details))
}

/// An owner and how it was matched, in one number.
fn reference(owner: &OwnerReference, numbers: &Numbers) -> Option<i64> {
    Some(numbers.owner(&owner.into())? * 8 + quality_number(owner.quality))
}

fn host_row(host: &HostRow, numbers: &Numbers) -> Option<Value> {
    let details = Details {
        name: numbers.term(&host.name),
        label: numbers.term(&host.protocols.join(",")),
        ..Details::default()
    };
    let seen = (host.first_seen.as_millisecond(), host.last_seen.as_millisecond());
    Some(row(Kind::Host, numbers.term(&host.address.to_string())?, &host.traffic, seen, details))
}

fn owner_row(row_of: &OwnerRow, numbers: &Numbers) -> Option<Value> {
    let owner = &row_of.owner;
    let details = Details {
        label: numbers.term(&row_of.protocols.join(",")),
        rest: [Some(quality_number(owner.quality)), None, None, None, None, numbers.term(&owner.reason)],
        payload: [row_of.rx_payload_bytes, row_of.tx_payload_bytes].map(|bytes| Some(signed(bytes))),
        ..Details::default()
    };
    let seen = (row_of.first_seen.as_millisecond(), row_of.last_seen.as_millisecond());
    Some(row(Kind::Owner, numbers.owner(&owner.into())?, &row_of.traffic, seen, details))
}

fn address_rows(kind: Kind, ranked: &RankedAddresses, numbers: &Numbers, seen: (i64, i64)) -> Vec<Value> {
    let mut rows: Vec<Value> = (ranked.rows.iter())
        .filter_map(|address| {
            let key = numbers.term(&address.address.to_string())?;
            let traffic = RxTx { rx: address.count, tx: Count::default() };
            let details = Details { name: numbers.term(&address.name), ..Details::default() };
            Some(row(kind, key, &traffic, seen, details))
        })
        .collect();
    let traffic = RxTx { rx: ranked.others, tx: Count::default() };
    rows.extend(remainder(kind, &Others { rows: ranked.other_rows, traffic, ..Others::default() }, seen));
    rows
}

fn remainder(kind: Kind, others: &Others, seen: (i64, i64)) -> Option<Value> {
    let details = Details { other_rows: Some(signed(others.rows)), ..Details::default() };
    (*others != Others::default()).then(|| row(kind, REMAINDER, &others.traffic, seen, details))
}

/// In order of trust, so that the highest of several is the weakest.
pub(super) const fn quality_number(quality: MatchQuality) -> i64 {
    match quality {
        MatchQuality::Exact => 1,
        MatchQuality::Listener => 2,
        MatchQuality::Shared => 3,
        MatchQuality::Kernel => 4,
        MatchQuality::Unknown => 5,
    }
}

pub(super) const fn quality_of(number: Option<i64>) -> MatchQuality {
    match number {
        Some(1) => MatchQuality::Exact,
        Some(2) => MatchQuality::Listener,
        Some(3) => MatchQuality::Shared,
        Some(4) => MatchQuality::Kernel,
        _ => MatchQuality::Unknown,
    }
}

pub(super) fn direction_number(direction: Direction) -> i64 {
    match direction {
        Direction::Ingress => 1,
        Direction::Egress => 2,
        Direction::Local => 3,
        Direction::Forwarded => 4,
    }
}

pub(super) fn direction_of(number: Option<i64>) -> Direction {
    match number {
        Some(1) => Direction::Ingress,
        Some(2) => Direction::Egress,
        Some(3) => Direction::Local,
        _ => Direction::Forwarded,
    }
}

/// One statement for all rows: a tenth of the cost of one a row.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    place: &Place,
    window: &Window,
    rows: &[Value],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ranked SELECT 0, value->>0, ?2, ?3, ?4, value->>1, value->>2, value->>3, value->>4, value->>5, \
         value->>6, value->>7, value->>8, value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, \
         value->>15, value->>16, value->>17, value->>18, value->>19, value->>20 FROM json_each(?1) WHERE true \
         ON CONFLICT DO UPDATE SET rx_packets = rx_packets + excluded.rx_packets, rx_bytes = rx_bytes + \
         excluded.rx_bytes, tx_packets = tx_packets + excluded.tx_packets, tx_bytes = tx_bytes + excluded.tx_bytes, \
         rx_payload_bytes = rx_payload_bytes + excluded.rx_payload_bytes, \
         tx_payload_bytes = tx_payload_bytes + excluded.tx_payload_bytes, direction = max(direction, excluded.direction), \
         first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen), \
         other_rows = other_rows + excluded.other_rows",
    )
    .bind(Value::from(rows.to_vec()).to_string())
    .bind(window.start.as_millisecond())
    .bind(place.interface_id)
    .bind(place.window_id)
    .execute(connection)
    .await?;
    Ok(())
}

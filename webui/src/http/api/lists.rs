//! Hosts, sources, destinations and flows: since the collector started, or over a range of the history.
use std::cell::Cell as Kept;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Serialize;
use weir_shared::client::{Collector, ListRequest};
use weir_shared::json::csv::{Cell, Columns};
use weir_shared::json::{OthersItem, flows_document, hosts_document};
use weir_shared::process::Scope;

use super::super::error::HttpError;
use super::super::state::State;
use super::joined;
use super::now::collector;
use super::order::sorted;
use super::owners;
use super::query::{Paged, Parameters, csv_file, cursor_text, parameter};
use crate::store::rows::{AddressSpan, Role};

pub(super) async fn hosts(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    match parameters.role.as_deref() {
        None | Some("") => {}
        Some("source") => return addresses(&state, &parameters, Role::Source).await,
        Some("destination") => return addresses(&state, &parameters, Role::Destination).await,
        Some(other) => return Err(parameter("role", other, "source or destination")),
    }
    let (since, list, next) = if parameters.has_range() {
        let page = state.store.hosts(&parameters.list()?).await?;
        (page.range.from, page.list, page.next)
    } else {
        let since = Kept::new(Timestamp::default());
        let ask = async |collector: Collector, request: ListRequest| {
            let answer = collector.hosts(&request).await?;
            since.set(answer.since);
            Ok(answer.list)
        };
        let list = joined::list(&state, &collector(&state)?, &request(&parameters)?, ask).await?;
        (since.get(), list, None)
    };
    let mut document = hosts_document(since, &list);
    document.hosts = sorted(document.hosts, &parameters.sort);
    if parameters.is_csv()? {
        let others = parameters.q.trim().is_empty() && next.is_none();
        return csv_file("hosts", &document.hosts, others.then_some(&document.others));
    }
    Ok(HttpResponse::Ok().json(Paged { document, next_cursor: next.map(cursor_text) }))
}

pub(super) async fn flows(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let (since, list, next) = if parameters.has_range() {
        let page = state.store.flows(&parameters.list()?).await?;
        (page.range.from, page.list, page.next)
    } else {
        let since = Kept::new(Timestamp::default());
        let ask = async |collector: Collector, request: ListRequest| {
            let answer = collector.flows(&request).await?;
            since.set(answer.since);
            Ok(answer.list)
        };
        let (collector, request) = (collector(&state)?, request(&parameters)?);
        let owners = parameters.owners()?;
        let list = if owners.is_all() {
            joined::list(&state, &collector, &request, ask).await?
        } else {
            let answer = owners::flows(&collector, request, &owners).await?;
            since.set(answer.since);
            answer.list
        };
        (since.get(), list, None)
    };
    let mut document = flows_document(since, &list);
    document.flows = sorted(document.flows, &parameters.sort);
    if parameters.is_csv()? {
        let others = parameters.q.trim().is_empty() && next.is_none();
        return csv_file("flows", &document.flows, others.then_some(&document.others));
    }
    Ok(HttpResponse::Ok().json(Paged { document, next_cursor: next.map(cursor_text) }))
}

pub(super) fn request(parameters: &Parameters) -> Result<ListRequest, HttpError> {
    Ok(ListRequest {
        interface: parameters.interface().unwrap_or_default(),
        limit: u32::try_from(parameters.limit()?).unwrap_or(u32::MAX),
        search: parameters.q.trim().to_owned(),
        of: Scope::All,
    })
}

/// An address as source or as destination, in the manner of a host.
#[derive(Debug, Serialize)]
struct AddressItem {
    interface: String,
    address: std::net::IpAddr,
    name: String,
    packets: u64,
    bytes: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

impl From<&AddressSpan> for AddressItem {
    fn from(span: &AddressSpan) -> Self {
        Self {
            interface: span.interface.clone(),
            address: span.row.address,
            name: span.row.name.clone(),
            packets: span.row.count.packets,
            bytes: span.row.count.bytes,
            first_seen: span.first_seen,
            last_seen: span.last_seen,
        }
    }
}

impl Columns for AddressItem {
    const HEADER: &'static [&'static str] =
        &["interface", "address", "name", "packets", "bytes", "first_seen", "last_seen"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(&self.interface),
            Cell::plain(self.address),
            Cell::text(&self.name),
            Cell::plain(self.packets),
            Cell::plain(self.bytes),
            Cell::plain(self.first_seen),
            Cell::plain(self.last_seen),
        ]
    }

    fn others(others: &OthersItem) -> Option<Vec<Cell>> {
        let empty = || Cell::plain("");
        let (packets, bytes) = (others.traffic.rx_packets, others.traffic.rx_bytes);
        Some(vec![
            Cell::plain("others"),
            empty(),
            empty(),
            Cell::plain(packets),
            Cell::plain(bytes),
            empty(),
            empty(),
        ])
    }
}

#[derive(Debug, Serialize)]
struct AddressesDocument {
    since: Timestamp,
    role: &'static str,
    hosts: Vec<AddressItem>,
    others: AddressOthers,
}

#[derive(Debug, Serialize)]
struct AddressOthers {
    rows: u64,
    packets: u64,
    bytes: u64,
}

async fn addresses(state: &State, parameters: &Parameters, role: Role) -> Result<HttpResponse, HttpError> {
    let page = state.store.addresses(role, &parameters.list()?).await?;
    let others: OthersItem = page.list.others.into();
    let hosts: Vec<AddressItem> = page.list.rows.iter().map(Into::into).collect();
    let hosts = sorted(hosts, &parameters.sort);
    let role = if role == Role::Source { "source" } else { "destination" };
    if parameters.is_csv()? {
        let rest = parameters.q.trim().is_empty() && page.next.is_none();
        return csv_file(&format!("{role}s"), &hosts, rest.then_some(&others));
    }
    let left = AddressOthers {
        rows: others.rows,
        packets: others.traffic.rx_packets,
        bytes: others.traffic.rx_bytes,
    };
    let document = AddressesDocument { since: page.range.from, role, hosts, others: left };
    Ok(HttpResponse::Ok().json(Paged { document, next_cursor: page.next.map(cursor_text) }))
}

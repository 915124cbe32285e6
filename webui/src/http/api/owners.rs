//! Processes and other owners of traffic: since the collector started, or over a range of the history.
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Serialize;
use weir_shared::client::{ClientError, Collector, ListRequest};
use weir_shared::json::{OthersItem, OwnerItem, Rate, Traffic};
use weir_shared::process::{Owner, OwnerReference, OwnerRow, Scope};
use weir_shared::report::{FlowRow, Others, Ranked, RankedRow as _, RxTx, Since};
use weir_shared::session::Session;

use super::super::error::HttpError;
use super::super::state::State;
use super::lists::request;
use super::now::collector;
use super::order::sorted;
use super::query::{Paged, Parameters, csv_file, cursor_text, parameter};
use super::sessions::running;
use crate::store::list::Cursor;
use crate::store::owners::{Group, OwnerFilter, OwnerSpan};

/// Owners that the collector is asked for where its list is filtered or put together here: as many as it gives. What they
/// leave is with the others.
const MOST_LIVE_ROWS: u32 = 5_000;

/// What a list of owners is made of.
struct Listed {
    since: Timestamp,
    /// Of a list since the running session began: that session, if one runs.
    session: Option<Option<SessionName>>,
    list: Ranked<OwnerSpan>,
    next: Option<Cursor>,
}

pub(super) async fn processes(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    let group = group(&parameters)?;
    let listed = if parameters.has_range() {
        past(&state, &parameters).await?
    } else {
        now(&state, &parameters).await?
    };
    let Listed { since, session, list, next } = listed;
    let items = list.rows.iter().map(|span| Grouped { owner: (&span.row).into(), members: span.members });
    let mut items = sorted(items.collect(), &parameters.sort);
    let mut others = OthersItem::from(list.others);
    for item in items.drain(parameters.limit()?.min(items.len())..) {
        add_to(&mut others, item.owner.traffic);
    }
    let next_cursor = next.map(cursor_text);
    if parameters.is_csv()? {
        let rest = parameters.q.trim().is_empty() && next_cursor.is_none();
        let items: Vec<OwnerItem> = items.into_iter().map(|item| item.owner).collect();
        return csv_file("processes", &items, rest.then_some(&others));
    }
    let document = GroupsDocument { since, session, group: group.word(), processes: items, others };
    Ok(HttpResponse::Ok().json(Paged { document, next_cursor }))
}

fn add_to(others: &mut OthersItem, traffic: Traffic) {
    others.rows = others.rows.saturating_add(1);
    let all = &mut others.traffic;
    for (sum, part) in [
        (&mut all.rx_bytes, traffic.rx_bytes),
        (&mut all.tx_bytes, traffic.tx_bytes),
        (&mut all.rx_packets, traffic.rx_packets),
        (&mut all.tx_packets, traffic.tx_packets),
    ] {
        *sum = sum.saturating_add(part);
    }
}

/// The document of `weir processes --json`, and how its rows are put together.
#[derive(Debug, Serialize)]
struct GroupsDocument {
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Option<SessionName>>,
    group: &'static str,
    processes: Vec<Grouped>,
    others: OthersItem,
}

#[derive(Debug, Serialize)]
struct SessionName {
    id: u64,
    name: String,
    begin: Timestamp,
}

#[derive(Debug, Serialize)]
struct Grouped {
    #[serde(flatten)]
    owner: OwnerItem,
    /// How many processes this row stands for.
    members: u64,
}

fn group(parameters: &Parameters) -> Result<Group, HttpError> {
    let all = [Group::Process, Group::Program, Group::Unit, Group::Container, Group::User];
    let Some(text) = parameters.group.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(Group::Process);
    };
    let found = all.into_iter().find(|group| group.word() == text);
    found.ok_or_else(|| parameter("group", text, "pid, program, unit, container or user"))
}

async fn past(state: &State, parameters: &Parameters) -> Result<Listed, HttpError> {
    let page = state.store.owners(group(parameters)?, &parameters.list()?).await?;
    Ok(Listed { since: page.range.from, session: None, list: page.list, next: page.next })
}

async fn now(state: &State, parameters: &Parameters) -> Result<Listed, HttpError> {
    let (group, owners) = (group(parameters)?, parameters.owners()?);
    let mut request = request(parameters)?;
    let session = if parameters.of_session()? {
        request.of = Scope::Session;
        let name =
            |session: Session| SessionName { id: session.id, name: session.name, begin: session.begin };
        Some(running(state).await.map(name))
    } else {
        None
    };
    // its own order is by bytes
    if group != Group::Process || !owners.is_all() || !parameters.sort.trim().is_empty() {
        request.limit = request.limit.max(MOST_LIVE_ROWS);
    }
    let mut answer = collector(state)?.processes(&request).await?;
    if !owners.is_all() {
        answer.list.rows.retain(|row| owners.matches(&row.owner));
        answer.list.others = Others::default();
    }
    let list = put_together(answer.list, group);
    Ok(Listed { since: answer.since, session, list, next: None })
}

/// Rows of one group become one, the highest first.
fn put_together(list: Ranked<OwnerRow>, group: Group) -> Ranked<OwnerSpan> {
    let Ranked { rows, others } = list;
    let mut groups: BTreeMap<GroupKey, OwnerSpan> = BTreeMap::new();
    let mut single = Vec::new();
    for row in rows {
        let Some(key) = key(&row.owner, group) else {
            single.push(OwnerSpan { row, members: 1 });
            continue;
        };
        match groups.get_mut(&key) {
            Some(known) => add(known, &row),
            None => {
                groups.insert(key, OwnerSpan { row, members: 1 });
            }
        }
    }
    single.extend(groups.into_values());
    single.sort_by_key(|span| std::cmp::Reverse(span.row.traffic.sum().bytes));
    Ranked { rows: single, others }
}

/// Whether it is a process, and what it has in common with others.
type GroupKey = (bool, String);

/// None where each row stays by itself.
fn key(owner: &Owner, group: Group) -> Option<GroupKey> {
    let text = match group {
        Group::Process => return None,
        _ if owner.pid.is_none() => &owner.name,
        Group::Program => &owner.name,
        Group::Unit => &owner.unit,
        Group::Container => &owner.container,
        Group::User => &owner.user,
    };
    Some((owner.pid.is_some(), text.clone()))
}

fn add(span: &mut OwnerSpan, other: &OwnerRow) {
    let OwnerSpan { row, members } = span;
    *members += 1;
    row.add(other);
    row.per_second += other.per_second;
    let (all, one) = (&mut row.owner, &other.owner);
    for (common, text) in [
        (&mut all.name, &one.name),
        (&mut all.executable, &one.executable),
        (&mut all.command_line, &one.command_line),
        (&mut all.user, &one.user),
        (&mut all.unit, &one.unit),
        (&mut all.container, &one.container),
    ] {
        if common != text {
            common.clear();
        }
    }
    if all.parents != one.parents {
        all.parents.clear();
    }
    (all.pid, all.started) = (None, None);
    all.alive |= one.alive;
    match one.quality.cmp(&all.quality) {
        Ordering::Greater => {
            all.quality = one.quality;
            all.reason.clone_from(&one.reason);
        }
        Ordering::Equal if all.reason != one.reason => all.reason.clear(),
        _ => {}
    }
}

/// The flows of the chosen owners, over all interfaces where none is chosen: a process talks over loopback too.
///
/// # Errors
/// The collector does not answer.
pub(super) async fn flows(
    collector: &Collector,
    request: ListRequest,
    owners: &OwnerFilter,
) -> Result<Since<Ranked<FlowRow>>, ClientError> {
    if let OwnerFilter { pid: Some(pid @ 1..), started: Some(started), .. } = *owners {
        return collector.flows(&ListRequest { of: Scope::Process { pid, started }, ..request }).await;
    }
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let all = ListRequest { limit: MOST_LIVE_ROWS, search: String::new(), ..request.clone() };
    let processes = collector.processes(&all).await?.list.rows;
    let chosen: HashSet<(String, Option<u32>, Option<Timestamp>)> = (processes.into_iter())
        .filter(|row| owners.matches(&row.owner))
        .map(|row| (row.owner.name, row.owner.pid, row.owner.started))
        .collect();
    let is_chosen = |owner: &Option<OwnerReference>| {
        owner.as_ref().is_some_and(|owner| chosen.contains(&(owner.name.clone(), owner.pid, owner.started)))
    };
    let mut answer = collector.flows(&ListRequest { limit: MOST_LIVE_ROWS, ..request }).await?;
    let rows = &mut answer.list.rows;
    rows.retain(|flow| is_chosen(&flow.initiator_owner) || is_chosen(&flow.responder_owner));
    rows.truncate(limit);
    answer.list.others = Others::default();
    Ok(answer)
}

#[derive(Debug, Serialize)]
struct SeriesDocument {
    from: Timestamp,
    to: Timestamp,
    step_seconds: i64,
    series: Vec<StepItem>,
}

#[derive(Debug, Serialize)]
struct StepItem {
    start: Timestamp,
    #[serde(flatten)]
    traffic: Traffic,
    #[serde(flatten)]
    rate: Rate,
}

/// What the chosen owners moved over a range, step by step, oldest first; steps without them are left out.
pub(super) async fn series(
    state: web::Data<State>,
    parameters: web::Query<Parameters>,
) -> Result<HttpResponse, HttpError> {
    parameters.must_be_json()?;
    let (range, interface) = (parameters.range()?, parameters.interface());
    let (owners, step) = (parameters.owners()?, parameters.step_millis()?);
    let series = state.store.owner_series(range, interface.as_deref(), &owners, step).await?;
    let seconds = (series.plan.step_millis / 1_000).max(1);
    let item = |&(start, traffic): &(Timestamp, RxTx)| StepItem {
        start,
        traffic: traffic.into(),
        rate: mean(traffic, seconds.unsigned_abs()).into(),
    };
    Ok(HttpResponse::Ok().json(SeriesDocument {
        from: series.range.from,
        to: series.range.to,
        step_seconds: seconds,
        series: series.steps.iter().map(item).collect(),
    }))
}

fn mean(traffic: RxTx, seconds: u64) -> RxTx {
    let mut mean = traffic;
    for count in [&mut mean.rx, &mut mean.tx] {
        count.packets /= seconds;
        count.bytes /= seconds;
    }
    mean
}

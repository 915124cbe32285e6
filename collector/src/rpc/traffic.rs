//! TrafficService: the live view, the journal, lists, packets and days.
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use jiff::civil::Date;
use shared::packets::PacketSummary;
use shared::process::Scope;
use shared::wire::v1::traffic_service_server::TrafficService;
use shared::wire::v1::watch_packets_response::Content;
use shared::wire::v1::{
    ListDaysRequest, ListDaysResponse, ListFlowsRequest, ListFlowsResponse, ListHostsRequest,
    ListHostsResponse, ListProcessesRequest, ListProcessesResponse, StreamJournalRequest,
    StreamJournalResponse, SubscribeRequest, SubscribeResponse, WatchPacketsRequest, WatchPacketsResponse,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Request, Response, Status};
use weir_shared as shared;

use super::{Context, journal, live, unanswered};
use crate::engine::command::{ListQuery, WatchRequest};
use crate::worker::filter::{self, FilterError, Program};
use crate::worker::records::MOST_WATCHES;

const USUAL_ROWS: u32 = 100;
const MOST_ROWS: u32 = 5_000;
const LONGEST_SEARCH_BYTES: usize = 256;
const USUAL_PACKETS_PER_SECOND: u32 = 200;
const MOST_PACKETS_PER_SECOND: u32 = 2_000;
/// Batches come ten times a second; who is further behind loses lines, and the loss is counted.
const BATCHES_HELD: usize = 8;

#[derive(Debug)]
pub(super) struct Traffic {
    context: Context,
    watches: Arc<Semaphore>,
}

impl Traffic {
    pub(super) fn new(context: Context) -> Self {
        Self { context, watches: Arc::new(Semaphore::new(MOST_WATCHES)) }
    }

    /// A name that is captured, or empty.
    async fn check_interface(&self, name: &str) -> Result<(), Status> {
        if name.is_empty() {
            return Ok(());
        }
        let interfaces = self.context.handle.interfaces().await.map_err(unanswered)?;
        let captured: Vec<&str> =
            interfaces.iter().filter(|info| info.captured).map(|info| info.name.as_str()).collect();
        if captured.contains(&name) {
            return Ok(());
        }
        Err(Status::invalid_argument(format!(
            "interface `{}` is not captured; captured: {}",
            shared::text::escape(name),
            if captured.is_empty() { "none".to_owned() } else { captured.join(", ") }
        )))
    }
}

#[tonic::async_trait]
impl TrafficService for Traffic {
    type SubscribeStream = BoxStream<'static, Result<SubscribeResponse, Status>>;
    type StreamJournalStream = BoxStream<'static, Result<StreamJournalResponse, Status>>;
    type WatchPacketsStream = BoxStream<'static, Result<WatchPacketsResponse, Status>>;

    async fn subscribe(
        &self,
        _: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        Ok(Response::new(live::subscribe(self.context.clone()).await?))
    }

    async fn stream_journal(
        &self,
        request: Request<StreamJournalRequest>,
    ) -> Result<Response<Self::StreamJournalStream>, Status> {
        Ok(Response::new(journal::stream(self.context.clone(), request.into_inner()).await?))
    }

    async fn list_hosts(
        &self,
        request: Request<ListHostsRequest>,
    ) -> Result<Response<ListHostsResponse>, Status> {
        let ListHostsRequest { interface, limit, search } = request.into_inner();
        let query = list_query(interface, limit, search, Scope::All)?;
        let answer = self.context.handle.hosts(query).await.map_err(unanswered)?;
        Ok(Response::new(ListHostsResponse {
            since_unix_millis: answer.since.as_millisecond(),
            hosts: Some(answer.list.into()),
        }))
    }

    async fn list_flows(
        &self,
        request: Request<ListFlowsRequest>,
    ) -> Result<Response<ListFlowsResponse>, Status> {
        let ListFlowsRequest { interface, limit, search, pid, started_unix_millis } = request.into_inner();
        let of = match pid {
            0 => Scope::All,
            pid => Scope::Process { pid, started: started(started_unix_millis)? },
        };
        let query = list_query(interface, limit, search, of)?;
        let answer = self.context.handle.flows(query).await.map_err(unanswered)?;
        Ok(Response::new(ListFlowsResponse {
            since_unix_millis: answer.since.as_millisecond(),
            flows: Some(answer.list.into()),
        }))
    }

    async fn list_processes(
        &self,
        request: Request<ListProcessesRequest>,
    ) -> Result<Response<ListProcessesResponse>, Status> {
        let ListProcessesRequest { interface, limit, search, session } = request.into_inner();
        let of = if session { Scope::Session } else { Scope::All };
        let query = list_query(interface, limit, search, of)?;
        let answer = self.context.handle.processes(query).await.map_err(unanswered)?;
        Ok(Response::new(ListProcessesResponse {
            since_unix_millis: answer.since.as_millisecond(),
            owners: Some(answer.list.into()),
        }))
    }

    async fn watch_packets(
        &self,
        request: Request<WatchPacketsRequest>,
    ) -> Result<Response<Self::WatchPacketsStream>, Status> {
        let request = request.into_inner();
        let place = Arc::clone(&self.watches).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{MOST_WATCHES} packet lists are open, as many as are allowed"
            ))
        })?;
        self.check_interface(&request.interface).await?;
        let program = compile(&request.filter).await?;
        let (sender, batches) = mpsc::channel(BATCHES_HELD);
        let most_packets_per_second = match request.most_packets_per_second {
            0 => USUAL_PACKETS_PER_SECOND,
            asked => asked.min(MOST_PACKETS_PER_SECOND),
        };
        let watch =
            WatchRequest { interface: request.interface, program, most_packets_per_second, batches: sender };
        self.context.handle.watch(watch).map_err(unanswered)?;
        let packets = packets(batches, place).take_until(self.context.stop.clone().cancelled_owned());
        Ok(Response::new(packets.boxed()))
    }

    async fn list_days(
        &self,
        request: Request<ListDaysRequest>,
    ) -> Result<Response<ListDaysResponse>, Status> {
        let ListDaysRequest { interface, from, to } = request.into_inner();
        let from = date("from", &from)?.unwrap_or(Date::MIN);
        let to = date("to", &to)?.unwrap_or(Date::MAX);
        let days = self.context.handle.days().await.map_err(unanswered)?;
        let wanted = days.list.iter().filter(|day| {
            (interface.is_empty() || day.interface == interface) && (from..=to).contains(&day.date)
        });
        let rows = wanted.map(Into::into).collect();
        let time_zone = self.context.handle.status().await.map_err(unanswered)?.time_zone;
        Ok(Response::new(ListDaysResponse {
            time_zone,
            days: rows,
            begun_unix_millis: days.since.as_millisecond(),
        }))
    }
}

/// Batches as they come; when the engine ends the list, its last figures.
fn packets(
    batches: mpsc::Receiver<shared::packets::PacketBatch>,
    place: OwnedSemaphorePermit,
) -> BoxStream<'static, Result<WatchPacketsResponse, Status>> {
    let state = Some((batches, PacketSummary::default(), place));
    stream::unfold(state, |state| async move {
        let (mut batches, last, place) = state?;
        let (content, state) = match batches.recv().await {
            Some(batch) => {
                let totals = batch.totals.clone();
                (Content::Batch(batch.into()), Some((batches, totals, place)))
            }
            None => (Content::Summary(last.into()), None),
        };
        Some((Ok(WatchPacketsResponse { content: Some(content) }), state))
    })
    .boxed()
}

async fn compile(expression: &str) -> Result<Option<Program>, Status> {
    if expression.trim().is_empty() {
        return Ok(None);
    }
    filter::compile(expression, filter::ETHERNET).await.map(Some).map_err(|error| {
        let message = shared::error::ErrorChain(&error).to_string();
        match error {
            FilterError::Compiler(_) => Status::internal(message),
            _ => Status::invalid_argument(message),
        }
    })
}

fn list_query(interface: String, limit: u32, search: String, of: Scope) -> Result<ListQuery, Status> {
    if search.len() > LONGEST_SEARCH_BYTES {
        return Err(Status::invalid_argument(format!(
            "`search` has {} bytes; {LONGEST_SEARCH_BYTES} are allowed",
            search.len()
        )));
    }
    let rows = if limit == 0 { USUAL_ROWS } else { limit.min(MOST_ROWS) };
    Ok(ListQuery { interface, limit: usize::try_from(rows).unwrap_or(usize::MAX), search, of })
}

fn started(unix_millis: i64) -> Result<Timestamp, Status> {
    Timestamp::from_millisecond(unix_millis).map_err(|_| {
        Status::invalid_argument(format!("`started_unix_millis` is {unix_millis}, which is no time"))
    })
}

fn date(field: &str, text: &str) -> Result<Option<Date>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let text = shared::text::escape(text);
        Status::invalid_argument(format!("`{field}` is `{text}`; allowed: a date such as 2026-01-31"))
    })
}

//! What the screen asks of the collector. Each request is a task; its answer comes back as a message.
use std::net::IpAddr;

use futures_util::StreamExt as _;
use shared::client::{ClientError, Collector, ListRequest, WatchRequest, Watched};
use shared::error::ErrorChain;
use shared::process::Scope;
use shared::report::{FlowRow, Ranked};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use weir_shared as shared;

use super::message::{Answer, Message, Request};
use super::state::{Found, Tab};
use crate::commands::threshold;

/// Rows asked for where a filter looks beyond the live view.
const FOUND_ROWS: u32 = 200;
const DETAIL_ROWS: u32 = 100;

pub(super) fn ask(
    collector: Option<Collector>,
    request: Request,
    messages: Sender<Message>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let is_list = matches!(request, Request::Find { .. } | Request::Flows { .. });
        let answer = match collector {
            Some(collector) => answer(&collector, request).await,
            None => Err(ClientError::Refused("no link to the collector".to_owned())),
        };
        let answer = answer.unwrap_or_else(|error| {
            let reason = ErrorChain(&error).to_string();
            if is_list { Answer::Failed(reason) } else { Answer::Refused(reason) }
        });
        // the screen may be closed meanwhile
        drop(messages.send(Message::Answer(answer)).await);
    })
}

async fn answer(collector: &Collector, request: Request) -> Result<Answer, ClientError> {
    Ok(match request {
        Request::StartSession => {
            let session = collector.start_session("").await?;
            let said = format!("Session {} started", session.name);
            Answer::Session { running: Some(session), said }
        }
        Request::StopSession => {
            let session = collector.stop_session().await?;
            Answer::Session {
                running: None,
                said: format!("Session {} stopped; capture goes on", session.name),
            }
        }
        Request::ResetSession => {
            let (_, session) = collector.reset_session().await?;
            let said = format!("Session {} begins anew; the one before is kept", session.name);
            Answer::Session { running: Some(session), said }
        }
        Request::SetThreshold(bytes_per_second) => {
            collector.set_process_threshold(bytes_per_second).await?;
            let said = format!("Threshold per process: {}", threshold(bytes_per_second));
            Answer::Threshold { bytes_per_second, said }
        }
        Request::Find { tab, interface, filter } => find(collector, tab, interface, filter).await?,
        Request::Flows { of, interface, scope, search } => {
            let list = list(interface, DETAIL_ROWS, search.clone(), scope);
            let flows = collector.flows(&list).await?.list;
            Answer::Flows { of, flows: of_address(flows, &search) }
        }
    })
}

async fn find(
    collector: &Collector,
    tab: Tab,
    interface: Option<String>,
    filter: String,
) -> Result<Answer, ClientError> {
    let list = list(interface.clone(), FOUND_ROWS, filter.clone(), Scope::All);
    let found = match tab {
        Tab::Hosts => Found::Hosts(collector.hosts(&list).await?.list),
        Tab::Flows => Found::Flows(collector.flows(&list).await?.list),
        Tab::Processes | Tab::Interfaces | Tab::Packets | Tab::Alerts => {
            Found::Owners(collector.processes(&list).await?.list)
        }
    };
    Ok(Answer::Found { tab, interface, filter, found })
}

fn list(interface: Option<String>, limit: u32, search: String, of: Scope) -> ListRequest {
    ListRequest { interface: interface.unwrap_or_default(), limit, search, of }
}

/// A search finds 10.0.0.12 for 10.0.0.1 too; nothing is left out where `address` is none.
fn of_address(mut flows: Ranked<FlowRow>, address: &str) -> Ranked<FlowRow> {
    if let Ok(address) = address.parse::<IpAddr>() {
        flows.rows.retain(|flow| flow.initiator.address == address || flow.responder.address == address);
    }
    flows
}

/// The live packet list, until it ends or the task is aborted, which closes it.
pub(super) fn watch(
    collector: Collector,
    number: u64,
    (interface, filter): (Option<String>, String),
    messages: Sender<Message>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let wanted =
            WatchRequest { filter, interface: interface.unwrap_or_default(), most_packets_per_second: 0 };
        let reason = match follow(&collector, &wanted, number, &messages).await {
            Ok(()) => "the collector ended the list".to_owned(),
            Err(error) => ErrorChain(&error).to_string(),
        };
        drop(messages.send(Message::PacketsEnded { watch: number, reason }).await);
    })
}

async fn follow(
    collector: &Collector,
    wanted: &WatchRequest,
    number: u64,
    messages: &Sender<Message>,
) -> Result<(), ClientError> {
    let mut packets = collector.watch_packets(wanted).await?;
    while let Some(message) = packets.next().await {
        if let Watched::Batch(batch) = message? {
            let sent = messages.send(Message::Packets { watch: number, batch }).await;
            if sent.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

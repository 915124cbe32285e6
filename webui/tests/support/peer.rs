//! The other end of the socket: the collector's protocol over what a test gives it.
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::Stream;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use v1::alert_service_server::{AlertService, AlertServiceServer};
use v1::control_service_server::{ControlService, ControlServiceServer};
use v1::traffic_service_server::{TrafficService, TrafficServiceServer};
use weir_shared::journal::JournalEntry;
use weir_shared::live::Live;
use weir_shared::process::OwnerRow;
use weir_shared::report::{FlowRow, Ranked};
use weir_shared::session::Session;
use weir_shared::wire::v1;

use super::traffic;

type Outgoing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the peer tells.
#[derive(Debug)]
pub struct Told {
    pub journal_id: String,
    pub entries: Vec<JournalEntry>,
    /// The entry that it sends without content, as one of a later version would arrive.
    pub unreadable: Option<u64>,
    /// What it lists as processes.
    pub owners: Ranked<OwnerRow>,
    /// What it lists as flows.
    pub flows: Ranked<FlowRow>,
    pub session: Option<Session>,
    pub threshold: u64,
    /// Whom each change was asked for.
    pub on_behalf_of: Vec<String>,
}

#[derive(Clone)]
pub struct Peer {
    told: Arc<Mutex<Told>>,
    grown: watch::Sender<u64>,
    live: watch::Sender<Live>,
    stop: CancellationToken,
}

impl Told {
    fn new(journal_id: &str, entries: Vec<JournalEntry>) -> Self {
        let part = traffic::window(traffic::start(), &[7]).interfaces.remove(0);
        let journal_id = journal_id.to_owned();
        Self {
            journal_id,
            entries,
            unreadable: None,
            owners: part.owners,
            flows: part.flows,
            session: None,
            threshold: 1 << 20,
            on_behalf_of: Vec::new(),
        }
    }
}

impl Peer {
    /// What it tells, to be read or changed.
    pub fn told<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        change(&mut self.told.lock().unwrap())
    }

    pub fn start(socket: &Path, journal_id: &str, entries: Vec<JournalEntry>) -> Self {
        if socket.exists() {
            std::fs::remove_file(socket).unwrap();
        }
        let peer = Self {
            told: Arc::new(Mutex::new(Told::new(journal_id, entries))),
            grown: watch::Sender::new(0),
            live: watch::Sender::new(traffic::snapshot(1, 1_000)),
            stop: CancellationToken::new(),
        };
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        let (server, stop) = (peer.clone(), peer.stop.clone());
        tokio::spawn(async move {
            tonic::transport::Server::builder()
                .add_service(TrafficServiceServer::new(server.clone()))
                .add_service(ControlServiceServer::new(server.clone()))
                .add_service(AlertServiceServer::new(server))
                .serve_with_incoming_shutdown(incoming, stop.cancelled())
                .await
                .unwrap();
        });
        peer
    }

    pub fn append(&self, entry: JournalEntry) {
        self.told.lock().unwrap().entries.push(entry);
        self.grown.send_modify(|count| *count += 1);
    }

    pub fn say(&self, live: Live) {
        self.live.send_replace(live);
    }

    /// Ends all streams and the server.
    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tonic::async_trait]
impl TrafficService for Peer {
    type SubscribeStream = Outgoing<v1::SubscribeResponse>;
    type StreamJournalStream = Outgoing<v1::StreamJournalResponse>;
    type WatchPacketsStream = Outgoing<v1::WatchPacketsResponse>;

    async fn subscribe(
        &self,
        _request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        let (mut live, stop) = (self.live.subscribe(), self.stop.clone());
        tokio::spawn(async move {
            loop {
                let now = v1::SubscribeResponse::from(&*live.borrow_and_update());
                if sender.send(Ok(now)).await.is_err() {
                    return;
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = live.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn stream_journal(
        &self,
        request: Request<v1::StreamJournalRequest>,
    ) -> Result<Response<Self::StreamJournalStream>, Status> {
        use v1::stream_journal_response::Content;
        let mut from = request.into_inner().from_sequence;
        let (sender, receiver) = mpsc::channel(4);
        let (told, stop, mut grown) = (Arc::clone(&self.told), self.stop.clone(), self.grown.subscribe());
        let answer = |content| Ok(v1::StreamJournalResponse { content: Some(content) });
        tokio::spawn(async move {
            let opened = {
                let told = told.lock().unwrap();
                v1::JournalOpened {
                    journal_id: told.journal_id.clone(),
                    oldest_sequence: told.entries.first().map_or(1, |entry| entry.sequence),
                    next_sequence: told.entries.last().map_or(1, |entry| entry.sequence + 1),
                }
            };
            if sender.send(answer(Content::Opened(opened))).await.is_err() {
                return;
            }
            loop {
                grown.borrow_and_update();
                let (wanted, unreadable): (Vec<JournalEntry>, _) = {
                    let told = told.lock().unwrap();
                    let wanted = told.entries.iter().filter(|entry| entry.sequence >= from);
                    (wanted.cloned().collect(), told.unreadable)
                };
                for entry in wanted {
                    from = entry.sequence + 1;
                    let mut message = v1::JournalEntry::from(&entry);
                    if unreadable == Some(entry.sequence) {
                        message.content = None;
                    }
                    if sender.send(answer(Content::Entry(message))).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = grown.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_hosts(
        &self,
        _request: Request<v1::ListHostsRequest>,
    ) -> Result<Response<v1::ListHostsResponse>, Status> {
        let list = traffic::window(traffic::start(), &[7]).interfaces.remove(0).hosts;
        let since_unix_millis = traffic::start().as_millisecond();
        Ok(Response::new(v1::ListHostsResponse { since_unix_millis, hosts: Some((&list).into()) }))
    }

    async fn list_flows(
        &self,
        _request: Request<v1::ListFlowsRequest>,
    ) -> Result<Response<v1::ListFlowsResponse>, Status> {
        let list = self.told(|told| told.flows.clone());
        let since_unix_millis = traffic::start().as_millisecond();
        Ok(Response::new(v1::ListFlowsResponse { since_unix_millis, flows: Some((&list).into()) }))
    }

    async fn list_processes(
        &self,
        request: Request<v1::ListProcessesRequest>,
    ) -> Result<Response<v1::ListProcessesResponse>, Status> {
        let mut list = self.told(|told| told.owners.clone());
        let limit = usize::try_from(request.into_inner().limit).unwrap();
        for row in list.rows.drain(limit.min(list.rows.len())..) {
            list.others.rows += 1;
            list.others.traffic += row.traffic;
        }
        let since_unix_millis = traffic::start().as_millisecond();
        Ok(Response::new(v1::ListProcessesResponse { since_unix_millis, owners: Some((&list).into()) }))
    }

    async fn watch_packets(
        &self,
        request: Request<v1::WatchPacketsRequest>,
    ) -> Result<Response<Self::WatchPacketsStream>, Status> {
        if request.into_inner().filter == "prot" {
            return Err(Status::invalid_argument("can't parse filter expression: syntax error"));
        }
        let batch = v1::PacketBatch {
            packets: vec![v1::PacketHeader {
                time_unix_nanos: 1,
                interface: "eth0".to_owned(),
                protocol: v1::TransportProtocol::Tcp.into(),
                direction: v1::Direction::Ingress.into(),
                wire_bytes: 60,
                detail: "SYN".to_owned(),
                ..v1::PacketHeader::default()
            }],
            not_sent: 4,
            totals: Some(v1::PacketSummary {
                packets: 5,
                bytes: 300,
                not_sent: 4,
                ..v1::PacketSummary::default()
            }),
        };
        let content = v1::watch_packets_response::Content::Batch(batch);
        let first = futures_util::stream::iter([Ok(v1::WatchPacketsResponse { content: Some(content) })]);
        Ok(Response::new(Box::pin(futures_util::StreamExt::chain(first, futures_util::stream::pending()))))
    }

    async fn list_days(
        &self,
        _request: Request<v1::ListDaysRequest>,
    ) -> Result<Response<v1::ListDaysResponse>, Status> {
        Ok(Response::new(v1::ListDaysResponse {
            time_zone: "UTC".to_owned(),
            ..v1::ListDaysResponse::default()
        }))
    }
}

#[tonic::async_trait]
impl ControlService for Peer {
    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Ok(Response::new(v1::GetStatusResponse {
            version: "0.1.0".to_owned(),
            host_name: "gateway".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            window_millis: 10_000,
            attribution_grade: "proc".to_owned(),
            process_threshold_bytes_per_second: self.told(|told| told.threshold),
            ..v1::GetStatusResponse::default()
        }))
    }

    async fn list_interfaces(
        &self,
        _request: Request<v1::ListInterfacesRequest>,
    ) -> Result<Response<v1::ListInterfacesResponse>, Status> {
        let interface = v1::InterfaceInfo {
            interface: "eth0".to_owned(),
            kind: "ethernet".to_owned(),
            up: true,
            captured: true,
            ..v1::InterfaceInfo::default()
        };
        Ok(Response::new(v1::ListInterfacesResponse { interfaces: vec![interface] }))
    }

    async fn start_session(
        &self,
        request: Request<v1::StartSessionRequest>,
    ) -> Result<Response<v1::StartSessionResponse>, Status> {
        let v1::StartSessionRequest { name, on_behalf_of } = request.into_inner();
        self.told(|told| told.on_behalf_of.push(on_behalf_of));
        self.told(|told| match &told.session {
            Some(running) => Err(Status::failed_precondition(format!("{} is running", running.name))),
            None => {
                let session = traffic::session(1, &name);
                told.session = Some(session.clone());
                Ok(Response::new(v1::StartSessionResponse { session: Some((&session).into()) }))
            }
        })
    }

    async fn stop_session(
        &self,
        request: Request<v1::StopSessionRequest>,
    ) -> Result<Response<v1::StopSessionResponse>, Status> {
        self.told(|told| told.on_behalf_of.push(request.into_inner().on_behalf_of));
        let stopped = self.told(|told| told.session.take());
        let session = stopped.ok_or_else(|| Status::failed_precondition("no session is running"))?;
        let session = Session { end: Some(traffic::at(60)), ..session };
        Ok(Response::new(v1::StopSessionResponse { session: Some((&session).into()) }))
    }

    async fn reset_session(
        &self,
        request: Request<v1::ResetSessionRequest>,
    ) -> Result<Response<v1::ResetSessionResponse>, Status> {
        self.told(|told| told.on_behalf_of.push(request.into_inner().on_behalf_of));
        let running = self.told(|told| told.session.take());
        let before = running.ok_or_else(|| Status::failed_precondition("no session is running"))?;
        let session = traffic::session(before.id + 1, &before.name);
        self.told(|told| told.session = Some(session.clone()));
        let ended = Session { end: Some(traffic::at(60)), ..before };
        Ok(Response::new(v1::ResetSessionResponse {
            ended: Some((&ended).into()),
            session: Some((&session).into()),
        }))
    }

    async fn list_sessions(
        &self,
        _request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let sessions = self.told(|told| told.session.iter().map(Into::into).collect());
        Ok(Response::new(v1::ListSessionsResponse { sessions }))
    }

    async fn set_process_threshold(
        &self,
        request: Request<v1::SetProcessThresholdRequest>,
    ) -> Result<Response<v1::SetProcessThresholdResponse>, Status> {
        let v1::SetProcessThresholdRequest { bytes_per_second, on_behalf_of } = request.into_inner();
        self.told(|told| told.on_behalf_of.push(on_behalf_of));
        let previous = self.told(|told| std::mem::replace(&mut told.threshold, bytes_per_second));
        Ok(Response::new(v1::SetProcessThresholdResponse {
            previous_bytes_per_second: previous,
            bytes_per_second,
        }))
    }
}

#[tonic::async_trait]
impl AlertService for Peer {
    async fn list_alerts(
        &self,
        _request: Request<v1::ListAlertsRequest>,
    ) -> Result<Response<v1::ListAlertsResponse>, Status> {
        Ok(Response::new(v1::ListAlertsResponse { alerts: Vec::new() }))
    }
}

//! The collector, as its readers see it: domain types in and out, over its Unix socket.
//!
//! A `Collector` is one connection. When it breaks, its streams end with an error; who wants to go on connects again
//! after [`Backoff::next_delay`] and shows a [`Link`] meanwhile.
mod error;
mod link;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use hyper_util::rt::TokioIo;
use jiff::civil::Date;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status as Answer};

use crate::alert::Alert;
use crate::health::{Days, InterfaceInfo, Status};
use crate::journal::{JournalEntry, JournalKind, JournalOpened};
use crate::live::Live;
use crate::packets::{PacketBatch, PacketSummary};
use crate::process::{OwnerRow, Scope};
use crate::report::{FlowRow, HostRow, Ranked, Since};
use crate::session::Session;
use crate::wire::session::sessions;
use crate::wire::{WireError, millis, v1};

pub use error::ClientError;
pub use link::{Backoff, Link};

/// A call without a stream is answered within this, as is the opening of a stream.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest list has 5,000 owners, each with 1.2 kB of text at most.
const LARGEST_ANSWER_BYTES: usize = 8 << 20;
const LARGEST_REQUEST_BYTES: usize = 64 << 10;
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);

/// What comes until the stream ends; after an error nothing comes.
pub type Incoming<T> = BoxStream<'static, Result<T, ClientError>>;

/// A list's limits. The default is everything the collector keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Empty: all.
    pub interface: String,
    /// Most rows; 0: the collector's own limit.
    pub limit: u32,
    /// Part of an address or of a name; of owners also of executable, user, unit or container.
    pub search: String,
    /// Flows of one process only, owners since the running session began.
    pub of: Scope,
}

/// Dates are of the collector's time zone and inclusive; None is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaysRequest {
    pub interface: String,
    pub from: Option<Date>,
    pub to: Option<Date>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchRequest {
    /// libpcap's filter language; empty matches all. Host names are refused.
    pub filter: String,
    /// Empty: all captured ones.
    pub interface: String,
    /// 0: the collector's default.
    pub most_packets_per_second: u32,
}

/// What a live packet list receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    Batch(PacketBatch),
    /// The collector ended the list; these are its last figures.
    Summary(PacketSummary),
}

/// A connection to the collector; cheap to clone.
#[derive(Clone, Debug)]
pub struct Collector {
    path: Arc<PathBuf>,
    traffic: v1::traffic_service_client::TrafficServiceClient<Channel>,
    alerts: v1::alert_service_client::AlertServiceClient<Channel>,
    control: v1::control_service_client::ControlServiceClient<Channel>,
    on_behalf_of: Arc<str>,
}

impl Collector {
    /// # Errors
    /// No collector listens on `path`, or this user may not connect; the error says what to do.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let first = UnixStream::connect(path).await.map_err(|error| ClientError::connecting(path, error))?;
        let channel = channel(path, first).await.map_err(|error| ClientError::Closed {
            path: path.to_owned(),
            reason: crate::error::ErrorChain(&error).to_string(),
        })?;
        Ok(Self {
            path: Arc::new(path.to_owned()),
            traffic: v1::traffic_service_client::TrafficServiceClient::new(channel.clone())
                .max_decoding_message_size(LARGEST_ANSWER_BYTES)
                .max_encoding_message_size(LARGEST_REQUEST_BYTES),
            alerts: v1::alert_service_client::AlertServiceClient::new(channel.clone())
                .max_decoding_message_size(LARGEST_ANSWER_BYTES)
                .max_encoding_message_size(LARGEST_REQUEST_BYTES),
            control: v1::control_service_client::ControlServiceClient::new(channel)
                .max_decoding_message_size(LARGEST_ANSWER_BYTES)
                .max_encoding_message_size(LARGEST_REQUEST_BYTES),
            on_behalf_of: Arc::default(),
        })
    }

    /// Says in each change for whom it is: letters, digits and `-._@`, at most 64. Events tell it, and it gives no right.
    pub fn on_behalf_of(self, name: &str) -> Self {
        Self { on_behalf_of: name.into(), ..self }
    }

    pub async fn status(&self) -> Result<Status, ClientError> {
        let answer = self.control.clone().get_status(request(v1::GetStatusRequest {})).await;
        Ok(self.taken(answer)?.try_into()?)
    }

    pub async fn interfaces(&self) -> Result<Vec<InterfaceInfo>, ClientError> {
        let answer = self.control.clone().list_interfaces(request(v1::ListInterfacesRequest {})).await;
        Ok(self.taken(answer)?.interfaces.into_iter().map(Into::into).collect())
    }

    /// Remote hosts by bytes, since the collector began to count them.
    pub async fn hosts(&self, list: &ListRequest) -> Result<Since<Ranked<HostRow>>, ClientError> {
        let ListRequest { interface, limit, search, .. } = list.clone();
        let answer =
            self.traffic.clone().list_hosts(request(v1::ListHostsRequest { interface, limit, search })).await;
        let message = self.taken(answer)?;
        let since = millis("since_unix_millis", message.since_unix_millis)?;
        Ok(Since { since, list: message.hosts.unwrap_or_default().try_into()? })
    }

    /// Flows by bytes, since the collector began to count them.
    pub async fn flows(&self, list: &ListRequest) -> Result<Since<Ranked<FlowRow>>, ClientError> {
        let ListRequest { interface, limit, search, of } = list.clone();
        let (pid, started_unix_millis) = match of {
            Scope::Process { pid, started } => (pid, started.as_millisecond()),
            Scope::All | Scope::Session => (0, 0),
        };
        let wanted = v1::ListFlowsRequest { interface, limit, search, pid, started_unix_millis };
        let answer = self.traffic.clone().list_flows(request(wanted)).await;
        let message = self.taken(answer)?;
        let since = millis("since_unix_millis", message.since_unix_millis)?;
        Ok(Since { since, list: message.flows.unwrap_or_default().try_into()? })
    }

    /// Owners by bytes, the dead included, since the collector began to count them or since the running session began.
    pub async fn processes(&self, list: &ListRequest) -> Result<Since<Ranked<OwnerRow>>, ClientError> {
        let ListRequest { interface, limit, search, of } = list.clone();
        let session = of == Scope::Session;
        let wanted = v1::ListProcessesRequest { interface, limit, search, session };
        let message = self.taken(self.traffic.clone().list_processes(request(wanted)).await)?;
        let since = millis("since_unix_millis", message.since_unix_millis)?;
        Ok(Since { since, list: message.owners.unwrap_or_default().try_into()? })
    }

    /// Kernel counters per interface and day, oldest first.
    pub async fn days(&self, days: &DaysRequest) -> Result<Days, ClientError> {
        let text = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        let wanted = v1::ListDaysRequest {
            interface: days.interface.clone(),
            from: text(days.from),
            to: text(days.to),
        };
        let message = self.taken(self.traffic.clone().list_days(request(wanted)).await)?;
        let rows = message.days.into_iter().map(TryInto::try_into).collect::<Result<_, WireError>>()?;
        Ok(Days {
            time_zone: message.time_zone,
            begun: millis("begun_unix_millis", message.begun_unix_millis)?,
            rows,
        })
    }

    /// Alerts that the journal still holds, newest first; `limit` 0 is the collector's own.
    pub async fn alerts(&self, limit: u32) -> Result<Vec<Alert>, ClientError> {
        let answer = self.alerts.clone().list_alerts(request(v1::ListAlertsRequest { limit })).await;
        let alerts = self.taken(answer)?.alerts;
        Ok(alerts.into_iter().map(TryInto::try_into).collect::<Result<_, WireError>>()?)
    }

    /// Begins a session; an empty name is made of the time. One runs at a time.
    pub async fn start_session(&self, name: &str) -> Result<Session, ClientError> {
        let wanted =
            v1::StartSessionRequest { name: name.to_owned(), on_behalf_of: self.on_behalf_of.to_string() };
        let answer = self.taken(self.control.clone().start_session(request(wanted)).await)?;
        one_session(answer.session)
    }

    /// Ends the running session, never capture.
    pub async fn stop_session(&self) -> Result<Session, ClientError> {
        let wanted = v1::StopSessionRequest { on_behalf_of: self.on_behalf_of.to_string() };
        let answer = self.control.clone().stop_session(request(wanted)).await;
        one_session(self.taken(answer)?.session)
    }

    /// Ends the running session and begins another of its name: the ended one, then the new one.
    pub async fn reset_session(&self) -> Result<(Session, Session), ClientError> {
        let wanted = v1::ResetSessionRequest { on_behalf_of: self.on_behalf_of.to_string() };
        let answer = self.control.clone().reset_session(request(wanted)).await;
        let answer = self.taken(answer)?;
        Ok((one_session(answer.ended)?, one_session(answer.session)?))
    }

    /// The running session first, then those that ended, newest first; `limit` 0 is the collector's own.
    pub async fn sessions(&self, limit: u32) -> Result<Vec<Session>, ClientError> {
        let answer = self.control.clone().list_sessions(request(v1::ListSessionsRequest { limit })).await;
        Ok(sessions(self.taken(answer)?.sessions)?)
    }

    /// Sets the bandwidth over which a process raises an alert, in either direction; 0 is off. Gives the one before.
    pub async fn set_process_threshold(&self, bytes_per_second: u64) -> Result<u64, ClientError> {
        let wanted =
            v1::SetProcessThresholdRequest { bytes_per_second, on_behalf_of: self.on_behalf_of.to_string() };
        let answer = self.control.clone().set_process_threshold(request(wanted)).await;
        Ok(self.taken(answer)?.previous_bytes_per_second)
    }

    /// A snapshot, then an update a second; a snapshot again when this reader was too slow.
    pub async fn subscribe(&self) -> Result<Incoming<Live>, ClientError> {
        let mut traffic = self.traffic.clone();
        let stream = self.opened(traffic.subscribe(v1::SubscribeRequest {})).await?;
        Ok(self.incoming(stream, |message| Ok(message.try_into()?)))
    }

    /// The journal from `from` (0: the oldest kept) and then as it grows. No `kinds` means all.
    pub async fn journal(
        &self,
        from: u64,
        kinds: &[JournalKind],
    ) -> Result<(JournalOpened, Incoming<JournalEntry>), ClientError> {
        use v1::stream_journal_response::Content;
        let wanted = v1::StreamJournalRequest {
            from_sequence: from,
            kinds: kinds.iter().map(|kind| journal_kind(*kind).into()).collect(),
        };
        let mut traffic = self.traffic.clone();
        let mut stream = self.opened(traffic.stream_journal(wanted)).await?;
        let first =
            tokio::time::timeout(DEADLINE, stream.message()).await.map_err(|_| ClientError::TooLate)?;
        let first = first.map_err(|answer| self.refused(&answer))?;
        let Some(Content::Opened(opened)) = first.and_then(|message| message.content) else {
            return Err(ClientError::Protocol("a journal stream did not begin with its opening"));
        };
        let entries = self.incoming(stream, |message| match message.content {
            Some(Content::Entry(entry)) => {
                let sequence = entry.sequence;
                entry.try_into().map_err(|source| ClientError::Entry { sequence, source })
            }
            _ => Err(ClientError::Protocol("a journal stream carried something else than an entry")),
        });
        Ok((opened.into(), entries))
    }

    /// Headers of packets that match, capped in rate, and the exact figures of all that matched. Ends when dropped.
    pub async fn watch_packets(&self, wanted: &WatchRequest) -> Result<Incoming<Watched>, ClientError> {
        use v1::watch_packets_response::Content;
        let WatchRequest { filter, interface, most_packets_per_second } = wanted.clone();
        let mut traffic = self.traffic.clone();
        let wanted = v1::WatchPacketsRequest { filter, interface, most_packets_per_second };
        let stream = self.opened(traffic.watch_packets(wanted)).await?;
        Ok(self.incoming(stream, |message| match message.content {
            Some(Content::Batch(batch)) => Ok(Watched::Batch(batch.try_into()?)),
            Some(Content::Summary(summary)) => Ok(Watched::Summary(summary.try_into()?)),
            None => Err(ClientError::Protocol("a packet list carried an empty message")),
        }))
    }

    async fn opened<W>(
        &self,
        opening: impl Future<Output = Result<Response<tonic::Streaming<W>>, Answer>>,
    ) -> Result<tonic::Streaming<W>, ClientError> {
        let answer = tokio::time::timeout(DEADLINE, opening).await.map_err(|_| ClientError::TooLate)?;
        self.taken(answer)
    }

    fn incoming<W: Send + 'static, T: Send + 'static>(
        &self,
        stream: tonic::Streaming<W>,
        convert: impl Fn(W) -> Result<T, ClientError> + Send + 'static,
    ) -> Incoming<T> {
        let this = self.clone();
        let items = stream.map_err(move |answer| this.refused(&answer));
        items.map(move |item| item.and_then(&convert)).boxed()
    }

    fn taken<W>(&self, answer: Result<Response<W>, Answer>) -> Result<W, ClientError> {
        answer.map(Response::into_inner).map_err(|answer| self.refused(&answer))
    }

    fn refused(&self, answer: &Answer) -> ClientError {
        ClientError::answered(&self.path, answer)
    }
}

/// A channel whose first connection is `first`; a later one is made anew.
async fn channel(path: &Path, first: UnixStream) -> Result<Channel, tonic::transport::Error> {
    let first = Arc::new(Mutex::new(Some(first)));
    let path = Arc::new(path.to_owned());
    let connector = tower::service_fn(move |_| {
        let ready = first.lock().map_or(None, |mut stream| stream.take());
        let path = Arc::clone(&path);
        async move {
            let stream = match ready {
                Some(stream) => stream,
                None => UnixStream::connect(path.as_ref()).await?,
            };
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    // the address is never resolved: the connector goes to the socket
    Endpoint::from_static("http://collector.weir")
        .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
}

fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

fn one_session(message: Option<v1::Session>) -> Result<Session, ClientError> {
    let message = message.ok_or(ClientError::Protocol("an answer about a session carried none"))?;
    Ok(message.try_into()?)
}

fn journal_kind(kind: JournalKind) -> v1::JournalKind {
    match kind {
        JournalKind::Window => v1::JournalKind::Window,
        JournalKind::Alert => v1::JournalKind::Alert,
        JournalKind::Gap => v1::JournalKind::Gap,
        JournalKind::Session => v1::JournalKind::Session,
        JournalKind::Event => v1::JournalKind::Event,
    }
}

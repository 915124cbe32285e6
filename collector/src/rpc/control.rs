//! ControlService: what the collector says of itself, and what may be changed while it runs.
use nix::unistd::{Uid, User};
use shared::wire::v1;
use shared::wire::v1::control_service_server::ControlService;
use shared::wire::v1::{GetStatusRequest, GetStatusResponse, ListInterfacesRequest, ListInterfacesResponse};
use tonic::{Request, Response, Status};
use weir_shared as shared;

use super::connections::Peer;
use super::{Context, unanswered};
use crate::engine::command::{SessionChange, SessionError, SessionOutcome, SessionRequest};

const USUAL_SESSIONS: u32 = 50;

#[derive(Debug)]
pub(super) struct Control(pub(super) Context);

#[tonic::async_trait]
impl ControlService for Control {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        let mut status = self.0.handle.status().await.map_err(unanswered)?;
        self.0.count_losses(&mut status.losses);
        Ok(Response::new(status.into()))
    }

    async fn list_interfaces(
        &self,
        _: Request<ListInterfacesRequest>,
    ) -> Result<Response<ListInterfacesResponse>, Status> {
        let interfaces = self.0.handle.interfaces().await.map_err(unanswered)?;
        Ok(Response::new(ListInterfacesResponse { interfaces: interfaces.iter().map(Into::into).collect() }))
    }

    async fn start_session(
        &self,
        request: Request<v1::StartSessionRequest>,
    ) -> Result<Response<v1::StartSessionResponse>, Status> {
        let by = caller(&request);
        let change = SessionChange::Start(request.into_inner().name);
        let outcome = self.change(change, by).await?;
        Ok(Response::new(v1::StartSessionResponse { session: outcome.running.map(Into::into) }))
    }

    async fn stop_session(
        &self,
        request: Request<v1::StopSessionRequest>,
    ) -> Result<Response<v1::StopSessionResponse>, Status> {
        let outcome = self.change(SessionChange::Stop, caller(&request)).await?;
        Ok(Response::new(v1::StopSessionResponse { session: outcome.ended.map(Into::into) }))
    }

    async fn reset_session(
        &self,
        request: Request<v1::ResetSessionRequest>,
    ) -> Result<Response<v1::ResetSessionResponse>, Status> {
        let outcome = self.change(SessionChange::Reset, caller(&request)).await?;
        Ok(Response::new(v1::ResetSessionResponse {
            ended: outcome.ended.map(Into::into),
            session: outcome.running.map(Into::into),
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let limit = match request.into_inner().limit {
            0 => USUAL_SESSIONS,
            limit => limit,
        };
        let sessions = self.0.handle.sessions().await.map_err(unanswered)?;
        let sessions = sessions.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(Into::into);
        Ok(Response::new(v1::ListSessionsResponse { sessions: sessions.collect() }))
    }

    async fn set_process_threshold(
        &self,
        request: Request<v1::SetProcessThresholdRequest>,
    ) -> Result<Response<v1::SetProcessThresholdResponse>, Status> {
        let by = caller(&request);
        let bytes_per_second = request.into_inner().bytes_per_second;
        let handle = &self.0.handle;
        let previous = handle.set_process_threshold(bytes_per_second, by).await.map_err(unanswered)?;
        Ok(Response::new(v1::SetProcessThresholdResponse {
            previous_bytes_per_second: previous,
            bytes_per_second,
        }))
    }
}

impl Control {
    async fn change(&self, change: SessionChange, by: String) -> Result<SessionOutcome, Status> {
        let answer = self.0.handle.session(SessionRequest { change, by }).await.map_err(unanswered)?;
        answer.map_err(|error| match error {
            SessionError::Running { .. } | SessionError::None => {
                Status::failed_precondition(error.to_string())
            }
            SessionError::Name(_) => Status::invalid_argument(error.to_string()),
        })
    }
}

/// Who calls, for the event: the user's name, or the number where it has none.
fn caller<T>(request: &Request<T>) -> String {
    let Some(peer) = request.extensions().get::<Peer>() else { return "somebody".to_owned() };
    match User::from_uid(Uid::from_raw(peer.uid)) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => format!("uid {}", peer.uid),
    }
}

//! ControlService: what the collector says of itself, and what may be changed while it runs.
use shared::wire::v1;
use shared::wire::v1::control_service_server::ControlService;
use shared::wire::v1::{GetStatusRequest, GetStatusResponse, ListInterfacesRequest, ListInterfacesResponse};
use tonic::{Request, Response, Status};
use weir_shared as shared;

use super::callers::Callers;
use super::{Context, unanswered};
use crate::engine::command::{SessionChange, SessionError, SessionOutcome, SessionRequest};

const USUAL_SESSIONS: u32 = 50;

#[derive(Debug)]
pub(super) struct Control {
    context: Context,
    callers: Callers,
}

#[tonic::async_trait]
impl ControlService for Control {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        let mut status = self.context.handle.status().await.map_err(unanswered)?;
        self.context.count_losses(&mut status.losses);
        Ok(Response::new(status.into()))
    }

    async fn list_interfaces(
        &self,
        _: Request<ListInterfacesRequest>,
    ) -> Result<Response<ListInterfacesResponse>, Status> {
        let interfaces = self.context.handle.interfaces().await.map_err(unanswered)?;
        Ok(Response::new(ListInterfacesResponse { interfaces: interfaces.iter().map(Into::into).collect() }))
    }

    async fn start_session(
        &self,
        request: Request<v1::StartSessionRequest>,
    ) -> Result<Response<v1::StartSessionResponse>, Status> {
        let by = self.callers.name(&request, &request.get_ref().on_behalf_of)?;
        let change = SessionChange::Start(request.into_inner().name);
        let outcome = self.change(change, by).await?;
        Ok(Response::new(v1::StartSessionResponse { session: outcome.running.map(Into::into) }))
    }

    async fn stop_session(
        &self,
        request: Request<v1::StopSessionRequest>,
    ) -> Result<Response<v1::StopSessionResponse>, Status> {
        let by = self.callers.name(&request, &request.get_ref().on_behalf_of)?;
        let outcome = self.change(SessionChange::Stop, by).await?;
        Ok(Response::new(v1::StopSessionResponse { session: outcome.ended.map(Into::into) }))
    }

    async fn reset_session(
        &self,
        request: Request<v1::ResetSessionRequest>,
    ) -> Result<Response<v1::ResetSessionResponse>, Status> {
        let by = self.callers.name(&request, &request.get_ref().on_behalf_of)?;
        let outcome = self.change(SessionChange::Reset, by).await?;
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
        let sessions = self.context.handle.sessions().await.map_err(unanswered)?;
        let sessions = sessions.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(Into::into);
        Ok(Response::new(v1::ListSessionsResponse { sessions: sessions.collect() }))
    }

    async fn set_process_threshold(
        &self,
        request: Request<v1::SetProcessThresholdRequest>,
    ) -> Result<Response<v1::SetProcessThresholdResponse>, Status> {
        let by = self.callers.name(&request, &request.get_ref().on_behalf_of)?;
        let bytes_per_second = request.into_inner().bytes_per_second;
        let handle = &self.context.handle;
        let previous = handle.set_process_threshold(bytes_per_second, by).await.map_err(unanswered)?;
        Ok(Response::new(v1::SetProcessThresholdResponse {
            previous_bytes_per_second: previous,
            bytes_per_second,
        }))
    }
}

impl Control {
    pub(super) fn new(context: Context) -> Self {
        Self { context, callers: Callers::default() }
    }

    async fn change(&self, change: SessionChange, by: String) -> Result<SessionOutcome, Status> {
        let answer = self.context.handle.session(SessionRequest { change, by }).await.map_err(unanswered)?;
        answer.map_err(|error| match error {
            SessionError::Running { .. } | SessionError::None => {
                Status::failed_precondition(error.to_string())
            }
            SessionError::Name(_) => Status::invalid_argument(error.to_string()),
        })
    }
}

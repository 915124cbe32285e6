//! ControlService: what the collector says of itself.
use shared::wire::v1::control_service_server::ControlService;
use shared::wire::v1::{GetStatusRequest, GetStatusResponse, ListInterfacesRequest, ListInterfacesResponse};
use tonic::{Request, Response, Status};
use weir_shared as shared;

use super::{Context, unanswered};

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
}

//! AlertService: what the journal still holds.
use shared::wire::v1::alert_service_server::AlertService;
use shared::wire::v1::{ListAlertsRequest, ListAlertsResponse};
use tonic::{Request, Response, Status};
use weir_shared as shared;

use super::{Context, journal};

const USUAL_ALERTS: u32 = 100;
const MOST_ALERTS: u32 = 1_000;

#[derive(Debug)]
pub(super) struct Alerts(pub(super) Context);

#[tonic::async_trait]
impl AlertService for Alerts {
    async fn list_alerts(
        &self,
        request: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        let limit = match request.into_inner().limit {
            0 => USUAL_ALERTS,
            limit => limit.min(MOST_ALERTS),
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let alerts = journal::blocking(&self.0.handle.journal, move |journal| journal.alerts(limit)).await?;
        Ok(Response::new(ListAlertsResponse { alerts: alerts.iter().map(Into::into).collect() }))
    }
}

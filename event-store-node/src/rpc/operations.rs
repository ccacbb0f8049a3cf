//! Operations: scavenges are started and ended, and the groups of consumers started again.

use std::time::Duration;

use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{persistent, refuse};
use crate::persistent::Subscriptions;
use crate::proto::operations::operations_server::Operations;
use crate::proto::operations::scavenge_resp::ScavengeResult;
use crate::proto::operations::{ScavengeResp, StartScavengeReq, StopScavengeReq};
use crate::scavenges::{Scavenges, Started};

/// Does to a node what it is asked.
#[derive(Debug)]
pub(crate) struct OperationsService {
    scavenges: Scavenges,
    subscriptions: Subscriptions,
    write_timeout: Duration,
}

impl OperationsService {
    /// Over the node's scavenges and groups.
    pub(crate) fn new(scavenges: Scavenges, subscriptions: Subscriptions, write_timeout: Duration) -> Self {
        Self { scavenges, subscriptions, write_timeout }
    }
}

#[tonic::async_trait]
impl Operations for OperationsService {
    /// With one thread and from the first segment on, whatever is asked: the numbers are of another server's chunks.
    async fn start_scavenge(
        &self,
        _request: Request<StartScavengeReq>,
    ) -> Result<Response<ScavengeResp>, Status> {
        Ok(match self.scavenges.start() {
            Started::Now(id) => answer(id, ScavengeResult::Started),
            Started::Before(id) => answer(id, ScavengeResult::InProgress),
        })
    }

    async fn stop_scavenge(
        &self,
        request: Request<StopScavengeReq>,
    ) -> Result<Response<ScavengeResp>, Status> {
        let named = request.into_inner().options.map(|options| options.scavenge_id).unwrap_or_default();
        match Uuid::parse_str(&named) {
            Ok(id) if self.scavenges.stop(id) => Ok(answer(id, ScavengeResult::Stopped)),
            _ => Err(refuse::scavenge_not_found(&named)),
        }
    }

    /// What clients call when they know no `RestartSubsystem` of the groups' own service.
    async fn restart_persistent_subscriptions(&self, _request: Request<()>) -> Result<Response<()>, Status> {
        persistent::restart(&self.subscriptions, self.write_timeout).await.map(Response::new)
    }
}

fn answer(id: Uuid, result: ScavengeResult) -> Response<ScavengeResp> {
    Response::new(ScavengeResp { scavenge_id: id.to_string(), scavenge_result: result.into() })
}

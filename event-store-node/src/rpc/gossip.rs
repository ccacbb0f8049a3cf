//! Gossip: a cluster of one, its leader. Clients that discover nodes reconnect to the address given here.

use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::uuids::{self, UuidForm};
use crate::proto::gossip::gossip_server::Gossip;
use crate::proto::gossip::member_info::VNodeState;
use crate::proto::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::storage::now_ticks;

/// Answers with this node alone.
#[derive(Debug)]
pub(crate) struct GossipService {
    instance: Uuid,
    host: String,
    port: u16,
}

impl GossipService {
    /// A node that clients reach at this host and port.
    pub(crate) fn new(instance: Uuid, host: String, port: u16) -> Self {
        Self { instance, host, port }
    }
}

#[tonic::async_trait]
impl Gossip for GossipService {
    async fn read(&self, _request: Request<()>) -> Result<Response<ClusterInfo>, Status> {
        let member = MemberInfo {
            instance_id: Some(uuids::to_wire(self.instance, UuidForm::Structured)),
            time_stamp: i64::try_from(now_ticks()).unwrap_or(i64::MAX),
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: self.host.clone(), port: self.port.into() }),
        };
        Ok(Response::new(ClusterInfo { members: vec![member] }))
    }
}

//! Gossip: a cluster of one, its leader. Clients that discover nodes reconnect to the address given here. It is told by
//! gRPC, and with more of it as JSON, which is what the Rust clients' `read_gossip` asks for.

use std::time::SystemTime;

use serde_json::{Value, json};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::uuids::{self, UuidForm};
use crate::proto::gossip::gossip_server::Gossip;
use crate::proto::gossip::member_info::VNodeState;
use crate::proto::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::storage::{Storage, now_ticks};

/// Answers with this node alone.
#[derive(Debug, Clone)]
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

    /// What `GET /gossip` answers. Clients take it only with all fields; those of TCP name ports that a node like this
    /// one does not have, and those of elections an epoch that there was none of.
    pub(crate) fn as_json(&self, storage: &Storage) -> Value {
        let position = storage.head().borrow().last.0;
        json!({ "members": [{
            "instanceId": self.instance,
            "timeStamp": prost_types::Timestamp::from(SystemTime::now()).to_string(),
            "state": "Leader",
            "isAlive": true,
            "internalTcpIp": self.host,
            "internalTcpPort": 0,
            "internalSecureTcpPort": 0,
            "externalTcpIp": self.host,
            "externalTcpPort": 0,
            "externalSecureTcpPort": 0,
            "httpEndPointIp": self.host,
            "httpEndPointPort": self.port,
            "lastCommitPosition": position,
            "writerCheckpoint": position,
            "chaserCheckpoint": position,
            "epochPosition": 0,
            "epochNumber": 0,
            "epochId": Uuid::nil(),
            "nodePriority": 0,
        }] })
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

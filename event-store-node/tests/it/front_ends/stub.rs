//! What stands before the services of a front end: gossip that names the leader of the moment, refusals by those who do
//! not lead, and appends that are cut off on their way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prost::Message;
use tokio::sync::mpsc;
use tonic::Status;
use tonic::codegen::Service;
use tonic::metadata::MetadataValue;

use crate::raw::proto::gossip::gossip_server::{Gossip, GossipServer};
use crate::raw::proto::gossip::member_info::VNodeState;
use crate::raw::proto::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::raw::proto::streams::append_resp::success::PositionOption;
use crate::raw::proto::streams::{AppendResp, append_resp};
use crate::support::MAX_APPEND_BYTES;

const STREAMS: &str = "/event_store.client.streams.Streams/";
const GOSSIP: &str = "/event_store.client.gossip.Gossip/";
/// A call of gRPC begins each message with a flag and a length.
const FRAME_BYTES: usize = 5;

/// Where an append is when its front end goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// It came in and has not reached the store.
    Before,
    /// It is somewhere on its way.
    Meanwhile,
    /// It is in the store, and the answer has not gone out.
    After,
    /// It has not reached the store, and gets there when its writer has the answer to a second try.
    Late,
}

/// An append that was cut off.
pub struct Severed {
    pub cut: Cut,
    /// Where it is in the log, if it is known to be there.
    pub position: Option<u64>,
    held: Option<(Next, Request)>,
}

impl Severed {
    /// Lets an append that was held into the store, and says what position the answer named.
    pub async fn let_in(self) -> Option<u64> {
        let (next, request) = self.held?;
        Some(position(next.run(request).await).await)
    }
}

/// The next append to be cut off: by which front end, and how many appends pass before.
struct Armed {
    front_end: usize,
    cut: Cut,
    pass: u32,
}

/// What the front ends know of each other, and who leads.
pub struct Stub {
    addresses: Vec<SocketAddr>,
    leader: Mutex<usize>,
    armed: Mutex<Option<Armed>>,
    severed: Mutex<HashMap<String, Vec<Severed>>>,
    tell: mpsc::UnboundedSender<()>,
    refused: AtomicU64,
}

impl Stub {
    /// The first one leads. The other end hears of each append that is cut off.
    pub fn new(addresses: Vec<SocketAddr>) -> (Self, mpsc::UnboundedReceiver<()>) {
        let (tell, told) = mpsc::unbounded_channel();
        let (leader, armed, severed) = (Mutex::new(0), Mutex::default(), Mutex::default());
        (Self { addresses, leader, armed, severed, tell, refused: AtomicU64::new(0) }, told)
    }

    pub fn leader(&self) -> usize {
        *self.leader.lock().expect("who leads")
    }

    pub fn lead(&self, front_end: usize) {
        *self.leader.lock().expect("who leads") = front_end;
    }

    pub fn arm(&self, front_end: usize, cut: Cut, pass: u32) {
        *self.armed.lock().expect("the plan") = Some(Armed { front_end, cut, pass });
    }

    /// What was cut off of a writer since it was asked last.
    pub fn severed(&self, writer: &str) -> Vec<Severed> {
        self.severed.lock().expect("what was cut").remove(writer).unwrap_or_default()
    }

    /// How many calls were refused because another one leads.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn members(&self) -> Vec<MemberInfo> {
        let leader = self.leader();
        let member = |(number, address): (usize, &SocketAddr)| MemberInfo {
            instance_id: Some(crate::raw::text_id(number as u128 + 1).expect("an id")),
            time_stamp: 0,
            state: if number == leader { VNodeState::Leader } else { VNodeState::Follower }.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: address.ip().to_string(), port: address.port().into() }),
        };
        self.addresses.iter().enumerate().map(member).collect()
    }

    fn not_leader(&self) -> Response {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let leader = self.addresses[self.leader()];
        let mut status = Status::not_found("Leader info available");
        let trailers = status.metadata_mut();
        trailers.insert("exception", MetadataValue::from_static("not-leader"));
        trailers.insert("leader-endpoint-host", leader.ip().to_string().parse().expect("a host"));
        trailers.insert("leader-endpoint-port", leader.port().into());
        status.into_http()
    }

    /// The cut that is due at this front end's next append.
    fn due(&self, front_end: usize) -> Option<Cut> {
        let mut armed = self.armed.lock().expect("the plan");
        let next = armed.as_mut().filter(|armed| armed.front_end == front_end)?;
        if next.pass > 0 {
            next.pass -= 1;
            return None;
        }
        armed.take().map(|armed| armed.cut)
    }

    fn sever(&self, writer: &str, severed: Severed) {
        self.severed.lock().expect("what was cut").entry(writer.to_owned()).or_default().push(severed);
        // The test may have ended.
        let _ = self.tell.send(());
    }

    async fn cut(&self, cut: Cut, request: Request, next: Next) -> Response {
        let name = request.headers().get("connection-name").expect("a writer's name");
        let writer = name.to_str().expect("a name").to_owned();
        let severed = Severed { cut, position: None, held: None };
        match cut {
            Cut::Before => self.sever(&writer, severed),
            Cut::Meanwhile => {
                self.sever(&writer, severed);
                return next.run(request).await;
            }
            Cut::After => {
                let position = position(next.run(request).await).await;
                self.sever(&writer, Severed { position: Some(position), ..severed });
            }
            Cut::Late => {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, MAX_APPEND_BYTES as usize).await.expect("an append");
                let held = Some((next, Request::from_parts(head, body.into())));
                self.sever(&writer, Severed { held, ..severed });
            }
        }
        std::future::pending().await
    }
}

/// The position that the answer to an append names.
async fn position(answer: Response) -> u64 {
    assert!(!answer.headers().contains_key("grpc-status"), "refused: {:?}", answer.headers());
    let body = to_bytes(answer.into_body(), MAX_APPEND_BYTES as usize).await.expect("an answer");
    let answer = AppendResp::decode(&body[FRAME_BYTES..]).expect("an answer");
    let Some(append_resp::Result::Success(success)) = answer.result else { panic!("refused: {answer:?}") };
    let Some(PositionOption::Position(position)) = success.position_option else { panic!("{success:?}") };
    position.commit_position
}

/// The answer to gossip.
struct Members(Arc<Stub>);

#[tonic::async_trait]
impl Gossip for Members {
    async fn read(&self, _request: tonic::Request<()>) -> Result<tonic::Response<ClusterInfo>, Status> {
        Ok(tonic::Response::new(ClusterInfo { members: self.0.members() }))
    }
}

/// What every call of a front end goes through.
pub async fn before(
    State((stub, front_end)): State<(Arc<Stub>, usize)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if path.starts_with(GOSSIP) {
        let answer = GossipServer::new(Members(stub)).call(request).await;
        return answer.expect("an answer").map(Body::new);
    }
    let call = path.strip_prefix(STREAMS);
    let wants_leader = request.headers().get("requires-leader").is_some_and(|wanted| wanted == "true");
    let for_leader = wants_leader || call.is_some_and(|call| call != "Read");
    if for_leader && stub.leader() != front_end {
        return stub.not_leader();
    }
    match (call == Some("Append")).then(|| stub.due(front_end)).flatten() {
        Some(cut) => stub.cut(cut, request, next).await,
        None => next.run(request).await,
    }
}

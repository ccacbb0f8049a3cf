//! What a group's task is told.

use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Event, GroupError, Info};
use crate::consumer_group::{ConsumerId, Refusal};

/// Commands that wait for a group's task; who has more to say waits.
pub(super) const MAX_QUEUED_COMMANDS: usize = 256;

/// Who a consumer is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) connection_name: Option<String>,
}

/// What a consumer says of events that it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Refused(Refusal, String),
}

/// A consumer's end of a group.
#[derive(Debug)]
pub(crate) struct Connection {
    /// What it is sent.
    pub(crate) events: mpsc::Receiver<Event>,
    /// Why the group ends it; nothing when it left by itself.
    pub(crate) end: oneshot::Receiver<GroupError>,
    pub(super) id: ConsumerId,
    pub(super) commands: mpsc::Sender<Command>,
}

/// By which a consumer answers and leaves.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    id: ConsumerId,
    commands: mpsc::Sender<Command>,
}

impl Connection {
    pub(crate) fn answers(&self) -> Answers {
        Answers { id: self.id, commands: self.commands.clone() }
    }
}

impl Answers {
    /// Says what became of events. Waits while the group has much to do; `false` once it is gone.
    pub(crate) async fn answer(&self, ids: Vec<Uuid>, answer: Answer) -> bool {
        self.commands.send(Command::Answer { consumer: self.id, ids, answer }).await.is_ok()
    }

    /// Leaves the group.
    pub(crate) async fn leave(self) {
        // A group that is gone has let go of its consumers already.
        let _ = self.commands.send(Command::Disconnect(self.id)).await;
    }
}

/// What a group's task is told.
#[derive(Debug)]
pub(super) enum Command {
    Connect {
        consumer: ConsumerId,
        buffer_size: usize,
        peer: Peer,
        reply: oneshot::Sender<Result<Connection, GroupError>>,
    },
    Answer {
        consumer: ConsumerId,
        ids: Vec<Uuid>,
        answer: Answer,
    },
    Disconnect(ConsumerId),
    Replay {
        stop_at: Option<u64>,
        reply: oneshot::Sender<()>,
    },
    Info(oneshot::Sender<Info>),
    /// The end: consumers are dropped. A group that is deleted writes no last checkpoint.
    Stop {
        is_deleted: bool,
        reply: oneshot::Sender<()>,
    },
}

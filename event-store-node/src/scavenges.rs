//! The scavenges of a running node: one at a time, in a thread of its own, ended with the node.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use uuid::Uuid;

use crate::metrics;
use crate::storage::{Scavenged, Scavenging, Storage, StorageError};

/// Starts and ends scavenges, and tells how the newest one stands.
#[derive(Debug, Clone)]
pub(crate) struct Scavenges {
    storage: Storage,
    stop: CancellationToken,
    newest: Arc<watch::Sender<Option<Scavenge>>>,
}

/// A scavenge, as far as it is.
#[derive(Debug, Clone)]
pub(crate) struct Scavenge {
    pub id: Uuid,
    pub at: Scavenging,
    pub state: ScavengeState,
    stop: CancellationToken,
}

/// How a scavenge stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScavengeState {
    /// It is under way.
    Running,
    /// It has looked at every segment.
    Done,
    /// It was ended before that.
    Stopped,
    /// It could not go on, for this reason.
    Failed(String),
}

impl ScavengeState {
    /// A word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
        }
    }
}

/// Whether a scavenge was started, or another one is under way; its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Started {
    Now(Uuid),
    Before(Uuid),
}

impl Scavenges {
    /// Of a log; all of them end with `stop`.
    pub(crate) fn new(storage: Storage, stop: CancellationToken) -> Self {
        metrics::no_scavenge_yet();
        Self { storage, stop, newest: Arc::new(watch::Sender::new(None)) }
    }

    /// Starts one, unless one is under way.
    pub(crate) fn start(&self) -> Started {
        let (id, stop) = (Uuid::new_v4(), self.stop.child_token());
        let mut before = None;
        self.newest.send_if_modified(|newest| {
            before = under_way(newest).map(|scavenge| scavenge.id);
            if before.is_none() {
                let (at, state) = (Scavenging::default(), ScavengeState::Running);
                *newest = Some(Scavenge { id, at, state, stop: stop.clone() });
            }
            before.is_none()
        });
        if let Some(id) = before {
            return Started::Before(id);
        }
        metrics::scavenge_began();
        info!(scavenge = %id, "a scavenge begins");
        let scavenges = self.clone();
        tokio::task::spawn_blocking(move || scavenges.run(&stop));
        Started::Now(id)
    }

    /// Has one end soon; whether it is the one under way.
    pub(crate) fn stop(&self, id: Uuid) -> bool {
        let newest = self.newest.borrow();
        let named = under_way(&newest).filter(|scavenge| scavenge.id == id);
        named.inspect(|scavenge| scavenge.stop.cancel()).is_some()
    }

    /// The newest one, as it stands.
    pub(crate) fn newest(&self) -> Option<Scavenge> {
        self.newest.borrow().clone()
    }

    /// Waits until none is under way.
    pub(crate) async fn ended(&self) {
        let _ = self.newest.subscribe().wait_for(|newest| under_way(newest).is_none()).await;
    }

    fn run(&self, stop: &CancellationToken) {
        let mut before = Scavenged::default();
        let done = self.storage.scavenge(&mut |at| {
            metrics::scavenged(
                at.so_far.events_removed - before.events_removed,
                at.so_far.bytes_freed - before.bytes_freed,
            );
            before = at.so_far;
            self.change(|scavenge| scavenge.at = at);
            if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let state = match done {
            Ok(done) if done.was_stopped => ScavengeState::Stopped,
            Ok(_) => ScavengeState::Done,
            Err(StorageError::Closed) => ScavengeState::Stopped,
            Err(reason) => ScavengeState::Failed(reason.to_string()),
        };
        match &state {
            ScavengeState::Failed(reason) => error!(%reason, "the scavenge failed; nothing was lost"),
            state => info!(
                state = state.name(),
                removed = before.events_removed,
                freed = before.bytes_freed,
                "the scavenge has ended"
            ),
        }
        metrics::scavenge_ended(state.name());
        self.change(|scavenge| scavenge.state = state);
    }

    fn change(&self, change: impl FnOnce(&mut Scavenge)) {
        self.newest.send_modify(|newest| {
            if let Some(scavenge) = newest {
                change(scavenge);
            }
        });
    }
}

fn under_way(newest: &Option<Scavenge>) -> Option<&Scavenge> {
    newest.as_ref().filter(|scavenge| scavenge.state == ScavengeState::Running)
}

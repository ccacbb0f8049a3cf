//! The scavenges of a running node: one at a time, in a thread of its own, ended with the node.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use uuid::Uuid;

use crate::metrics;
use crate::storage::{Scavenged, Scavenging, Storage, StorageError};

/// Starts and ends scavenges, and tells how the newest one stands.
#[derive(Debug, Clone)]
pub(crate) struct Scavenges(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Storage,
    stop: CancellationToken,
    newest: Mutex<Option<Scavenge>>,
    running: watch::Sender<bool>,
}

#[derive(Debug, Clone)]
struct Scavenge {
    id: Uuid,
    stop: CancellationToken,
    at: Scavenging,
    state: ScavengeState,
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

/// The newest scavenge.
#[derive(Debug, Clone)]
pub(crate) struct ScavengeReport {
    pub id: Uuid,
    pub at: Scavenging,
    pub state: ScavengeState,
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
        let (running, _) = watch::channel(false);
        Self(Arc::new(Inner { storage, stop, newest: Mutex::default(), running }))
    }

    /// Starts one, unless one is under way.
    pub(crate) fn start(&self) -> Started {
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = newest.as_ref().filter(|scavenge| scavenge.state == ScavengeState::Running) {
            return Started::Before(running.id);
        }
        let (id, stop) = (Uuid::new_v4(), self.0.stop.child_token());
        *newest = Some(Scavenge {
            id,
            stop: stop.clone(),
            at: Scavenging::default(),
            state: ScavengeState::Running,
        });
        self.0.running.send_replace(true);
        metrics::scavenge_began();
        info!(scavenge = %id, "a scavenge begins");
        let scavenges = self.clone();
        tokio::task::spawn_blocking(move || scavenges.run(&stop));
        Started::Now(id)
    }

    /// Has one end soon; whether it is the one under way.
    pub(crate) fn stop(&self, id: Uuid) -> bool {
        let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(scavenge) = newest.as_ref() else { return false };
        let is_running = scavenge.id == id && scavenge.state == ScavengeState::Running;
        if is_running {
            scavenge.stop.cancel();
        }
        is_running
    }

    /// How the newest one stands.
    pub(crate) fn newest(&self) -> Option<ScavengeReport> {
        let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().map(|scavenge| ScavengeReport {
            id: scavenge.id,
            at: scavenge.at,
            state: scavenge.state.clone(),
        })
    }

    /// Waits until none is under way.
    pub(crate) async fn ended(&self) {
        let _ = self.0.running.subscribe().wait_for(|running| !running).await;
    }

    fn run(&self, stop: &CancellationToken) {
        let mut before = Scavenged::default();
        let done = self.0.storage.scavenge(&mut |at| {
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
        self.0.running.send_replace(false);
    }

    fn change(&self, change: impl FnOnce(&mut Scavenge)) {
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scavenge) = newest.as_mut() {
            change(scavenge);
        }
    }
}

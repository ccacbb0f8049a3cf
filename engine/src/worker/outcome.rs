//! What becomes of a term after a batch, and how it waits once it has stopped at an event.

use contract::LogPosition;
use contract::status::State;
use jiff::Timestamp;
use tokio::time::sleep;

use super::TermEnd;
use super::term::{HEARTBEAT, Term};
use crate::error::EngineError;
use crate::metrics;
use crate::parked::EventRef;
use crate::source::Undecodable;

pub(crate) enum Outcome {
    Written,
    /// Nothing was written: the batch goes again in smaller parts.
    Halved,
    /// Another worker has taken over.
    Superseded,
    /// The projection stops at an event.
    Stop(Stop),
}

/// Where and why a projection stops.
pub(crate) struct Stop {
    state: State,
    position: LogPosition,
    recorded_at: Timestamp,
    reason: String,
    event_type: String,
}

impl Stop {
    pub(crate) fn failed(event: &EventRef, reason: &str) -> Self {
        Self {
            state: State::Failed,
            position: event.position,
            recorded_at: event.recorded_at,
            reason: format!("{} in {} ({}): {reason}", event.event_type, event.stream, event.revision),
            event_type: event.event_type.clone(),
        }
    }

    pub(crate) fn needs_upgrade(undecodable: &Undecodable) -> Self {
        let stop = Self::failed(&undecodable.event, &undecodable.failure.to_string());
        Self { state: State::NeedsUpgrade, ..stop }
    }
}

impl<E: Send + Sync + 'static> Term<'_, E> {
    /// Says where and why the projection stopped, until the shutdown or until another worker takes over. One that
    /// needs a newer binary lets go of the lock, so that such a binary can.
    pub(super) async fn halt(&mut self, stop: Stop) -> Result<TermEnd, EngineError> {
        let (name, version) = (self.worker.projection.name, self.worker.version);
        tracing::error!(
            projection = name,
            version,
            position = stop.position.0,
            reason = stop.reason,
            "the projection stops"
        );
        if self.worker.is_active() {
            metrics::record_failed_event(name, &stop.event_type);
        }
        self.forget_buffered();
        self.end_dispatching().await;
        let mut let_go = false;
        loop {
            let is_shutdown = self.worker.shutdown.is_cancelled();
            let mut status = self.status(if is_shutdown { State::Stopped } else { stop.state }, 0);
            status.pending_since = Some(stop.recorded_at);
            status.lag_events = None;
            status.reason = Some(stop.reason.clone());
            status.failed_position = Some(stop.position);
            if !self.say(&status).await? {
                return Ok(if let_go { TermEnd::Retired } else { TermEnd::Superseded });
            }
            if is_shutdown {
                return Ok(TermEnd::Shutdown);
            }
            if stop.state == State::NeedsUpgrade && !let_go {
                self.session.unlock(name, version).await?;
                let_go = true;
            }
            tokio::select! {
                () = sleep(HEARTBEAT) => {}
                () = self.worker.shutdown.cancelled() => {}
            }
        }
    }
}

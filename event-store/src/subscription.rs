//! A subscription to the whole log that never loses, doubles or reorders an event.
//!
//! One task owns the client's subscription, whose `next` is not cancel-safe, and feeds a bounded channel, whose
//! `recv` is. It remembers the last position it passed on and subscribes again from there, with growing pauses,
//! whenever the connection goes; a reader that is slow slows the node, not our memory.

use std::time::Duration;

use contract::{LogIdentity, LogPosition};
use eventstore::{
    Error, Position, StreamPosition, SubscribeToAllOptions, SubscriptionEvent, SubscriptionFilter,
};
use tokio::sync::mpsc;

use crate::EventStore;
use crate::envelope::RecordedEvent;
use crate::error::said;
use crate::metrics;
use crate::retry::Backoff;

/// How long a fresh subscription may wait for the node's confirmation.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);

/// What a subscription tells.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is an event; a box for each would cost more than it saves"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum SubscriptionMessage {
    /// The next event.
    Event(RecordedEvent),
    /// Everything up to here was considered and none of it was asked for (a checkpoint of the node's filter).
    Considered(LogPosition),
    /// What follows is live. Comes again after a reconnect.
    CaughtUp,
    /// The connection is gone, for this reason; the subscription goes on behind the last event by itself.
    Reconnecting(String),
}

/// A running subscription; dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    messages: mpsc::Receiver<SubscriptionMessage>,
}

impl Subscription {
    /// The next message. Cancel-safe: a message is never lost by dropping this future. `None` only when the runtime
    /// is going down.
    pub async fn recv(&mut self) -> Option<SubscriptionMessage> {
        self.messages.recv().await
    }

    /// A message that is there already, without waiting.
    pub fn try_recv(&mut self) -> Option<SubscriptionMessage> {
        self.messages.try_recv().ok()
    }
}

impl EventStore {
    /// Subscribes to the log behind `after`: events of streams whose name begins with one of `prefixes` (all events,
    /// system events too, when there are none). At most `capacity` messages wait to be received.
    #[must_use]
    pub fn subscribe(&self, after: LogPosition, prefixes: Vec<String>, capacity: usize) -> Subscription {
        let (sender, messages) = mpsc::channel(capacity.max(1));
        let task = Task { store: self.clone(), prefixes, last: after, log: None, sender };
        // The task ends by itself when the receiver is dropped.
        self.connection.runtime().spawn(task.run());
        Subscription { messages }
    }
}

struct Task {
    store: EventStore,
    prefixes: Vec<String>,
    /// The last position passed on; a new subscription begins behind it.
    last: LogPosition,
    /// The log that `last` belongs to, known from the first connect on.
    log: Option<LogIdentity>,
    sender: mpsc::Sender<SubscriptionMessage>,
}

/// Why the task stops following one subscription of the client.
enum Interrupted {
    /// The receiver is gone.
    Dropped,
    /// The connection is, at that generation of the client.
    Lost { reason: String, generation: u64, error: Option<Error> },
}

impl Task {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let before = self.last;
            let Interrupted::Lost { reason, generation, error } = self.follow().await else {
                return;
            };
            metrics::record_reconnect();
            tracing::warn!(reason, after = self.last.0, "subscription interrupted, subscribing again");
            if self.sender.send(SubscriptionMessage::Reconnecting(reason)).await.is_err() {
                return;
            }
            if self.last > before {
                backoff = Backoff::new();
            }
            self.store.connection.failed(generation, error.as_ref()).await;
            let closed = tokio::time::timeout(backoff.pause(), self.sender.closed()).await.is_ok();
            if closed {
                return;
            }
        }
    }

    /// Follows one subscription of the client until it or the receiver is gone.
    async fn follow(&mut self) -> Interrupted {
        let current = self.store.connection.current();
        let generation = current.generation;
        let lost = |reason: String, error| Interrupted::Lost { reason, generation, error };
        if let Err(reason) = self.check_log().await {
            return lost(reason, None);
        }
        let mut subscription = current.client.subscribe_to_all(&self.options()).await;
        let mut confirmed = false;
        loop {
            let patience = if confirmed { Duration::MAX } else { CONFIRM_TIMEOUT };
            // The future is dropped only where the subscription is dropped with it.
            let next = tokio::select! {
                next = tokio::time::timeout(patience, subscription.next_subscription_event()) => next,
                () = self.sender.closed() => return Interrupted::Dropped,
            };
            let message = match next {
                Err(_elapsed) => return lost("the subscription was not confirmed in time".to_owned(), None),
                Ok(Err(error)) => return lost(said(&error), Some(error)),
                Ok(Ok(SubscriptionEvent::Confirmed(_))) => {
                    confirmed = true;
                    continue;
                }
                Ok(Ok(event)) => self.message(event),
            };
            if let Some(message) = message
                && self.sender.send(message).await.is_err()
            {
                return Interrupted::Dropped;
            }
        }
    }

    /// What to pass on of a message of the client; nothing that lies at or before the last position.
    fn message(&mut self, event: SubscriptionEvent) -> Option<SubscriptionMessage> {
        match event {
            SubscriptionEvent::EventAppeared(resolved) => {
                let event = resolved.get_original_event();
                let position = LogPosition(event.position.commit);
                (position > self.last).then(|| {
                    self.last = position;
                    SubscriptionMessage::Event(event.into())
                })
            }
            SubscriptionEvent::Checkpoint(position) => {
                let position = LogPosition(position.commit);
                (position > self.last).then(|| {
                    self.last = position;
                    SubscriptionMessage::Considered(position)
                })
            }
            SubscriptionEvent::CaughtUp => Some(SubscriptionMessage::CaughtUp),
            _ => None,
        }
    }

    /// A log put in the place of the one we were following must not be followed from the old one's position: it
    /// would silently begin in its middle, or wait behind its end.
    async fn check_log(&mut self) -> Result<(), String> {
        let now = self.store.read_identity().await.map_err(|error| error.to_string())?;
        match (self.log, now) {
            (Some(before), now) if now != Some(before) => {
                let now = now.map_or("one without identity".to_owned(), |now| now.to_string());
                Err(format!("the log {before} was replaced by another ({now})"))
            }
            (_, now) => {
                self.log = now;
                Ok(())
            }
        }
    }

    fn options(&self) -> SubscribeToAllOptions {
        let position = match self.last {
            LogPosition::START => StreamPosition::Start,
            LogPosition(at) => StreamPosition::Position(Position { commit: at, prepare: at }),
        };
        let options = SubscribeToAllOptions::default().position(position);
        if self.prefixes.is_empty() {
            return options;
        }
        let filter = SubscriptionFilter::on_stream_name();
        options.filter(self.prefixes.iter().fold(filter, |filter, prefix| filter.add_prefix(prefix)))
    }
}

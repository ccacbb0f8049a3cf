//! What a group writes to the log while it goes on with its work.

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

use super::system_streams::{self, SystemStreams};
use crate::consumer_group::Place;
use crate::storage::{AppendError, ProposedEvent, Storage};

const CHECKPOINT_TYPE: &str = "$SubscriptionCheckpoint";

/// A write that came to its end.
#[derive(Debug)]
pub(super) enum Written {
    /// The revision of the last of the parked events.
    Parked(Result<u64, AppendError>),
    Checkpoint(Result<Place, AppendError>),
    Truncated(Result<(), AppendError>),
}

/// The writes under way: at most one of each kind.
#[derive(Debug)]
pub(super) struct Writes {
    storage: Storage,
    streams: SystemStreams,
    under_way: FuturesUnordered<BoxFuture<'static, Written>>,
}

impl Writes {
    pub(super) fn new(storage: Storage, streams: SystemStreams) -> Self {
        Self { storage, streams, under_way: FuturesUnordered::new() }
    }

    pub(super) fn park(&self, events: Vec<ProposedEvent>) {
        let (storage, stream) = (self.storage.clone(), self.streams.parked.clone());
        self.under_way.push(
            async move {
                let parked = system_streams::append(&storage, &stream, events).await;
                Written::Parked(parked.map(|last| last.0))
            }
            .boxed(),
        );
    }

    /// Writes a checkpoint: a place, and its text.
    pub(super) fn checkpoint(&self, place: Place, text: &str) {
        let (storage, stream) = (self.storage.clone(), self.streams.checkpoint.clone());
        let text = serde_json::Value::from(text).to_string();
        let event = system_streams::event(CHECKPOINT_TYPE, true, &text, String::new());
        self.under_way.push(
            async move {
                let written = system_streams::append(&storage, &stream, vec![event]).await;
                Written::Checkpoint(written.map(|_| place))
            }
            .boxed(),
        );
    }

    /// Takes the parked events before a revision away.
    pub(super) fn truncate(&self, before: u64) {
        let (storage, stream) = (self.storage.clone(), self.streams.parked.clone());
        self.under_way.push(
            async move {
                Written::Truncated(system_streams::hide_before(&storage, &stream, before, false).await)
            }
            .boxed(),
        );
    }

    /// Whether any is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// The next that ends; waits for ever when there is none.
    pub(super) async fn next(&mut self) -> Written {
        match self.under_way.next().await {
            Some(written) => written,
            None => std::future::pending().await,
        }
    }

    /// One that has ended by now.
    pub(super) fn try_next(&mut self) -> Option<Written> {
        self.under_way.next().now_or_never().flatten()
    }
}

//! The items of one projection in order and without gap, whoever they come from.

use std::sync::Arc;

use contract::LogPosition;
use event_store::EventStore;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::catch_up::{CatchUp, Step};
use super::tail::Tail;
use super::{Head, Item, Wanted};
use crate::error::DecodeFailure;
use crate::event::Decoder;

/// The most steps that catching up reads ahead: the next batch, while the one before is written.
pub(crate) const READ_AHEAD: usize = 4096;

/// What all feeds of a process share.
pub(crate) struct Log<E> {
    pub(crate) store: EventStore,
    pub(crate) decoder: Arc<dyn Decoder<E>>,
    pub(crate) tail: Tail<E>,
    pub(crate) head: Head,
}

impl<E> Clone for Log<E> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            decoder: Arc::clone(&self.decoder),
            tail: self.tail.clone(),
            head: self.head.clone(),
        }
    }
}

enum Source<E> {
    CatchingUp { steps: mpsc::Receiver<Step<E>>, _reader: AbortOnDropHandle<()> },
    Live(mpsc::Receiver<Item<E>>),
}

/// What a feed gives.
pub(crate) enum Fed<E> {
    Item(Item<E>),
    /// It cannot go on for now, for this reason.
    Waiting(String),
    /// From here on live, or behind again.
    Changed,
}

pub(crate) struct Feed<E> {
    log: Log<E>,
    wanted: Wanted,
    /// Everything up to here was given.
    at: LogPosition,
    source: Source<E>,
}

impl<E: Send + Sync + 'static> Feed<E> {
    /// Everything behind `at`.
    pub(crate) fn behind(at: LogPosition, wanted: Wanted, log: Log<E>) -> Feed<E> {
        let source = catch_up(&log, wanted.clone(), at);
        Feed { log, wanted, at, source }
    }

    /// Whether events come from the live tail.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.source, Source::Live(_))
    }

    /// How many items wait at least, if that is all there are.
    pub(crate) fn waiting_live(&self) -> Option<usize> {
        match &self.source {
            Source::CatchingUp { .. } => None,
            Source::Live(items) => Some(items.len()),
        }
    }

    /// The next of what there is, waiting for it. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Fed<E> {
        loop {
            match &mut self.source {
                Source::CatchingUp { steps, .. } => match steps.recv().await {
                    Some(step) => {
                        if let Some(fed) = self.take_step(step) {
                            return fed;
                        }
                    }
                    // An event that needs a newer binary ended the reads, or the engine is going down: nothing follows.
                    None => std::future::pending().await,
                },
                Source::Live(items) => match items.recv().await {
                    Some(item) => {
                        if let Some(fed) = self.take_live(item) {
                            return fed;
                        }
                    }
                    None => return self.fall_back(),
                },
            }
        }
    }

    /// The next of what is there already.
    pub(crate) fn try_next(&mut self) -> Option<Fed<E>> {
        loop {
            let fed = match &mut self.source {
                Source::CatchingUp { steps, .. } => {
                    let step = steps.try_recv().ok()?;
                    self.take_step(step)
                }
                Source::Live(items) => {
                    let item = items.try_recv().ok()?;
                    self.take_live(item)
                }
            };
            if fed.is_some() {
                return fed;
            }
        }
    }

    fn take_step(&mut self, step: Step<E>) -> Option<Fed<E>> {
        match step {
            Step::Item(item) => self.take(item),
            Step::Waiting(reason) => Some(Fed::Waiting(reason)),
            Step::Joined(items) => {
                self.source = Source::Live(items);
                Some(Fed::Changed)
            }
        }
    }

    fn take_live(&mut self, item: Item<E>) -> Option<Fed<E>> {
        match &item {
            // Catching up tries again until it decodes; the tail has no time for that.
            Item::Undecodable(event) if matches!(event.failure, DecodeFailure::Retry(_)) => {
                Some(self.fall_back())
            }
            _ => self.take(item),
        }
    }

    /// Gives an item on, unless it was given before.
    fn take(&mut self, item: Item<E>) -> Option<Fed<E>> {
        // A page's end says nothing new when its last event was given; an event that fails stands at its own position.
        if item.position() <= self.at {
            return None;
        }
        self.at = item.position();
        Some(Fed::Item(item))
    }

    fn fall_back(&mut self) -> Fed<E> {
        self.source = catch_up(&self.log, self.wanted.clone(), self.at);
        Fed::Changed
    }
}

fn catch_up<E: Send + Sync + 'static>(log: &Log<E>, wanted: Wanted, at: LogPosition) -> Source<E> {
    let (sender, steps) = mpsc::channel(READ_AHEAD);
    let reader = CatchUp {
        store: log.store.clone(),
        decoder: Arc::clone(&log.decoder),
        tail: log.tail.clone(),
        head: log.head.clone(),
        wanted,
    };
    Source::CatchingUp { steps, _reader: AbortOnDropHandle::new(tokio::spawn(reader.run(at, sender))) }
}

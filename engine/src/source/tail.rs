//! The live tail: one subscription a process, each event decoded once and handed to the projections that are not
//! behind. One whose queue is full is let go: it catches up by its own reads and joins again.

use std::sync::Arc;

use event_store::{RecordedEvent, Subscription, SubscriptionMessage};
use tokio::sync::{mpsc, oneshot};

use super::{Head, Item, Wanted, decode};
use crate::event::Decoder;

/// The most items that wait for one projection.
const QUEUE_ITEMS: usize = 1024;

/// The most messages that wait for the tail itself.
pub(crate) const SUBSCRIPTION_MESSAGES: usize = 1024;

struct Join<E> {
    wanted: Wanted,
    queue: mpsc::Sender<Item<E>>,
    joined: oneshot::Sender<()>,
}

/// A handle by which projections join the tail.
pub(crate) struct Tail<E> {
    joins: mpsc::Sender<Join<E>>,
}

impl<E> Clone for Tail<E> {
    fn clone(&self) -> Self {
        Self { joins: self.joins.clone() }
    }
}

impl<E: Send + Sync + 'static> Tail<E> {
    /// The handle, and the task that serves it until the subscription or the last handle is gone.
    pub(crate) fn new(
        subscription: Subscription,
        decoder: Arc<dyn Decoder<E>>,
        head: Head,
    ) -> (Tail<E>, impl Future<Output = ()> + Send) {
        let (joins, requests) = mpsc::channel(1);
        let task = Task { subscription, decoder, head, followers: Vec::new() };
        (Tail { joins }, task.run(requests))
    }

    /// Joins: everything that the tail receives from now on goes into the queue, until it is full. What was in the
    /// log before this returns is for the caller to read. `None` when the tail has ended.
    pub(crate) async fn join(&self, wanted: Wanted) -> Option<mpsc::Receiver<Item<E>>> {
        let (queue, items) = mpsc::channel(QUEUE_ITEMS);
        let (joined, done) = oneshot::channel();
        self.joins.send(Join { wanted, queue, joined }).await.ok()?;
        done.await.ok()?;
        Some(items)
    }
}

struct Task<E> {
    subscription: Subscription,
    decoder: Arc<dyn Decoder<E>>,
    head: Head,
    followers: Vec<Follower<E>>,
}

struct Follower<E> {
    wanted: Wanted,
    queue: mpsc::Sender<Item<E>>,
}

impl<E: Send + Sync + 'static> Task<E> {
    async fn run(mut self, mut requests: mpsc::Receiver<Join<E>>) {
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some(Join { wanted, queue, joined }) = request else { return };
                    self.followers.push(Follower { wanted, queue });
                    // Who asked may have gone meanwhile; its queue is closed then and leaves with the next item.
                    let _ = joined.send(());
                }
                message = self.subscription.recv() => match message {
                    Some(SubscriptionMessage::Event(record)) => self.hand_out(record).await,
                    Some(SubscriptionMessage::Considered(position)) => {
                        self.head.saw(position);
                        self.followers.retain(|follower| offer(&follower.queue, Item::Considered(position)));
                    }
                    Some(SubscriptionMessage::CaughtUp | SubscriptionMessage::Reconnecting(_)) => {}
                    None => return,
                },
            }
        }
    }

    async fn hand_out(&mut self, record: RecordedEvent) {
        let position = record.position;
        self.head.saw(position);
        let asides: Vec<Option<Item<E>>> =
            self.followers.iter().map(|follower| follower.wanted.without_decoding(&record)).collect();
        let is_wanted = asides.iter().any(Option::is_none);
        let item = if is_wanted { decode(&*self.decoder, record).await } else { Item::Passed(position) };
        let mut asides = asides.into_iter();
        self.followers.retain(|follower| {
            let aside = asides.next().flatten();
            offer(&follower.queue, aside.unwrap_or_else(|| item.clone()))
        });
    }
}

/// Whether the follower stays. An item that only moves checkpoints may be left out: the next one says the same.
fn offer<E>(queue: &mpsc::Sender<Item<E>>, item: Item<E>) -> bool {
    let dispensable = matches!(item, Item::Passed(_) | Item::Considered(_));
    match queue.try_send(item) {
        Ok(()) => true,
        Err(mpsc::error::TrySendError::Full(_)) => dispensable,
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    }
}

//! A projection's own reads, from where it stands to the live tail.

use std::sync::Arc;
use std::time::Duration;

use contract::LogPosition;
use event_store::EventStore;
use tokio::sync::mpsc;

use super::tail::Tail;
use super::{Head, Item, Wanted, decode};
use crate::error::DecodeFailure;
use crate::event::Decoder;

/// The most events considered by one read.
const PAGE_EVENTS: usize = 1000;

/// How long to wait before reading or decoding again what failed: doubled each time from the first to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LAST: Duration = Duration::from_secs(2);

/// What catching up yields.
pub(crate) enum Step<E> {
    Item(Item<E>),
    /// It cannot go on for now, for this reason.
    Waiting(String),
    /// The end of the log was reached: the rest comes by this queue, which may repeat the last items.
    Joined(mpsc::Receiver<Item<E>>),
}

pub(crate) struct CatchUp<E> {
    pub(crate) store: EventStore,
    pub(crate) decoder: Arc<dyn Decoder<E>>,
    pub(crate) tail: Tail<E>,
    pub(crate) head: Head,
    pub(crate) wanted: Wanted,
}

impl<E: Send + Sync + 'static> CatchUp<E> {
    /// Reads from behind `at` until the tail is joined, an event needs a newer binary, or nobody takes the steps.
    pub(crate) async fn run(self, mut at: LogPosition, steps: mpsc::Sender<Step<E>>) {
        let prefixes = self.wanted.prefixes();
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let mut pause = PAUSE_FIRST;
        let mut joined = None;
        loop {
            let page = match self.store.read_all(at, &prefixes, PAGE_EVENTS).await {
                Ok(page) => page,
                Err(error) => {
                    if steps.send(Step::Waiting(error.to_string())).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_LAST);
                    continue;
                }
            };
            pause = PAUSE_FIRST;
            self.head.saw(page.considered);
            for record in page.events {
                let item = match self.wanted.without_decoding(&record) {
                    Some(item) => item,
                    None => match self.decode_until_known(record, &steps).await {
                        Some(item) => item,
                        None => return,
                    },
                };
                let ends = matches!(&item, Item::Undecodable(event) if event.needs_upgrade());
                if steps.send(Step::Item(item)).await.is_err() || ends {
                    return;
                }
            }
            if page.considered > at && steps.send(Step::Item(Item::Passed(page.considered))).await.is_err() {
                return;
            }
            at = page.considered;
            if !page.is_end {
                continue;
            }
            // What came between this read and the joining is read once more, so that nothing falls between.
            match joined.take() {
                Some(items) => {
                    let _ = steps.send(Step::Joined(items)).await;
                    return;
                }
                None => joined = self.tail.join(self.wanted.clone()).await,
            }
            if joined.is_none() {
                return;
            }
        }
    }

    /// Decodes, again and again while that may help; `None` when nobody waits for it any more.
    async fn decode_until_known(
        &self,
        record: event_store::RecordedEvent,
        steps: &mpsc::Sender<Step<E>>,
    ) -> Option<Item<E>> {
        let mut pause = PAUSE_FIRST;
        loop {
            let item = decode(&*self.decoder, record.clone()).await;
            let Item::Undecodable(undecodable) = &item else { return Some(item) };
            let DecodeFailure::Retry(reason) = &undecodable.failure else { return Some(item) };
            let position = undecodable.event.position;
            steps.send(Step::Waiting(format!("position {position}: {reason}"))).await.ok()?;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LAST);
        }
    }
}

//! A subscription to one stream: a confirmation, everything after its start, one word that it has caught up, and then
//! what comes. It reads the log like any reader, so a slow client holds up nobody and costs no memory.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::read_stream::{PAGE_BYTES, PAGE_EVENTS, stream_text};
use super::respond::{self, Form};
use super::{blocking, refuse};
use crate::metrics::SubscriptionCount;
use crate::proto::streams::ReadResp;
use crate::proto::streams::read_req::options::StreamOptions;
use crate::proto::streams::read_req::options::stream_options::RevisionOption;
use crate::storage::{Direction, Head, Revision, Storage, StreamWatch};

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    CatchingUp,
    Live,
    /// Its stream was deleted for good, and that was shown.
    Ended,
}

/// A subscription to one stream under way.
pub(super) struct StreamSubscription {
    storage: Storage,
    stop: CancellationToken,
    head: watch::Receiver<Head>,
    stream: String,
    watch: StreamWatch,
    next: Revision,
    /// Whether the last page was not the end of the stream: only from there on can it be told from memory whether it
    /// has grown.
    has_more: bool,
    form: Form,
    phase: Phase,
    _count: SubscriptionCount,
}

impl StreamSubscription {
    /// A subscription as asked: from the start, after a revision, or after what is there now.
    pub(super) async fn new(
        storage: &Storage,
        stop: &CancellationToken,
        options: &StreamOptions,
        form: Form,
    ) -> Result<Self, Status> {
        let stream = stream_text(options)?;
        let (opened, name) = (storage.clone(), stream.clone());
        blocking(move || opened.refuse_deleted(&name)).await?;
        let next = match options.revision_option {
            Some(RevisionOption::Start(())) | None => Revision(0),
            Some(RevisionOption::Revision(revision)) => Revision(revision.saturating_add(1)),
            Some(RevisionOption::End(())) => {
                let (storage, stream) = (storage.clone(), stream.clone());
                let last = blocking(move || storage.last_revision(&stream)).await?;
                Revision(last.map_or(0, |last| last.0 + 1))
            }
        };
        Ok(Self {
            head: storage.head(),
            watch: storage.watch_stream(&stream),
            storage: storage.clone(),
            stop: stop.clone(),
            stream,
            next,
            has_more: true,
            form,
            phase: Phase::Starting,
            _count: SubscriptionCount::new("stream"),
        })
    }

    /// The next messages; waits for them.
    pub(super) async fn next(&mut self) -> Result<Vec<ReadResp>, Status> {
        if self.phase == Phase::Starting {
            self.phase = Phase::CatchingUp;
            return Ok(vec![respond::confirmation()]);
        }
        loop {
            if self.phase == Phase::Ended {
                return Err(refuse::stream_deleted(&self.stream));
            }
            self.head.borrow_and_update();
            if self.has_more || self.storage.may_have_grown(&mut self.watch, self.next) {
                let events = self.read().await?;
                if !events.is_empty() {
                    return Ok(events);
                }
            }
            if self.phase == Phase::CatchingUp {
                self.phase = Phase::Live;
                return Ok(vec![respond::caught_up()]);
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(refuse::stopping()),
                changed = self.head.changed() => changed.map_err(|_| refuse::stopping())?,
            }
        }
    }

    /// A page from `next` on, past pages of which every event is hidden.
    async fn read(&mut self) -> Result<Vec<ReadResp>, Status> {
        loop {
            let (storage, stream, from, form) =
                (self.storage.clone(), self.stream.clone(), self.next, self.form);
            let page = blocking(move || {
                // Looked for first: what is before it is then to be seen.
                let tombstone = storage.tombstone(&stream)?;
                let direction = Direction::Forwards;
                let page =
                    storage.follow_stream(&stream, from, direction, PAGE_EVENTS as usize, PAGE_BYTES)?;
                let (records, next, last) =
                    page.map_or((Vec::new(), None, None), |page| (page.records, page.next, Some(page.last)));
                let is_over = next.is_none() && tombstone.is_some();
                let records = records.into_iter().chain(tombstone.filter(|_| is_over));
                let events = records.map(|record| respond::event(&storage, record, form));
                Ok((events.collect::<Result<Vec<_>, _>>()?, next, last, is_over))
            });
            let (events, next, last, is_over) = page.await?;
            if is_over {
                self.phase = Phase::Ended;
            }
            self.has_more = next.is_some();
            if let Some(last) = last {
                self.next = next.unwrap_or(Revision(self.next.0.max(last.0 + 1)));
            }
            if !events.is_empty() || next.is_none() {
                return Ok(events);
            }
        }
    }
}

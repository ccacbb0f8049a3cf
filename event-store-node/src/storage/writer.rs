//! The one writer: takes everything that is queued, writes it in one piece, syncs once, and only then answers all of it.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use contract::LogPosition;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tracing::error;

use super::append::{AppendOutcome, Revision, StreamName};
use super::disk::DiskFile;
use super::flush::Flusher;
use super::group::{Group, GroupView};
use super::index::Index;
use super::known::KnownStreams;
use super::log::Log;
use super::plan::{Change, Plan};
use super::prepare::NextSegment;
use super::recent::RecentIds;
use super::record;
use super::segment::Segment;
use super::statistics::Counts;
use super::store::Head;
use super::tail::Tail;
use super::{AppendError, StorageError, StreamKey};
use crate::metrics;

/// A group is written when it has this many bytes, even if more is queued.
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;
/// How many appends are taken from the queue at once.
const MAX_GROUP_APPENDS: usize = 4096;

pub(crate) type Reply = oneshot::Sender<Result<AppendOutcome, AppendError>>;

/// What the writer is asked for.
#[derive(Debug)]
pub(crate) enum Job {
    /// An append or a deletion.
    Change(Waiting),
    /// The end: what came before is still answered.
    Close,
}

/// A change that waits to be written.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub change: Change,
    pub reply: Reply,
    /// Its share of the memory for what waits.
    pub _permit: OwnedSemaphorePermit,
}

/// The parts that readers share with the writer.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub log: Arc<Log>,
    pub index: Arc<Index>,
    pub tail: Arc<RwLock<Tail>>,
    pub counts: Arc<Counts>,
}

impl Shared {
    /// What the index knows a stream by.
    pub(crate) fn key(&self, stream: &StreamName) -> StreamKey {
        StreamKey::new(self.log.store, stream.as_str().as_bytes())
    }
}

/// The writer's own state.
pub(crate) struct Writer {
    pub shared: Shared,
    /// The segment that is written to, and its file.
    pub segment: Segment,
    pub file: Arc<dyn DiskFile>,
    /// Where the next record goes.
    pub at: u64,
    pub next: NextSegment,
    pub recent: RecentIds,
    pub known: KnownStreams,
    pub flusher: Flusher,
    pub head: watch::Sender<Head>,
    /// Why nothing is written any more.
    pub failed: Option<String>,
    /// Held as long as the writer may touch the directory.
    pub lock: Box<dyn Any + Send + Sync>,
}

impl Writer {
    /// Serves the queue until it ends.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        'serve: while queue.blocking_recv_many(&mut jobs, MAX_GROUP_APPENDS) > 0 {
            let mut waiting = VecDeque::with_capacity(jobs.len());
            let mut closing = false;
            for job in jobs.drain(..) {
                match job {
                    Job::Change(change) if !closing => waiting.push_back(change),
                    Job::Change(change) => stopped(change.reply, "the node is stopping"),
                    Job::Close => closing = true,
                }
            }
            while !waiting.is_empty() {
                self.write_group(&mut waiting);
            }
            if closing {
                break 'serve;
            }
        }
        queue.close();
        let Self { flusher, shared, failed, next, lock, .. } = self;
        drop(next);
        if failed.is_none() {
            flusher.finish(&shared.tail);
        } else {
            flusher.give_up();
        }
        shared.index.close();
        drop(lock);
    }

    fn write_group(&mut self, waiting: &mut VecDeque<Waiting>) {
        self.known.forget_if_many();
        let mut group = Group::new(self.at);
        while let Some(next) = waiting.pop_front() {
            match self.stage(&mut group, &next.change) {
                Some(result) => group.replies.push((next.reply, result)),
                None => {
                    waiting.push_front(next);
                    break;
                }
            }
        }
        if let Err(error) = self.commit(&group) {
            self.fail(&error);
        }
        for (reply, result) in group.replies {
            // A client that has gone away does not need the answer.
            let _ = reply.send(match &self.failed {
                Some(reason) => Err(AppendError::Stopped(reason.clone())),
                None => result,
            });
        }
    }

    /// Decides on a change and puts its records into the group; `None` when they belong into the next one.
    fn stage(&mut self, group: &mut Group, change: &Change) -> Option<Result<AppendOutcome, AppendError>> {
        if let Some(reason) = &self.failed {
            return Some(Err(AppendError::Stopped(reason.clone())));
        }
        self.try_stage(group, change).unwrap_or_else(|error| {
            // A stream whose past cannot be read takes no appends; the others still do.
            error!(%error, "an append could not be decided");
            Some(Err(AppendError::Stopped(error.to_string())))
        })
    }

    fn try_stage(
        &mut self,
        group: &mut Group,
        change: &Change,
    ) -> Result<Option<Result<AppendOutcome, AppendError>>, StorageError> {
        let view = GroupView { shared: &self.shared, group, recent: &self.recent };
        let parts = match change.plan(&view, &mut self.known)? {
            Plan::Answer(outcome) => return Ok(Some(Ok(outcome))),
            Plan::Write(parts) => parts,
        };
        let bound: u64 = parts.iter().map(|part| record::encoded_bound(&part.stream, &part.events)).sum();
        let group_is_full = group.bytes.len() as u64 + bound > MAX_GROUP_BYTES as u64;
        let segment_is_full = group.end() + bound > self.segment.limit();
        if (group_is_full || segment_is_full) && !group.is_empty() {
            return Ok(None);
        }
        let room = self.next.capacity();
        if bound > room {
            return Ok(Some(Err(AppendError::TooLarge { limit: room })));
        }
        // The segment that an earlier run left prepared may be smaller than those of now.
        while group.end() + bound > self.segment.limit() {
            self.roll(group)?;
        }
        let position = group.append(&parts).map(LogPosition);
        for part in &parts {
            self.known.note(&self.shared, part);
        }
        let Some(answered) = parts.first() else { return Ok(None) };
        let written: usize = parts.iter().map(|part| part.events.len()).sum();
        let written = &group.events[group.events.len() - written..];
        for event in &written[..answered.events.len()] {
            self.recent.insert(event.key, event.id, event.revision, event.position);
        }
        let revision = Some(Revision(answered.first + answered.events.len() as u64 - 1));
        Ok(Some(Ok(AppendOutcome::Appended { revision, position })))
    }

    /// Goes on in the next segment. The group has written nothing yet.
    fn roll(&mut self, group: &mut Group) -> Result<(), StorageError> {
        let taken = self.next.take(self.segment.limit());
        let (next, file) = taken.inspect_err(|error| self.fail(error))?;
        let sealed = (self.segment.base, self.at);
        self.shared.log.end_segment(sealed.0, sealed.1);
        self.shared.log.add_segment(next);
        self.tail(|tail| tail.active.sealed.push(sealed));
        self.at = next.first();
        self.segment = next;
        self.file = file;
        group.restart(self.at);
        Ok(())
    }

    /// Writes and syncs a group, then makes it readable.
    fn commit(&mut self, group: &Group) -> Result<(), StorageError> {
        if self.failed.is_some() || group.bytes.is_empty() {
            return Ok(());
        }
        let path = self.segment.path(&self.shared.log.dir);
        let began = Instant::now();
        self.file
            .write_at(&group.bytes, group.start - self.segment.base)
            .map_err(|error| StorageError::io("write", &path, error))?;
        let written = Instant::now();
        self.file.sync().map_err(|error| StorageError::io("sync", &path, error))?;
        let (appends, events, bytes) = (group.replies.len(), group.events.len(), group.bytes.len());
        let sync = written.elapsed();
        metrics::group_written(appends, events, bytes, written - began, sync);
        self.shared.counts.group_written(appends, events, bytes, sync);
        self.at = group.end();
        self.publish(group);
        self.flush_when_due()?;
        let filled = self.at - self.segment.base;
        if filled > self.segment.size / 2 {
            self.next.prepare(self.segment.limit());
        }
        Ok(())
    }

    fn publish(&mut self, group: &Group) {
        let end = group.end();
        self.tail(|tail| {
            for event in &group.events {
                tail.active.push(event.key, event.revision, event.position);
            }
            tail.active.end = end;
            // Under the lock of the tail: no reader finds an event by its stream that cannot be read yet, and whoever
            // has read one from the log finds it by its stream as well.
            self.shared.log.commit(end);
        });
        let last = LogPosition(group.last_position().unwrap_or_default());
        metrics::head(last.0);
        self.head.send_replace(Head { end: super::Boundary(end), last });
    }

    fn flush_when_due(&mut self) -> Result<(), StorageError> {
        self.flusher.flush_when_due(&self.shared.tail)
    }

    fn tail<T>(&self, change: impl FnOnce(&mut Tail) -> T) -> T {
        change(&mut self.shared.tail.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// After a failed write or sync nothing is known of what is on disk, so nothing more is acknowledged.
    fn fail(&mut self, error: &StorageError) {
        error!(%error, "the log cannot be written; appends are refused until the node is restarted");
        metrics::writer_failed(true);
        self.shared.counts.writer_failed();
        self.failed = Some(error.to_string());
    }
}

fn stopped(reply: Reply, why: &str) {
    let _ = reply.send(Err(AppendError::Stopped(why.to_owned())));
}

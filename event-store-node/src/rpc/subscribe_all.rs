//! A subscription to everything, filtered or not. A filtered one tells with checkpoints how far it has come, so that a
//! client can resume past what it was not shown.

use std::ops::ControlFlow;
use std::sync::Arc;

use contract::LogPosition;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::read_stream::PAGE_BYTES;
use super::respond::{self, Form};
use super::subscribe_stream::Phase;
use super::{blocking, refuse};
use crate::filter::Filter;
use crate::metrics::SubscriptionCount;
use crate::persistent::is_hidden_from_all;
use crate::proto::streams::ReadResp;
use crate::proto::streams::read_req::options::all_options::AllOption;
use crate::storage::{Boundary, Head, Record, Storage};

/// When a filtered subscription tells how far it has come: after so many events considered, and when it goes live.
#[derive(Debug, Clone)]
pub(super) struct Checkpoints {
    interval: u64,
    considered: u64,
    last_considered: Option<LogPosition>,
    last_sent: Option<LogPosition>,
}

impl Checkpoints {
    /// One in `interval` events.
    pub(super) fn new(interval: u64) -> Self {
        Self { interval, considered: 0, last_considered: None, last_sent: None }
    }

    /// Counts an event; gives its position when a checkpoint is due after it.
    fn consider(&mut self, position: LogPosition) -> Option<LogPosition> {
        self.considered += 1;
        self.last_considered = Some(position);
        if self.considered < self.interval { None } else { self.take() }
    }

    /// The position to tell now, unless it was told already.
    fn take(&mut self) -> Option<LogPosition> {
        self.considered = 0;
        let position = self.last_considered.filter(|position| Some(*position) > self.last_sent)?;
        self.last_sent = Some(position);
        Some(position)
    }
}

/// A subscription to everything under way.
pub(super) struct AllSubscription {
    storage: Storage,
    stop: CancellationToken,
    head: watch::Receiver<Head>,
    next: Boundary,
    /// Events up to here are not shown; matters only to who resumes from beyond the end.
    after: LogPosition,
    filter: Option<Arc<Filter>>,
    checkpoints: Option<Checkpoints>,
    form: Form,
    phase: Phase,
    _count: SubscriptionCount,
}

impl AllSubscription {
    /// A subscription as asked: from the start, after a position, or after what is there now.
    pub(super) async fn new(
        storage: &Storage,
        stop: &CancellationToken,
        from: Option<AllOption>,
        filter: Option<(Filter, Checkpoints)>,
        form: Form,
    ) -> Result<Self, Status> {
        let head = storage.head();
        let (next, after) = match from {
            Some(AllOption::Start(())) | None => (Boundary::START, LogPosition::START),
            Some(AllOption::End(())) => (head.borrow().end, LogPosition::START),
            Some(AllOption::Position(position)) => {
                let storage = storage.clone();
                let after = LogPosition(position.commit_position);
                (blocking(move || storage.boundary_after(after)).await?, after)
            }
        };
        let (filter, checkpoints) = filter.unzip();
        Ok(Self {
            storage: storage.clone(),
            stop: stop.clone(),
            head,
            next,
            after,
            filter: filter.map(Arc::new),
            checkpoints,
            form,
            phase: Phase::Starting,
            _count: SubscriptionCount::new("all"),
        })
    }

    /// The next messages; waits for them.
    pub(super) async fn next(&mut self) -> Result<Vec<ReadResp>, Status> {
        if self.phase == Phase::Starting {
            self.phase = Phase::CatchingUp;
            return Ok(vec![respond::confirmation()]);
        }
        loop {
            let end = self.head.borrow_and_update().end;
            if self.next < end {
                let messages = self.read().await?;
                if messages.is_empty() && !self.stop.is_cancelled() {
                    continue;
                }
                return if messages.is_empty() { Err(refuse::stopping()) } else { Ok(messages) };
            }
            if self.phase == Phase::CatchingUp {
                self.phase = Phase::Live;
                let checkpoint = self.checkpoints.as_mut().and_then(Checkpoints::take);
                let checkpoint = checkpoint.map(respond::checkpoint);
                return Ok(checkpoint.into_iter().chain([respond::caught_up()]).collect());
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(refuse::stopping()),
                changed = self.head.changed() => changed.map_err(|_| refuse::stopping())?,
            }
        }
    }

    /// A page from `next` on, with the checkpoints due in it.
    async fn read(&mut self) -> Result<Vec<ReadResp>, Status> {
        let (storage, from, after, form) = (self.storage.clone(), self.next, self.after, self.form);
        let filter = self.filter.clone();
        let mut checkpoints = self.checkpoints.clone();
        let (messages, checkpoints, scanned) = blocking(move || {
            let mut page = Ok(Vec::new());
            let scanned = storage.scan_forwards(from, PAGE_BYTES as u64, |record| {
                let Ok(messages) = &mut page else { return ControlFlow::Break(()) };
                if record.position <= after || is_hidden_from_all(&record.stream) {
                    return ControlFlow::Continue(());
                }
                match show(&storage, record, filter.as_deref(), checkpoints.as_mut(), form) {
                    Ok(shown) => {
                        messages.extend(shown.into_iter().flatten());
                        ControlFlow::Continue(())
                    }
                    Err(status) => {
                        page = Err(status);
                        ControlFlow::Break(())
                    }
                }
            })?;
            Ok((page, checkpoints, scanned))
        })
        .await?;
        self.checkpoints = checkpoints;
        self.next = scanned.next;
        messages
    }
}

/// An event if the filter shows it, and a checkpoint if one is due after it.
fn show(
    storage: &Storage,
    record: Record,
    filter: Option<&Filter>,
    checkpoints: Option<&mut Checkpoints>,
    form: Form,
) -> Result<[Option<ReadResp>; 2], Status> {
    let position = record.position;
    let is_shown = filter.map_or(Ok(true), |filter| filter.shows(&record));
    let event = if is_shown.map_err(|error| refuse::invalid(error.to_string()))? {
        Some(respond::event(storage, record, form).map_err(|error| refuse::storage(&error))?)
    } else {
        None
    };
    let checkpoint = checkpoints.and_then(|checkpoints| checkpoints.consider(position));
    Ok([event, checkpoint.map(respond::checkpoint)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_come_once_an_interval_and_never_twice() {
        let mut checkpoints = Checkpoints::new(3);
        let due: Vec<_> = (1..=7).map(|at| checkpoints.consider(LogPosition(at))).collect();
        let at = |position| Some(LogPosition(position));
        assert_eq!(due, [None, None, at(3), None, None, at(6), None]);
        assert_eq!(checkpoints.take(), at(7), "what was considered since the last one");
        assert_eq!(checkpoints.take(), None, "nothing since then");
    }
}

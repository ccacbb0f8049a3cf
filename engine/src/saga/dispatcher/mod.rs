//! Sends what stands in the outboxes of a saga, from when the fold has reached the head of its term's beginning until
//! the term ends. The worker's term tells it of each row that it writes and reads the table for it.

mod book;
mod outbox;
mod row;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::book::{Book, COMMANDS_KNOWN_MAX, Now};
pub(crate) use self::outbox::OutboxRow;
pub(crate) use self::sweep::{PageEnd, PageWanted};
use super::{Courier, DispatchError};
use crate::metrics;

/// The most commands of a saga's projection that are under way at once.
const IN_FLIGHT_MAX: usize = 128;

/// How long commands under way may take to end when the term ends. They are sent again if they do not.
const GRACE: Duration = Duration::from_secs(2);

/// How often to look whatever happens.
const IDLE: Duration = Duration::from_secs(30);

/// A dispatcher at work. Dropped, it leaves what is under way where it is.
pub(crate) struct Dispatcher {
    desk: Arc<Desk>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// Between the term and the dispatcher's task.
struct Desk {
    book: Mutex<Book>,
    /// The term has told something.
    told: Notify,
    /// The term is to read a page.
    page_wanted: Notify,
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dispatcher {
    /// Begins with nothing known; the first page is wanted at once.
    pub(crate) fn begin(saga: &'static str, courier: Arc<dyn Courier>) -> Self {
        let desk = Arc::new(Desk {
            book: Mutex::new(Book::new(COMMANDS_KNOWN_MAX, Now::read())),
            told: Notify::new(),
            page_wanted: Notify::new(),
        });
        metrics::record_dispatcher(saga);
        let stop = CancellationToken::new();
        let task = Task {
            saga,
            courier,
            desk: Arc::clone(&desk),
            stop: stop.clone(),
            in_flight: JoinSet::new(),
            sent: HashMap::new(),
        };
        Self { desk, stop, task: AbortOnDropHandle::new(tokio::spawn(task.run())) }
    }

    /// A transaction wrote these rows.
    pub(crate) fn written(&self, rows: impl Iterator<Item = OutboxRow>) {
        let now = Now::read();
        let mut book = self.desk.book();
        rows.for_each(|row| book.written(row, now));
        drop(book);
        self.desk.told.notify_one();
    }

    /// What is to be read from the table now, if anything.
    pub(crate) fn page_wanted(&self) -> Option<PageWanted> {
        self.desk.book().page_wanted(Now::read())
    }

    /// What was read; nothing was written since.
    pub(crate) fn page(&self, rows: Vec<OutboxRow>, end: PageEnd) {
        self.desk.book().page(rows, end, Now::read());
        self.desk.told.notify_one();
    }

    /// Waits until a page may be wanted. Cancel-safe.
    ///
    /// # Errors
    /// The task panicked, which is a bug.
    pub(crate) async fn wants_page(&mut self) -> Result<(), JoinError> {
        tokio::select! {
            () = self.desk.page_wanted.notified() => Ok(()),
            ended = &mut self.task => ended,
        }
    }

    /// Sends nothing more, and waits a little for what is under way.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        // A finished task was waited for before, and then it panicked.
        if !self.task.is_finished()
            && let Err(error) = self.task.await
        {
            tracing::error!(%error, "a dispatcher ended by a panic");
        }
    }
}

struct Task {
    saga: &'static str,
    courier: Arc<dyn Courier>,
    desk: Arc<Desk>,
    stop: CancellationToken,
    in_flight: JoinSet<Result<(), DispatchError>>,
    /// By task: of which row, which command.
    sent: HashMap<Id, (Uuid, Uuid)>,
}

impl Task {
    async fn run(mut self) {
        while !self.stop.is_cancelled() {
            let wake = self.send();
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.desk.told.notified() => {}
                () = sleep_until(wake) => {}
                Some(done) = self.in_flight.join_next_with_id() => self.settle(done),
            }
            while let Some(done) = self.in_flight.try_join_next_with_id() {
                self.settle(done);
            }
        }
        let _ = timeout(GRACE, async { while self.in_flight.join_next().await.is_some() {} }).await;
    }

    /// Sends what can be sent, and says when to look again.
    fn send(&mut self) -> Instant {
        let now = Now::read();
        let desk = Arc::clone(&self.desk);
        let mut book = desk.book();
        book.wake(now);
        while self.in_flight.len() < IN_FLIGHT_MAX
            && let Some((saga_id, entry)) = book.next()
        {
            let (saga, courier, command_id) = (self.saga, Arc::clone(&self.courier), entry.command_id);
            let task = self.in_flight.spawn(async move {
                let begun = Instant::now();
                let outcome = courier.send(saga_id, &entry).await;
                metrics::record_dispatch(saga, entry.not_before.is_some(), &outcome, begun.elapsed());
                outcome
            });
            self.sent.insert(task.id(), (saga_id, command_id));
        }
        if book.page_wanted(now).is_some() {
            desk.page_wanted.notify_one();
        }
        metrics::record_in_flight(self.saga, self.in_flight.len());
        let wakes = [book.next_timer(), book.wanted_at()];
        wakes.into_iter().flatten().fold(now.instant + IDLE, Instant::min)
    }

    fn settle(&mut self, done: Result<(Id, Result<(), DispatchError>), JoinError>) {
        let (task, outcome) = match done {
            Ok(done) => done,
            Err(error) => {
                let outcome = Err(DispatchError::Failed("the dispatch panicked".to_owned()));
                metrics::record_dispatch_panic(self.saga);
                (error.id(), outcome)
            }
        };
        let Some((saga_id, command_id)) = self.sent.remove(&task) else { return };
        let tries = self.desk.book().settle(saga_id, command_id, &outcome, Now::read());
        // What goes on failing is told ever more seldom.
        if let Err(DispatchError::Failed(reason)) = outcome
            && tries.is_power_of_two()
        {
            tracing::warn!(saga = self.saga, %saga_id, %command_id, tries, reason, "a command is sent again");
        }
    }
}

//! What a worker carries out at once, and how: fold, write, and park what can be neither folded nor written.

use std::collections::HashSet;
use std::sync::Arc;

use contract::LogPosition;
use observability::span;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::outcome::{Outcome, Stop};
use super::term::Term;
use super::{refusal, trace};
use crate::checksum::Checksums;
use crate::error::EngineError;
use crate::event::Recorded;
use crate::fold::batch::{Folded, fold_batch};
use crate::fold::{Change, FailedFold};
use crate::metrics;
use crate::parked::decision::PlaceName;
use crate::parked::{EventRef, NewlyParked, PLACES_MAX, Parked, Place, Stuck, Turn, WAITING_MAX, Waiting};
use crate::source::{Item, Undecodable};
use crate::write::commit::{BatchWrite, WriteError, commit};
use crate::write::moments::Moments;
use crate::write::parked::Retried;
use crate::write::refused::{is_of_the_data, why_refused};
use crate::write::rows::Rows;
use crate::write::sql;

/// Events that are folded and written in one transaction.
pub(super) struct Batch<E> {
    pub(super) events: Vec<Arc<Recorded<E>>>,
    /// What of it is not folded.
    pub(super) stuck: Stuck,
    /// What is parked once it is written.
    pub(super) parked: Arc<Parked>,
    /// The checkpoint after it.
    pub(super) end: LogPosition,
    /// How many items of the buffer it is.
    pub(super) taken: usize,
    /// Of events that have waited: where they did.
    pub(super) retry: Option<Retry>,
}

/// What is tried again.
pub(super) struct Retry {
    pub(super) place: Place,
    /// Events before this position do not wait any more, if the place is not parked again.
    pub(super) below: LogPosition,
    /// How many have waited.
    pub(super) events: usize,
    /// Whether these are the last that wait there.
    pub(super) is_last: bool,
    /// Rows are changed at this position of the log: readers have seen what was before.
    pub(super) at: LogPosition,
}

/// What became of one try.
enum Tried {
    Over(Outcome),
    /// Something is parked now: without it the rest may go.
    Parked,
}

impl<E> Batch<E> {
    /// Of no events, that ends here.
    pub(super) fn until(end: LogPosition, parked: &Arc<Parked>) -> Self {
        let parked = Arc::clone(parked);
        Self { events: Vec::new(), stuck: Stuck::default(), parked, end, taken: 0, retry: None }
    }

    /// The next of what is buffered.
    fn next<'i>(
        items: impl Iterator<Item = &'i Item<E>>,
        size: usize,
        at: LogPosition,
        parked: &Arc<Parked>,
    ) -> Self
    where
        E: 'i,
    {
        let mut batch = Self::until(at, parked);
        for item in items {
            match item {
                Item::Decision(_) => break,
                Item::Undecodable(undecodable) if undecodable.needs_upgrade() => break,
                Item::Undecodable(undecodable) => batch.park_stream(undecodable),
                Item::Event(_) if batch.events.len() == size => break,
                Item::Event(event) if batch.parked.holds(&event.stream) => {
                    let place = Place::Stream(event.stream.clone());
                    batch.stuck.waiting.push(Waiting::of(place, event));
                }
                Item::Event(event) => batch.events.push(Arc::clone(event)),
                Item::Passed(_) | Item::Considered(_) => {}
            }
            batch.taken += 1;
            batch.end = item.position();
        }
        batch
    }

    fn park_stream(&mut self, undecodable: &Undecodable) {
        let event = &undecodable.event;
        let place = Place::Stream(event.stream.clone());
        if !self.parked.contains(&place) {
            self.park(place.clone(), event.clone(), undecodable.failure.to_string());
        }
        self.stuck.waiting.push(Waiting::at(place, event));
    }

    /// Parks a place from an event on. A batch with it has to be folded again.
    pub(super) fn park(&mut self, place: Place, event: EventRef, reason: String) {
        Arc::make_mut(&mut self.parked).insert(place.clone(), event.position, event.recorded_at);
        self.stuck.parked.retain(|parked| parked.place != place);
        self.stuck.parked.push(NewlyParked { place, event, reason });
    }

    pub(super) fn turn(&self) -> Turn<'_> {
        match &self.retry {
            Some(Retry { place: Place::Row { view, key }, .. }) => Turn::Only(*view, key, &self.parked),
            _ => Turn::AllBut(&self.parked),
        }
    }

    /// What is parked once it is written, with what the fold has parked.
    fn parked_after(&self, folded: &Stuck) -> Arc<Parked> {
        let mut parked = Arc::clone(&self.parked);
        let waiting = self.stuck.waiting.len() + folded.waiting.len();
        if waiting > 0 || self.retry.is_some() {
            let parked = Arc::make_mut(&mut parked);
            parked.waiting += waiting;
            parked.waiting -= self.retry.as_ref().map_or(0, |retry| retry.events).min(parked.waiting);
            for NewlyParked { place, event, .. } in &folded.parked {
                parked.insert(place.clone(), event.position, event.recorded_at);
            }
        }
        parked
    }

    /// What becomes of the place whose turn it is.
    fn retried(&self, folded: &Stuck) -> Option<Retried> {
        let retry = self.retry.as_ref()?;
        let again = self.stuck.parked.iter().chain(&folded.parked).find(|parked| parked.place == retry.place);
        let below = again.map_or(retry.below, |parked| parked.event.position);
        Some(Retried { place: retry.place.clone(), below, is_over: again.is_none() && retry.is_last })
    }
}

/// Whether more is parked, or waits, than may be.
fn excess(parked: &Parked) -> Option<&'static str> {
    if parked.len() > PLACES_MAX {
        return Some("1,000 rows are parked, and no more may be");
    }
    (parked.waiting > WAITING_MAX).then_some("100,000 events wait behind parked rows, and no more may")
}

impl<E: Send + Sync + 'static> Term<'_, E> {
    /// Carries out the next of what is buffered.
    pub(super) async fn carry_out(&mut self) -> Result<Outcome, EngineError> {
        match self.buffer.front() {
            Some(Item::Decision(decision)) => {
                let decision = Arc::clone(decision);
                return self.decide(&decision).await;
            }
            Some(Item::Undecodable(undecodable)) if undecodable.needs_upgrade() => {
                return Ok(Outcome::Stop(Stop::needs_upgrade(undecodable)));
            }
            _ => {}
        }
        let batch = Batch::next(self.buffer.iter(), self.size.get(), self.position, &self.parked);
        if batch.events.is_empty() {
            return self.fold(batch).await;
        }
        let span = self.batch_span(&batch);
        self.fold(batch).instrument(span).await
    }

    fn batch_span(&mut self, batch: &Batch<E>) -> Span {
        let is_live = self.feed.is_live();
        if !is_live {
            let nth = self.caught_up;
            self.caught_up += 1;
            if !nth.is_multiple_of(trace::CATCH_UP_SAMPLE) {
                return Span::none();
            }
        }
        trace::batch_span(self.worker.projection.name, &batch.events, is_live)
    }

    /// Folds and writes; what cannot be folded is parked, and the rest goes on.
    pub(super) async fn fold(&mut self, mut batch: Batch<E>) -> Result<Outcome, EngineError> {
        let begun = Instant::now();
        let (events, is_retry) = (batch.events.len(), batch.retry.is_some());
        let outcome = loop {
            match self.try_once(&mut batch).await? {
                Tried::Over(outcome) => break outcome,
                Tried::Parked => {}
            }
        };
        if matches!(outcome, Outcome::Written) && events > 0 && !is_retry {
            let took = begun.elapsed();
            self.size.written(events, took);
            if self.worker.is_active() {
                metrics::record_batch(self.worker.projection.name, took);
            }
        }
        Ok(outcome)
    }

    async fn try_once(&mut self, batch: &mut Batch<E>) -> Result<Tried, EngineError> {
        let mut folded = Folded::default();
        if !batch.events.is_empty() {
            let rows = Rows { client: &self.session.client, tables: &self.tables };
            let folding = fold_batch(&self.worker.projection, &batch.events, &rows, batch.turn());
            folded = match folding.instrument(trace::fold_span(self.worker.projection.name)).await {
                Ok(Ok(folded)) => folded,
                Ok(Err(failed)) => return Ok(failed_late(batch, failed)),
                Err(error) if is_of_the_data(&error) => return self.refused(batch, &[], &error).await,
                Err(error) => return Err(error.into()),
            };
        }
        self.write(batch, &mut folded).await
    }

    /// Postgres refuses a value of the batch: it goes again by halves, down to the event that is the reason, whose rows
    /// are parked.
    async fn refused(
        &mut self,
        batch: &mut Batch<E>,
        changes: &[Vec<Change>],
        error: &tokio_postgres::Error,
    ) -> Result<Tried, EngineError> {
        let [event] = batch.events.as_slice() else {
            if batch.retry.is_none() {
                self.size.refused(batch.events.len());
            }
            return Ok(Tried::Over(Outcome::Halved));
        };
        let event = Arc::clone(event);
        let reason = why_refused(error);
        let (projection, tables) = (&*self.worker.projection, &self.tables);
        let turn = batch.turn();
        let rows = refusal::rows(&mut self.session.client, projection, tables, &event, turn, changes).await?;
        if rows.is_empty() {
            return Ok(Tried::Over(Outcome::Stop(Stop::failed(&EventRef::from(&*event), &reason))));
        }
        for place in rows {
            batch.park(place, EventRef::from(&*event), reason.clone());
        }
        Ok(Tried::Parked)
    }

    /// Writes a batch, and forgets the items of the buffer that it was.
    async fn write(&mut self, batch: &mut Batch<E>, folded: &mut Folded) -> Result<Tried, EngineError> {
        if let Some(retry) = &batch.retry {
            folded.changes.iter_mut().flatten().for_each(|change| change.position = retry.at);
        }
        let checksums = self.checksums_after(&folded.changes);
        let after = batch.parked_after(&folded.stuck);
        if !(batch.stuck.is_empty() && folded.stuck.is_empty())
            && let Some(reason) = excess(&after)
            && let Some(last) = self.buffer.iter().take(batch.taken).rev().find_map(Item::event)
        {
            return Ok(Tried::Over(Outcome::Stop(Stop::failed(&last, reason))));
        }
        let retried = batch.retried(&folded.stuck);
        let is_between =
            retried.as_ref().is_some_and(|retried| !retried.is_over && !after.contains(&retried.place));
        let last = batch.events.last().filter(|_| batch.retry.is_none()).map(|event| event.recorded_at);
        let mut status = self.status(self.state(), batch.taken);
        status.position = batch.end;
        status.parked = after.len() + usize::from(is_between);
        if !self.feed.is_live() && status.pending_since == self.folded_to {
            status.pending_since = last.or(self.folded_to);
        }
        let moments = self.moments_of(batch);
        let write = BatchWrite {
            tables: &self.tables,
            changes: &folded.changes,
            past: &folded.past,
            moments: moments.as_ref(),
            checksums: &checksums,
            stuck: [&batch.stuck, &folded.stuck],
            retried: retried.as_ref(),
        };
        let holder = self.holder();
        let rows = folded.changes.iter().map(Vec::len).sum();
        let span = trace::commit_span(holder.projection, rows);
        let written =
            commit(&mut self.session.client, &holder, &status, &write).instrument(span.clone()).await;
        if let Err(WriteError::Postgres(error)) = &written {
            span::failed(&span, error.code().map_or("connection", |code| code.code()).to_owned());
        }
        match written {
            Ok(written) => self.stands(&written),
            Err(WriteError::Superseded) => return Ok(Tried::Over(Outcome::Superseded)),
            Err(WriteError::Postgres(error)) if is_of_the_data(&error) && !batch.events.is_empty() => {
                return self.refused(batch, &folded.changes, &error).await;
            }
            Err(WriteError::Postgres(error)) => return Err(error.into()),
        }
        self.checksums = checksums;
        self.position = batch.end;
        self.buffer.drain(..batch.taken);
        self.folded_to = last.or(self.folded_to);
        self.recorded_to = moments.map(|moments| moments.latest).or(self.recorded_to);
        self.parked = after;
        self.note_written(&status);
        self.note_folded(batch, folded);
        Ok(Tried::Over(Outcome::Written))
    }

    /// When the events of a batch were recorded, those that wait among them, if what rows were is kept. What has waited is
    /// known already.
    fn moments_of(&self, batch: &Batch<E>) -> Option<Moments> {
        if batch.retry.is_some() || sql::kept(&self.tables).next().is_none() {
            return None;
        }
        let moment = |item: &Item<E>| Some((item.position(), item.pending_since()?));
        Moments::of(self.buffer.iter().take(batch.taken).filter_map(moment), self.recorded_to)
    }

    /// Tells everybody of a batch that is written.
    fn note_folded(&mut self, batch: &Batch<E>, folded: &mut Folded) {
        let name = self.worker.projection.name;
        let newly = || batch.stuck.parked.iter().chain(&folded.stuck.parked);
        for NewlyParked { place, event, reason } in newly() {
            let place = PlaceName::new(place, &self.worker.view_tables()).shown();
            let (position, event_type) = (event.position.0, &event.event_type);
            tracing::error!(projection = name, place, position, event_type, reason, "parked");
        }
        if self.worker.is_active() {
            let waiting = batch.stuck.waiting.iter().chain(&folded.stuck.waiting);
            let waiting: HashSet<LogPosition> = waiting.map(|waiting| waiting.position).collect();
            let is_live = self.feed.is_live() && batch.retry.is_none();
            metrics::record_events(name, &batch.events, (&folded.applied, &waiting), is_live);
            let newly = newly().filter(|parked| batch.retry.as_ref().is_none_or(|r| r.place != parked.place));
            metrics::record_newly_parked(name, newly.count());
        }
        self.worker.note_reached(batch.end);
        if let Some(dispatching) = &mut self.dispatching {
            dispatching.written(folded.changes.pop().unwrap_or_default());
            dispatching.reached(batch.end);
        }
    }

    fn checksums_after(&self, changes: &[Vec<Change>]) -> Vec<Checksums> {
        let mut checksums = self.checksums.clone();
        for ((sql, changes), checksums) in self.tables.iter().zip(changes).zip(&mut checksums) {
            for change in changes {
                checksums.replace(sql.table, &change.key, change.before.as_deref(), change.after.as_deref());
            }
        }
        checksums
    }
}

/// A row turned out wrong when all was folded: it is parked, if it is known which.
fn failed_late<E>(batch: &mut Batch<E>, failed: FailedFold) -> Tried {
    let event = EventRef::from(&*batch.events[failed.number]);
    match failed.place {
        None => Tried::Over(Outcome::Stop(Stop::failed(&event, &failed.reason))),
        Some(place) => {
            batch.park(place, event, failed.reason);
            Tried::Parked
        }
    }
}

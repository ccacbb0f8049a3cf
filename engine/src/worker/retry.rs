//! Folding what has waited: because a person said so, or because it was put aside while the version was built.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use contract::LogPosition;
use event_store::{ReadError, RecordedEvent, Revision, StreamId};

use super::batch::{Batch, Retry};
use super::outcome::Outcome;
use super::term::Term;
use crate::error::EngineError;
use crate::event::Recorded;
use crate::metrics;
use crate::parked::decision::{Decision, PlaceName, Skips};
use crate::parked::{EventRef, Place, Waiting};
use crate::source::{Item, decode};
use crate::write::parked;

/// The most events that are folded in one transaction.
const PAGE_EVENTS: usize = 1_000;

/// Waiting events as the log has them.
struct Page<E> {
    events: Vec<Arc<Recorded<E>>>,
    /// The first that cannot be decoded, and why; those before it can.
    undecodable: Option<(EventRef, String)>,
    /// How many waited, with those that there is nothing to fold of.
    waiting: usize,
    below: LogPosition,
}

impl<E: Send + Sync + 'static> Term<'_, E> {
    /// Folds what was put aside while the version was built, with the decisions that were made until then.
    pub(super) async fn fold_held(&mut self) -> Result<Outcome, EngineError> {
        if self.held.is_empty() {
            return Ok(Outcome::Written);
        }
        let name = self.worker.projection.name;
        let skips = Skips::until(&self.worker.log.store, name, self.position).await?;
        let tables = self.worker.view_tables();
        for place in std::mem::take(&mut self.held) {
            let skips = skips.of(&PlaceName::new(&place, &tables));
            match self.retry(&place, &skips, self.position).await? {
                Outcome::Written => {}
                other => return Ok(other),
            }
        }
        Ok(Outcome::Written)
    }

    /// Carries a person's decision out, and goes past it.
    pub(super) async fn decide(&mut self, decision: &Decision) -> Result<Outcome, EngineError> {
        let name = self.worker.projection.name;
        let place = decision.place.resolve(&self.worker.view_tables());
        let place = place.filter(|place| self.parked.contains(place));
        if let Some(place) = &place {
            let skips = decision.skip.into_iter().collect();
            match self.retry(place, &skips, decision.position).await? {
                Outcome::Written => {}
                other => return Ok(other),
            }
        }
        if self.worker.is_active() {
            let is_parked = place.as_ref().map(|place| self.parked.contains(place));
            metrics::record_retry(name, is_parked);
        }
        let mut batch = Batch::until(decision.position, &self.parked);
        batch.taken = 1;
        self.fold(batch).await
    }

    /// Folds the events that wait at a place until none does or one fails. One that fails and is to be skipped is left
    /// out; one that can be folded is folded, whatever was decided.
    async fn retry(
        &mut self,
        place: &Place,
        skips: &HashSet<LogPosition>,
        at: LogPosition,
    ) -> Result<Outcome, EngineError> {
        let (mut limit, mut left_out) = (PAGE_EVENTS, None);
        loop {
            if self.worker.shutdown.is_cancelled() {
                // Nothing is lost: it waits as before.
                return Ok(Outcome::Halved);
            }
            let page = self.read_page(place, limit, left_out).await?;
            let events = page.events.len();
            let is_last = page.waiting < limit;
            let mut others = Arc::clone(&self.parked);
            Arc::make_mut(&mut others).remove(place);
            let mut batch = Batch::until(self.position, &others);
            batch.events = page.events;
            batch.retry =
                Some(Retry { place: place.clone(), below: page.below, events: page.waiting, is_last, at });
            if let Some((event, reason)) = page.undecodable {
                batch.stuck.waiting.push(Waiting::at(place.clone(), &event));
                batch.park(place.clone(), event, reason);
            }
            match self.fold(batch).await? {
                Outcome::Written => {}
                Outcome::Halved => {
                    limit = (events / 2).max(1);
                    continue;
                }
                other => return Ok(other),
            }
            match self.parked.position(place) {
                Some(failed) if skips.contains(&failed) && left_out != Some(failed) => {
                    left_out = Some(failed)
                }
                Some(_) => return Ok(Outcome::Written),
                None if is_last => return Ok(Outcome::Written),
                None => {
                    Arc::make_mut(&mut self.parked).insert(place.clone(), page.below, jiff::Timestamp::now())
                }
            }
        }
    }

    async fn read_page(
        &self,
        place: &Place,
        limit: usize,
        left_out: Option<LogPosition>,
    ) -> Result<Page<E>, EngineError> {
        let of = (self.worker.projection.name, self.worker.version);
        let tables = self.worker.view_tables();
        let waiting = parked::page(&self.session.client, of, &tables, place, limit).await?;
        let last = waiting.last().map_or(LogPosition::START, |last| last.position);
        let mut page = Page {
            events: Vec::new(),
            undecodable: None,
            waiting: waiting.len(),
            below: LogPosition(last.0 + 1),
        };
        let mut known = HashMap::new();
        for (index, one) in waiting.iter().enumerate() {
            if left_out == Some(one.position) {
                continue;
            }
            let Some(record) = self.read_one(&waiting[index..], &mut known).await? else {
                tracing::warn!(position = one.position.0, "an event that waited is not in the log any more");
                continue;
            };
            match decode(&*self.worker.log.decoder, record).await {
                Item::Event(event) => page.events.push(event),
                Item::Undecodable(undecodable) => {
                    let reason = undecodable.failure.to_string();
                    page.undecodable = Some((undecodable.event.clone(), reason));
                    page.waiting = index + 1;
                    break;
                }
                Item::Passed(_) | Item::Considered(_) | Item::Decision(_) => {}
            }
        }
        Ok(page)
    }

    /// Reads the first of the waiting events, and with it those of its stream that stand close behind.
    async fn read_one(
        &self,
        waiting: &[Waiting],
        known: &mut HashMap<(StreamId, Revision), RecordedEvent>,
    ) -> Result<Option<RecordedEvent>, EngineError> {
        let Some(first) = waiting.first() else { return Ok(None) };
        let at = (first.stream.clone(), first.revision);
        if let Some(record) = known.remove(&at) {
            return Ok(Some(record));
        }
        let last = waiting.iter().filter(|other| other.stream == first.stream).map(|other| other.revision.0);
        let span = last.max().unwrap_or(first.revision.0).saturating_sub(first.revision.0) + 1;
        let span = usize::try_from(span).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        match self.worker.log.store.read_stream(&first.stream, first.revision, span).await {
            Ok(page) => {
                let events = page.map_or_else(Vec::new, |page| page.events);
                known.extend(events.into_iter().map(|event| ((event.stream.clone(), event.revision), event)));
                Ok(known.remove(&at))
            }
            Err(ReadError::StreamDeleted) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

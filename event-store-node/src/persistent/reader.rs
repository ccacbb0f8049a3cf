//! Reads what a group follows, page by page.

use std::ops::ControlFlow;
use std::sync::Arc;

use contract::LogPosition;
use tracing::warn;

use super::GroupError;
use super::definition::{Definition, Source};
use super::held::Held;
use super::system_streams::{is_hidden_from_all, reading};
use crate::consumer_group::Place;
use crate::filter::Filter;
use crate::storage::{Boundary, Direction, Record, Revision, Storage, StorageError, StreamWatch};

/// A page has at most this many events and, past the first, bytes.
const PAGE_EVENTS: usize = 512;
const PAGE_BYTES: usize = 512 * 1024;

/// An event that was read.
#[derive(Debug)]
pub(super) enum Considered {
    /// One for the group.
    Ours(Place, Arc<Held>),
    /// Another one.
    Passed(Place),
}

/// Events in their order.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) events: Vec<Considered>,
    /// Whether there was nothing more at the time.
    pub(super) is_end: bool,
}

/// A reader of one group.
#[derive(Debug)]
pub(super) struct Reader {
    storage: Storage,
    source: Source,
    filter: Option<Arc<Filter>>,
    resolve_links: bool,
    watch: StreamWatch,
    /// Whether the last page was the end of the stream: only from there on can it be told from memory whether it has
    /// grown.
    is_at_end: bool,
    /// Where in everything to go on after a place.
    cursor: Option<(Option<Place>, Boundary)>,
}

impl Reader {
    pub(super) fn new(storage: &Storage, definition: &Definition) -> Result<Self, GroupError> {
        let filter = definition.filter.as_ref().map(|filter| filter.filter()).transpose();
        let filter = filter.map_err(|error| GroupError::failed(error.to_string()))?;
        let source = definition.key().source;
        Ok(Self {
            watch: storage.watch_stream(source.name()),
            is_at_end: false,
            storage: storage.clone(),
            source,
            filter: filter.map(Arc::new),
            resolve_links: definition.settings.resolve_links,
            cursor: None,
        })
    }

    /// The events after a place: about as many of the group's own as wanted. Empty when there is none now.
    pub(super) async fn page(&mut self, after: Option<Place>, wanted: usize) -> Result<Page, GroupError> {
        let wanted = wanted.min(PAGE_EVENTS);
        match self.source.clone() {
            Source::Stream(stream) => self.stream_page(stream, after, wanted).await,
            Source::All => self.all_page(after, wanted).await,
        }
    }

    async fn stream_page(
        &mut self,
        stream: String,
        after: Option<Place>,
        wanted: usize,
    ) -> Result<Page, GroupError> {
        let from = Revision(after.map_or(0, |place| place.0.saturating_add(1)));
        if self.is_at_end && !self.storage.may_have_grown(&mut self.watch, from) {
            return Ok(Page { events: Vec::new(), is_end: true });
        }
        let resolve_links = self.resolve_links;
        let page = reading(&self.storage, move |storage| {
            let page = match storage.read_stream(&stream, from, Direction::Forwards, wanted, PAGE_BYTES) {
                // After a tombstone nothing comes any more, and the group has nothing left to do.
                Ok(None) | Err(StorageError::StreamDeleted { .. }) => {
                    return Ok(Page { events: Vec::new(), is_end: true });
                }
                Ok(Some(page)) => page,
                Err(error) => return Err(error),
            };
            let mut read_to = after;
            let mut events = Vec::with_capacity(page.records.len() + 1);
            for record in page.records {
                let place = Place(record.revision.0);
                read_to = Some(place);
                events.push(Considered::Ours(place, Arc::new(Held::new(storage, record, resolve_links)?)));
            }
            // What the stream's metadata hides is done with.
            let last = Place(page.next.map_or(page.last.0, |next| next.0.saturating_sub(1)));
            if read_to < Some(last) {
                events.push(Considered::Passed(last));
            }
            Ok(Page { events, is_end: page.next.is_none() })
        })
        .await?;
        self.is_at_end = page.is_end;
        Ok(page)
    }

    async fn all_page(&mut self, after: Option<Place>, wanted: usize) -> Result<Page, GroupError> {
        let cursor = self.cursor.take().filter(|(place, _)| *place == after);
        let (filter, resolve_links) = (self.filter.clone(), self.resolve_links);
        let (page, cursor) = reading(&self.storage, move |storage| {
            let from = match (cursor, after) {
                (Some((_, boundary)), _) => boundary,
                (None, Some(place)) => storage.boundary_after(LogPosition(place.0))?,
                (None, None) => Boundary::START,
            };
            scan(storage, from, after, wanted, filter.as_deref(), resolve_links)
        })
        .await?;
        self.cursor = Some(cursor);
        Ok(page)
    }
}

/// A page of everything, and where to go on after its last event.
fn scan(
    storage: &Storage,
    from: Boundary,
    after: Option<Place>,
    wanted: usize,
    filter: Option<&Filter>,
    resolve_links: bool,
) -> Result<(Page, (Option<Place>, Boundary)), StorageError> {
    let mut events = Vec::new();
    let mut read_to = after;
    let mut found = 0;
    let mut failed = None;
    let scanned = storage.scan_forwards(from, PAGE_BYTES as u64, |record| {
        let place = Place(record.position.0);
        if Some(place) <= after || is_hidden_from_all(&record.stream) {
            return ControlFlow::Continue(());
        }
        read_to = Some(place);
        if !shows(filter, &record) {
            events.push(Considered::Passed(place));
            return ControlFlow::Continue(());
        }
        match Held::new(storage, record, resolve_links) {
            Ok(held) => events.push(Considered::Ours(place, Arc::new(held))),
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        found += 1;
        if found < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok((Page { events, is_end: scanned.exhausted }, (read_to, scanned.next))),
    }
}

/// Whether a filter lets an event through. One that it cannot make out is let through: better shown than lost.
fn shows(filter: Option<&Filter>, record: &Record) -> bool {
    let Some(filter) = filter else { return true };
    filter.shows(record).unwrap_or_else(|error| {
        warn!(%error, position = record.position.0, "a filter gave up on an event, which is let through");
        true
    })
}

//! Reading streams and the whole log, a page at a time. A page is bounded by number and by bytes, so that no reader
//! buffers without end; its flag says whether the end was reached.

use std::time::Duration;

use contract::LogPosition;
use eventstore::{Client, Error, Position, ReadAllOptions, ReadStream, ReadStreamOptions, StreamPosition};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::envelope::RecordedEvent;
use crate::error::{ReadError, said};
use crate::ids::{Revision, StreamId};
use crate::retry::{Backoff, Failure};
use crate::{EventStore, trace};

/// The most events of a page, whatever is asked for.
pub const MAX_PAGE_EVENTS: usize = 4096;

/// A page ends behind the event with which it holds this many bytes of data.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a read is tried again before the log counts as unavailable.
const READ_DEADLINE: Duration = Duration::from_secs(5);

/// Part of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamPage {
    /// The events, in the order asked for.
    pub events: Vec<RecordedEvent>,
    /// Whether nothing came behind them (forwards: the stream's end; backwards: its beginning) when this was read.
    pub is_end: bool,
}

/// Part of the whole log.
#[derive(Debug, Clone, PartialEq)]
pub struct AllPage {
    /// The events of streams with one of the prefixes, in log order.
    pub events: Vec<RecordedEvent>,
    /// Everything up to here was considered, also what is not in `events`.
    pub considered: LogPosition,
    /// Whether the log had nothing behind `considered` when this was read.
    pub is_end: bool,
}

impl EventStore {
    /// Reads a stream forwards, `from` included, at most `max` events (and never more than [`MAX_PAGE_EVENTS`]).
    /// `None` when there is no such stream.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        max: usize,
    ) -> Result<Option<StreamPage>, ReadError> {
        let position = StreamPosition::Position(from.0);
        self.stream_page(stream, ReadStreamOptions::default().forwards().position(position), max).await
    }

    /// Reads a stream backwards from its end, at most `max` events, the newest first. `None` when there is no such
    /// stream.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_stream_backward(
        &self,
        stream: &StreamId,
        max: usize,
    ) -> Result<Option<StreamPage>, ReadError> {
        self.stream_page(stream, ReadStreamOptions::default().position(StreamPosition::End), max).await
    }

    /// Revision and position of a stream's last event; `None` when there is no such stream.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn tail(&self, stream: &StreamId) -> Result<Option<(Revision, LogPosition)>, ReadError> {
        let page = self.read_stream_backward(stream, 1).await?;
        Ok(page.and_then(|page| page.events.first().map(|event| (event.revision, event.position))))
    }

    /// Reads the log forwards behind `after`, considering at most `max` events (and never more than
    /// [`MAX_PAGE_EVENTS`]), and returns those of streams whose name begins with one of `prefixes`; all when there
    /// are none.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_all(
        &self,
        after: LogPosition,
        prefixes: &[&str],
        max: usize,
    ) -> Result<AllPage, ReadError> {
        let max = max.clamp(1, MAX_PAGE_EVENTS);
        let position = match after {
            LogPosition::START => StreamPosition::Start,
            LogPosition(at) => StreamPosition::Position(Position { commit: at, prepare: at }),
        };
        // Reading from a position includes the event that stands there, so one more is asked for.
        let options =
            &ReadAllOptions::default().forwards().position(position).max_count(max + 1).deadline(TRY_TIMEOUT);
        self.reading(|client| async move {
            let mut stream = client.read_all(options).await?;
            let mut page = AllPage { events: Vec::new(), considered: after, is_end: false };
            let (mut considered, mut bytes) = (0, 0);
            while considered < max && bytes < MAX_PAGE_BYTES {
                let Some(resolved) = stream.next().await? else {
                    page.is_end = true;
                    break;
                };
                let event = resolved.get_original_event();
                if event.position.commit <= after.0 {
                    continue;
                }
                considered += 1;
                page.considered = LogPosition(event.position.commit);
                if has_prefix(&event.stream_id, prefixes) {
                    bytes += event.data.len();
                    page.events.push(event.into());
                }
            }
            Ok(page)
        })
        .await
    }

    /// The position of the log's last event, system events included.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn head(&self) -> Result<LogPosition, ReadError> {
        let options =
            &ReadAllOptions::default().position(StreamPosition::End).max_count(1).deadline(TRY_TIMEOUT);
        self.reading(|client| async move {
            let last = client.read_all(options).await?.next().await?;
            Ok(last.map_or(LogPosition::START, |last| LogPosition(last.get_original_event().position.commit)))
        })
        .await
    }

    async fn stream_page(
        &self,
        stream: &StreamId,
        options: ReadStreamOptions,
        max: usize,
    ) -> Result<Option<StreamPage>, ReadError> {
        let max = max.clamp(1, MAX_PAGE_EVENTS);
        let options = &options.max_count(max).deadline(TRY_TIMEOUT);
        let span = trace::read_span(stream);
        let read = self.reading(|client| async move {
            let reading = match client.read_stream(stream.as_str(), options).await {
                Ok(mut reading) => collect(&mut reading, max).await,
                Err(error) => Err(error),
            };
            match reading {
                Ok(page) => Ok(Some(page)),
                Err(Error::ResourceNotFound) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let outcome = read.instrument(span.clone()).await;
        trace::note_read(&span, &outcome);
        outcome
    }

    /// Runs a read, again when it did not get through, until [`READ_DEADLINE`].
    async fn reading<T, F>(&self, read: impl Fn(Client) -> F) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = Instant::now() + READ_DEADLINE;
        let mut backoff = Backoff::new();
        loop {
            let current = self.connection.current();
            let error = match tokio::time::timeout(TRY_TIMEOUT, read(current.client)).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => Some(error),
                Err(_elapsed) => None,
            };
            match &error {
                Some(Error::AccessDenied) => return Err(ReadError::Denied),
                Some(Error::ResourceDeleted) => return Err(ReadError::StreamDeleted),
                Some(refused) if Failure::of(refused) == Failure::Refused => {
                    return Err(ReadError::Unavailable(said(refused)));
                }
                _ => {}
            }
            self.connection.failed(current.generation, error.as_ref()).await;
            let resume = Instant::now() + backoff.pause();
            if resume >= deadline {
                let reason = error.as_ref().map_or("no answer in time".to_owned(), said);
                return Err(ReadError::Unavailable(reason));
            }
            tokio::time::sleep_until(resume).await;
        }
    }
}

async fn collect(stream: &mut ReadStream, max: usize) -> Result<StreamPage, Error> {
    let mut page = StreamPage { events: Vec::new(), is_end: false };
    let mut bytes = 0;
    while page.events.len() < max && bytes < MAX_PAGE_BYTES {
        let Some(resolved) = stream.next().await? else {
            page.is_end = true;
            break;
        };
        let event = resolved.get_original_event();
        bytes += event.data.len();
        page.events.push(event.into());
    }
    Ok(page)
}

/// Whether a stream's name begins with one of the prefixes; any name does when there are none.
fn has_prefix(name: &str, prefixes: &[&str]) -> bool {
    prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

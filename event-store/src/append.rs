//! Appending: once, however often it has to be sent.
//!
//! An append that is answered by anything but success or its own refusal is unclear. The very same bytes then go again
//! with the same expected revision: the log recognises the ids of events that it holds already (strong idempotency),
//! so the answer to the later try settles the earlier one.

use std::time::Duration;

use contract::LogPosition;
use eventstore::{AppendToStreamOptions, CurrentRevision, Error, EventData};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::connection::Current;
use crate::envelope::NewEvent;
use crate::error::{AppendError, said};
use crate::ids::{Expected, Revision, StreamId};
use crate::retry::{Backoff, Failure};
use crate::{EventStore, MAX_APPEND_BYTES, metrics, trace};

/// How long one try may take before the same bytes go again.
const TRY_TIMEOUT: Duration = Duration::from_secs(3);

/// An acknowledged append: it is on the log's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The revision of its last event.
    pub revision: Revision,
    /// The position of its last event.
    pub position: LogPosition,
}

impl EventStore {
    /// Appends events to a stream, all or none, and returns when they are durable.
    ///
    /// With [`Expected::NoStream`] or [`Expected::Exact`] a try without an answer is repeated, byte for byte, until
    /// the log has said what became of it or the deadline is over. With the other two that could write twice, so a
    /// try that went out and got no answer is [`AppendError::Unknown`] at once.
    ///
    /// Events whose metadata name no trace get that of this append.
    ///
    /// # Errors
    /// See [`AppendError`]; after all but [`AppendError::Unknown`] nothing was written.
    pub async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        mut events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let span = trace::append_span(stream, events.len());
        trace::sign(&mut events, &span);
        let bytes = size_of(&events);
        if bytes > MAX_APPEND_BYTES {
            return Err(AppendError::TooLarge { bytes, limit: MAX_APPEND_BYTES });
        }
        let events = events.iter().map(event_data).collect::<Result<Vec<_>, _>>()?;
        let started = Instant::now();
        let settled = self.append_until_settled(stream, expected, &events, started);
        let outcome = settled.instrument(span.clone()).await;
        trace::note_append(&span, &outcome);
        metrics::record_append(started.elapsed(), events.len(), bytes, &outcome);
        outcome
    }

    async fn append_until_settled(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: &[EventData],
        started: Instant,
    ) -> Result<Appended, AppendError> {
        let deadline = started + self.append_deadline;
        let options =
            AppendToStreamOptions::default().expected_revision(expected.into()).deadline(TRY_TIMEOUT);
        let mut backoff = Backoff::new();
        let mut went_out = false;
        loop {
            let current = self.connection.current();
            let until = deadline.min(Instant::now() + TRY_TIMEOUT);
            let (failure, error) = match try_once(&current, stream, &options, events, until).await {
                Ok(appended) => return Ok(appended),
                Err(failed) => failed,
            };
            match failure {
                Failure::Refused => return Err(settled_by(error.as_ref(), went_out)),
                Failure::NotSent => {}
                Failure::Unclear => went_out = true,
            }
            let reason = error.as_ref().map_or("no answer in time".to_owned(), Error::to_string);
            if went_out && !expected.is_idempotent() {
                return Err(AppendError::Unknown(reason));
            }
            tracing::debug!(%stream, reason, went_out, "append not settled, sending the same bytes again");
            self.connection.failed(current.generation, error.as_ref()).await;
            let resume = Instant::now() + backoff.pause();
            if resume >= deadline {
                return Err(if went_out {
                    AppendError::Unknown(reason)
                } else {
                    AppendError::Unreachable(reason)
                });
            }
            tokio::time::sleep_until(resume).await;
        }
    }
}

/// One try, with what its failure tells; without an error there was no answer in time.
async fn try_once(
    current: &Current,
    stream: &StreamId,
    options: &AppendToStreamOptions,
    events: &[EventData],
    until: Instant,
) -> Result<Appended, (Failure, Option<Error>)> {
    match tokio::time::timeout_at(until, current.reached()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err((Failure::NotSent, Some(error))),
        Err(_elapsed) => return Err((Failure::NotSent, None)),
    }
    let call = current.client.append_to_stream(stream.as_str(), options, events.to_vec());
    match tokio::time::timeout_at(until, call).await {
        Ok(Ok(written)) => Ok(Appended {
            revision: Revision(written.next_expected_version),
            position: LogPosition(written.position.commit),
        }),
        Ok(Err(error)) => Err((Failure::of(&error), Some(error))),
        Err(_elapsed) => Err((Failure::Unclear, None)),
    }
}

/// The meaning of a refusal. Behind a try that went out without an answer only the wrong revision settles anything:
/// it says that the stream does not hold our events where they would be. Any other refusal is of the later try alone.
fn settled_by(error: Option<&Error>, went_out: bool) -> AppendError {
    match error {
        Some(Error::WrongExpectedVersion { current, .. }) => AppendError::WrongRevision {
            actual: match current {
                CurrentRevision::Current(revision) => Some(Revision(*revision)),
                CurrentRevision::NoStream => None,
            },
        },
        Some(other) if went_out => AppendError::Unknown(said(other)),
        Some(Error::AccessDenied) => AppendError::Denied,
        Some(Error::ResourceDeleted) => AppendError::StreamDeleted,
        // The trailer that names the limit does not get through the client, only the sentence does.
        Some(Error::Grpc { message, .. }) if message.to_lowercase().contains("maximum append") => {
            AppendError::TooLarge { bytes: 0, limit: 0 }
        }
        Some(other) => AppendError::BadArgument(other.to_string()),
        None => AppendError::Unknown("no answer in time".to_owned()),
    }
}

/// What the log counts against the size of an append: data, metadata and type names (twice, as UTF-16), bytes.
fn size_of(events: &[NewEvent]) -> usize {
    events
        .iter()
        .map(|event| event.data.len() + event.metadata.to_json().len() + 2 * event.event_type.len())
        .sum()
}

fn event_data(event: &NewEvent) -> Result<EventData, AppendError> {
    let not_json =
        |error: serde_json::Error| AppendError::BadArgument(format!("{}: {error}", event.event_type));
    let data: &RawValue = serde_json::from_slice(&event.data).map_err(not_json)?;
    let data = EventData::json(&event.event_type, &data).map_err(not_json)?;
    Ok(data.id(event.id.0).metadata(event.metadata.to_json()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_an_unclear_try_only_the_wrong_revision_settles_it() {
        let wrong = Error::WrongExpectedVersion {
            expected: eventstore::ExpectedRevision::NoStream,
            current: CurrentRevision::Current(4),
        };
        let settled = AppendError::WrongRevision { actual: Some(Revision(4)) };
        assert_eq!(settled_by(Some(&wrong), false), settled);
        assert_eq!(settled_by(Some(&wrong), true), settled);
        assert_eq!(settled_by(Some(&Error::AccessDenied), false), AppendError::Denied);
        assert!(matches!(settled_by(Some(&Error::AccessDenied), true), AppendError::Unknown(_)));
    }
}

//! Which log this is: the id of the first event of the stream `headwater-log`, appended by whoever finds none. It
//! stands in checkpoints and in the tokens of clients, so that a log put in the place of another is noticed.

use std::borrow::Cow;

use bytes::Bytes;
use contract::LogIdentity;
use jiff::Timestamp;
use uuid::Uuid;

use crate::envelope::{Metadata, NewEvent};
use crate::error::{AppendError, ReadError};
use crate::ids::{EventId, Expected, Revision, StreamId};
use crate::{EventStore, LOG_STREAM};

const EVENT_TYPE: &str = "LogIdentified";

impl EventStore {
    /// The identity of the log, given to it now if it has none. Asked of the log once, then remembered.
    ///
    /// # Errors
    /// The log could not be read or written.
    pub async fn identity(&self) -> Result<LogIdentity, ReadError> {
        self.identity.get_or_try_init(|| self.find_or_give_identity()).await.copied()
    }

    async fn find_or_give_identity(&self) -> Result<LogIdentity, ReadError> {
        if let Some(identity) = self.read_identity().await? {
            return Ok(identity);
        }
        let id = Uuid::new_v4();
        let event = NewEvent {
            id: EventId(id),
            event_type: Cow::Borrowed(EVENT_TYPE),
            data: Bytes::from_static(b"{}"),
            metadata: Metadata::of_command(id, 1, Timestamp::now()),
        };
        match self.append(&StreamId::named(LOG_STREAM), Expected::NoStream, vec![event]).await {
            Ok(_) => Ok(identity_of(id)),
            // Another process was first: its event counts.
            Err(AppendError::WrongRevision { .. }) => {
                self.read_identity().await?.ok_or_else(|| ReadError::Foreign(StreamId::named(LOG_STREAM)))
            }
            Err(AppendError::Denied) => Err(ReadError::Denied),
            Err(AppendError::StreamDeleted) => Err(ReadError::StreamDeleted),
            Err(other) => Err(ReadError::Unavailable(other.to_string())),
        }
    }

    /// The identity as it stands in the log now, never from memory.
    pub(crate) async fn read_identity(&self) -> Result<Option<LogIdentity>, ReadError> {
        let stream = StreamId::named(LOG_STREAM);
        let page = self.read_stream(&stream, Revision::FIRST, 1).await?;
        match page.as_ref().map(|page| page.events.first()) {
            None => Ok(None),
            Some(Some(first)) => Ok(Some(identity_of(first.id.0))),
            // The stream is there but its first event is not: somebody truncated it.
            Some(None) => Err(ReadError::Foreign(stream)),
        }
    }
}

/// The first four bytes of an id, as they are read in its text.
fn identity_of(id: Uuid) -> LogIdentity {
    LogIdentity(id.as_fields().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_the_beginning_of_the_id() {
        let id: Uuid = "00c0ffee-1111-4222-8333-444455556666".parse().unwrap();
        assert_eq!(identity_of(id).to_string(), "00c0ffee");
    }
}

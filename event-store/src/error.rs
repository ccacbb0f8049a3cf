//! What can go wrong at the log, in the caller's terms.

use eventstore::GrpcConnectionError;

use crate::ids::{Revision, StreamId};

/// The log cannot be addressed at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not a connection string.
    #[error("not an EventStoreDB connection string (esdb://host:port?tls=false): {0}")]
    ConnectionString(String),
    /// Called outside a Tokio runtime.
    #[error("a connection to the log needs a Tokio runtime")]
    NoRuntime,
    /// The client could not be built.
    #[error("the EventStoreDB client could not be built: {0}")]
    Client(String),
}

/// An append was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream is not where it was expected; nothing was written.
    #[error("the stream is at another revision: {}", actual.map_or("it does not exist".to_owned(), |r| r.to_string()))]
    WrongRevision {
        /// The revision of the stream's last event; `None` when there is no stream.
        actual: Option<Revision>,
    },
    /// The append is larger than the log takes; nothing was written.
    #[error("the append has {bytes} bytes, the most is {limit}")]
    TooLarge {
        /// Size of the append, bytes; 0 when only the node knows.
        bytes: usize,
        /// The most it may have, bytes; 0 when only the node knows.
        limit: usize,
    },
    /// The log does not let us write here; nothing was written.
    #[error("access to the stream was denied")]
    Denied,
    /// The append itself is wrong; nothing was written.
    #[error("the log refused the append as malformed: {0}")]
    BadArgument(String),
    /// The stream was deleted for good; nothing was written.
    #[error("the stream was deleted")]
    StreamDeleted,
    /// The log was never reached; nothing was written.
    #[error("the log cannot be reached: {0}")]
    Unreachable(String),
    /// The append went out, was sent again until the deadline, and it is still not known whether it was written.
    #[error("it is not known whether the append was written: {0}")]
    Unknown(String),
}

/// A read did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The log could not be reached, or did not answer in time, over several tries.
    #[error("the log cannot be read: {0}")]
    Unavailable(String),
    /// The log does not let us read here.
    #[error("access was denied")]
    Denied,
    /// The stream was deleted for good.
    #[error("the stream was deleted")]
    StreamDeleted,
    /// A stream that must hold our own event holds something else.
    #[error("the stream {0} does not hold what it must")]
    Foreign(StreamId),
}

/// What the client says of a failure; of a connection that does not come about it only quotes the library below it.
pub(crate) fn said(error: &eventstore::Error) -> String {
    match error {
        eventstore::Error::GrpcConnectionError(GrpcConnectionError::Grpc(text))
            if text.contains("(Connect)") =>
        {
            "no event store answers at its address".to_owned()
        }
        other => other.to_string(),
    }
}

//! Refusals as gRPC statuses: the code, a message, and the trailers by which clients tell them apart (protocol sheet,
//! 4.2). The key `exception` names the kind; its companions always come with it.

use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::{Code, Status};
use tracing::error;

use crate::storage::{AppendError, StorageError};

/// The request makes no sense.
pub(crate) fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}

/// An event without its type or content type.
pub(crate) fn missing_metadata_property() -> Status {
    with_trailers(
        invalid("an event needs the metadata properties type and content-type"),
        "missing-required-metadata-property",
        &[("required-metadata-properties", "type,content-type".to_owned())],
    )
}

/// An append larger than allowed.
pub(crate) fn too_large(limit: u64) -> Status {
    with_trailers(
        invalid(format!("Maximum append size of {limit} bytes exceeded")),
        "maximum-append-size-exceeded",
        &[("maximum-append-size", limit.to_string())],
    )
}

/// The node is going away.
pub(crate) fn stopping() -> Status {
    Status::unavailable("the node is stopping")
}

/// A write took too long; it may still happen.
pub(crate) fn timed_out() -> Status {
    Status::aborted("Operation timed out: the append was not confirmed in time")
}

/// An append that the storage did not carry out.
pub(crate) fn append(error: &AppendError) -> Status {
    match error {
        AppendError::TooLarge { limit } => too_large(*limit),
        AppendError::Busy | AppendError::Stopped(_) => Status::unavailable(error.to_string()),
    }
}

/// A read that the storage did not answer.
pub(crate) fn storage(failure: &StorageError) -> Status {
    error!(error = %failure, "a read failed");
    Status::new(Code::DataLoss, failure.to_string())
}

/// A status that clients know by the name of its exception and the companions of that.
pub(super) fn with_trailers(
    mut status: Status,
    exception: &'static str,
    companions: &[(&'static str, String)],
) -> Status {
    let trailers = status.metadata_mut();
    trailers.insert("exception", MetadataValue::from_static(exception));
    for (key, value) in companions {
        if let Ok(value) = MetadataValue::try_from(value.as_str()) {
            trailers.insert(MetadataKey::from_static(key), value);
        }
    }
    status
}

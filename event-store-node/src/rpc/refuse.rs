//! Refusals as gRPC statuses: the code, a message, and the trailers by which clients tell them apart (protocol sheet,
//! 4.2). The key `exception` names the kind; its companions always come with it.

use percent_encoding::{CONTROLS, utf8_percent_encode};
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::{Code, Status};
use tracing::error;

use crate::storage::{AppendError, Expected, Revision, StorageError};

/// The longest name in a trailer and in a message, bytes.
const MAX_TRAILER_BYTES: usize = 2048;
const MAX_NAME_BYTES: usize = 512;

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

/// The stream was deleted for good, or is deleted where it is expected to exist.
pub(crate) fn stream_deleted(stream: &str) -> Status {
    let message = format!("Event stream '{}' is deleted.", shortened(stream));
    with_trailers(
        Status::failed_precondition(message),
        "stream-deleted",
        &[("stream-name", trailer_text(stream))],
    )
}

/// No scavenge of that name is under way.
pub(crate) fn scavenge_not_found(id: &str) -> Status {
    let message = format!("no scavenge '{}' is under way", shortened(id));
    with_trailers(Status::not_found(message), "scavenge-not-found", &[("scavenge-id", trailer_text(id))])
}

/// A deletion of a stream that is not as expected. Clients read the message as well as the trailers.
pub(crate) fn wrong_expected_version(
    operation: &'static str,
    stream: &str,
    expected: Expected,
    current: Option<Revision>,
) -> Status {
    let expected = expected_version(expected);
    let actual = current.map_or("-1".to_owned(), |revision| revision.to_string());
    let name = shortened(stream);
    let message = format!(
        "{operation} rejected: WrongExpectedVersion. Stream: {name}, Expected version: {expected}, Actual version: {actual}"
    );
    with_trailers(
        Status::failed_precondition(message),
        "wrong-expected-version",
        &[("stream-name", trailer_text(stream)), ("expected-version", expected), ("actual-version", actual)],
    )
}

/// The numbers by which the protocol's trailers name what is expected.
fn expected_version(expected: Expected) -> String {
    match expected {
        Expected::Revision(revision) => revision.to_string(),
        Expected::NoStream => "-1".to_owned(),
        Expected::Any => "-2".to_owned(),
        Expected::StreamExists => "-4".to_owned(),
    }
}

/// A name as a trailer can carry it: ASCII as it is, all else percent-encoded. A client takes so many bytes of
/// trailers and no more.
fn trailer_text(name: &str) -> String {
    let mut text = utf8_percent_encode(name, CONTROLS).to_string();
    text.truncate(MAX_TRAILER_BYTES);
    text
}

/// As much of a name as a message has room for.
fn shortened(name: &str) -> &str {
    let end = (0..=MAX_NAME_BYTES.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or_default()]
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
    match failure {
        StorageError::StreamDeleted { stream } => return stream_deleted(stream),
        StorageError::Closed => return stopping(),
        _ => {}
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_kind_get_into_trailers() {
        for (name, expected) in [("a-1", "a-1"), ("50% off", "50% off"), ("ü\n", "%C3%BC%0A")] {
            let status = stream_deleted(name);
            assert_eq!(status.metadata().get("stream-name").expect("a name"), expected);
        }
        let long = "ü".repeat(16_000);
        let status = wrong_expected_version("Delete", &long, Expected::NoStream, Some(Revision(7)));
        assert_eq!(status.metadata().get("stream-name").expect("a name").len(), MAX_TRAILER_BYTES);
        assert!(status.message().len() < 700 && status.message().ends_with("Actual version: 7"), "{status}");
        assert_eq!(status.metadata().get("expected-version").expect("a number"), "-1");
    }
}

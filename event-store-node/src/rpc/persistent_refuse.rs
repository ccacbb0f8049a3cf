//! What a persistent subscription is refused with (protocol sheet, 4.2).

use tonic::{Code, Status};

use super::refuse;
use crate::persistent::{GroupError, GroupKey};

/// So much of a name or a reason stands in a refusal.
const MAX_CHARS: usize = 200;

/// What went wrong with a group.
pub(super) fn group(key: &GroupKey, error: &GroupError) -> Status {
    let (code, exception) = match error {
        GroupError::Exists => (Code::AlreadyExists, "persistent-subscription-exists"),
        GroupError::DoesNotExist => (Code::NotFound, "persistent-subscription-does-not-exist"),
        GroupError::Failed(_) => (Code::Internal, "persistent-subscription-failed"),
        GroupError::MaxSubscribers => (Code::FailedPrecondition, "maximum-subscribers-reached"),
        GroupError::Dropped => (Code::Cancelled, "persistent-subscription-dropped"),
        GroupError::NotReady => return Status::unavailable("Server Is Not Ready"),
        GroupError::Stopping => return refuse::stopping(),
        GroupError::Storage(error) => return refuse::storage(error),
        GroupError::Append(error) => return refuse::append(error),
    };
    let (source, name) = (cut(key.source.name()), cut(&key.group));
    let message = match error {
        // Clients know this one by how it begins.
        GroupError::MaxSubscribers => format!("{error}: group {name} on {source}"),
        _ => format!("Persistent subscription {name} on {source}: {}", cut(&error.to_string())),
    };
    let mut companions = vec![("stream-name", ascii(&source)), ("group-name", ascii(&name))];
    if let GroupError::Failed(reason) = error {
        companions.push(("reason", ascii(&cut(reason))));
    }
    refuse::with_trailers(Status::new(code, message), exception, &companions)
}

/// Trailers together have a limit, beyond which the client would see a broken connection and no reason.
fn cut(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

/// A trailer has visible ASCII only; the clients need it to be there whatever is in it.
fn ascii(text: &str) -> String {
    text.escape_default().to_string()
}

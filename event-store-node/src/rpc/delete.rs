//! Delete and Tombstone: a stream is hidden until something is appended to it, or ended for good.

use std::time::Duration;

use contract::LogPosition;
use tonic::Status;

use super::{propose, refuse};
use crate::proto::StreamIdentifier;
use crate::proto::streams::{
    DeleteResp, TombstoneResp, delete_req, delete_resp, tombstone_req, tombstone_resp,
};
use crate::storage::{AppendOutcome, DeleteRequest, Deletion, Expected, Revision, Storage};

/// Hides a stream until something is appended to it.
pub(super) async fn delete(
    storage: &Storage,
    write_timeout: Duration,
    options: Option<delete_req::Options>,
) -> Result<DeleteResp, Status> {
    use delete_req::options::ExpectedStreamRevision as Given;
    use delete_resp::{Position, PositionOption};
    let options = options.ok_or_else(no_options)?;
    let expected = match options.expected_stream_revision.ok_or_else(no_expectation)? {
        Given::Revision(revision) => Expected::Revision(Revision(revision)),
        Given::NoStream(()) => Expected::NoStream,
        Given::Any(()) => Expected::Any,
        Given::StreamExists(()) => Expected::StreamExists,
    };
    let stream = options.stream_identifier;
    let at = carry_out(storage, write_timeout, stream.as_ref(), expected, Deletion::Soft).await?;
    let position = at.map_or(PositionOption::NoPosition(()), |at| {
        PositionOption::Position(Position { commit_position: at.0, prepare_position: at.0 })
    });
    Ok(DeleteResp { position_option: Some(position) })
}

/// Ends a stream for good.
pub(super) async fn tombstone(
    storage: &Storage,
    write_timeout: Duration,
    options: Option<tombstone_req::Options>,
) -> Result<TombstoneResp, Status> {
    use tombstone_req::options::ExpectedStreamRevision as Given;
    use tombstone_resp::{Position, PositionOption};
    let options = options.ok_or_else(no_options)?;
    let expected = match options.expected_stream_revision.ok_or_else(no_expectation)? {
        Given::Revision(revision) => Expected::Revision(Revision(revision)),
        Given::NoStream(()) => Expected::NoStream,
        Given::Any(()) => Expected::Any,
        Given::StreamExists(()) => Expected::StreamExists,
    };
    let stream = options.stream_identifier;
    let at = carry_out(storage, write_timeout, stream.as_ref(), expected, Deletion::Tombstone).await?;
    let position = at.map_or(PositionOption::NoPosition(()), |at| {
        PositionOption::Position(Position { commit_position: at.0, prepare_position: at.0 })
    });
    Ok(TombstoneResp { position_option: Some(position) })
}

/// Deletes, and gives the position of the record that does it.
async fn carry_out(
    storage: &Storage,
    write_timeout: Duration,
    stream: Option<&StreamIdentifier>,
    expected: Expected,
    deletion: Deletion,
) -> Result<Option<LogPosition>, Status> {
    let stream = propose::stream_name(stream)?;
    let name = stream.as_str().to_owned();
    let request = DeleteRequest::new(stream, expected, deletion)
        .ok_or_else(|| refuse::invalid("the metadata of a stream is overwritten, it cannot be deleted"))?;
    let deleted = tokio::time::timeout(write_timeout, storage.delete(request)).await;
    let operation = match deletion {
        Deletion::Soft => "Delete",
        Deletion::Tombstone => "Tombstone",
    };
    match deleted.map_err(|_| refuse::timed_out())? {
        Ok(AppendOutcome::Appended { position, .. }) => Ok(position),
        Ok(AppendOutcome::WrongExpectedRevision { current }) => {
            Err(refuse::wrong_expected_version(operation, &name, expected, current))
        }
        Ok(AppendOutcome::StreamDeleted) => Err(refuse::stream_deleted(&name)),
        Err(error) => Err(refuse::append(&error)),
    }
}

fn no_options() -> Status {
    refuse::invalid("a deletion needs options")
}

fn no_expectation() -> Status {
    refuse::invalid("a deletion says which revision it expects")
}

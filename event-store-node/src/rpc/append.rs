//! Append: one write to one stream, all of it or none.

use std::time::{Duration, Instant};

use tonic::{Status, Streaming};

use super::{propose, refuse};
use crate::metrics;
use crate::proto::streams::append_req::options::ExpectedStreamRevision;
use crate::proto::streams::append_req::{Content, Options, ProposedMessage};
use crate::proto::streams::append_resp::success::{CurrentRevisionOption, PositionOption};
use crate::proto::streams::append_resp::wrong_expected_version as refused;
use crate::proto::streams::append_resp::{Position, Result as Answer, Success, WrongExpectedVersion};
use crate::proto::streams::{AppendReq, AppendResp};
use crate::storage::{AppendOutcome, AppendRequest, Expected, ProposedEvent, Revision, Storage};

/// How the protocol's first generation wrote "no stream" where a revision stands.
const NO_STREAM_REVISION: u64 = u64::MAX;

/// Takes the options and the events, writes them, and answers once they are on disk.
pub(crate) async fn append(
    storage: &Storage,
    write_timeout: Duration,
    mut messages: Streaming<AppendReq>,
) -> Result<AppendResp, Status> {
    let began = Instant::now();
    let Some(Content::Options(options)) = messages.message().await?.and_then(|message| message.content)
    else {
        return Err(refuse::invalid("an append begins with its options"));
    };
    let stream = propose::stream_name(options.stream_identifier.as_ref())?;
    let expected = expected(&options)?;
    let limit = storage.max_append_bytes();
    let mut events = Vec::new();
    let mut size = 0;
    while let Some(message) = messages.message().await? {
        let Some(Content::ProposedMessage(message)) = message.content else {
            return Err(refuse::invalid("after an append's options come events only"));
        };
        let event = event(message)?;
        size += event.payload_bytes();
        if size > limit {
            return Err(refuse::too_large(limit));
        }
        events.push(event);
    }
    let name = stream.as_str().to_owned();
    let written = storage.append(AppendRequest { stream, expected, events });
    let outcome = tokio::time::timeout(write_timeout, written).await.map_err(|_| refuse::timed_out())?;
    let (label, answer) = match outcome {
        Ok(AppendOutcome::Appended { revision, position }) => {
            let current_revision_option = match revision {
                Some(revision) => CurrentRevisionOption::CurrentRevision(revision.0),
                None => CurrentRevisionOption::NoStream(()),
            };
            let position_option = match position {
                Some(at) => {
                    PositionOption::Position(Position { commit_position: at.0, prepare_position: at.0 })
                }
                None => PositionOption::NoPosition(()),
            };
            let success = Success {
                current_revision_option: Some(current_revision_option),
                position_option: Some(position_option),
            };
            ("appended", Ok(Answer::Success(success)))
        }
        Ok(AppendOutcome::WrongExpectedRevision { current }) => (
            "wrong_expected_revision",
            Ok(Answer::WrongExpectedVersion(wrong_expected_version(expected, current))),
        ),
        Ok(AppendOutcome::StreamDeleted) => ("stream_deleted", Err(refuse::stream_deleted(&name))),
        Err(error) => ("failed", Err(refuse::append(&error))),
    };
    metrics::append_answered(label, began.elapsed());
    answer.map(|answer| AppendResp { result: Some(answer) })
}

fn expected(options: &Options) -> Result<Expected, Status> {
    match options.expected_stream_revision {
        Some(ExpectedStreamRevision::Revision(revision)) => Ok(Expected::Revision(Revision(revision))),
        Some(ExpectedStreamRevision::NoStream(())) => Ok(Expected::NoStream),
        Some(ExpectedStreamRevision::Any(())) => Ok(Expected::Any),
        Some(ExpectedStreamRevision::StreamExists(())) => Ok(Expected::StreamExists),
        None => Err(refuse::invalid("an append says which revision it expects")),
    }
}

fn event(message: ProposedMessage) -> Result<ProposedEvent, Status> {
    propose::event(message.id.as_ref(), message.metadata, message.custom_metadata, message.data)
}

/// Both generations of the answer: every field that some client reads without asking is filled.
fn wrong_expected_version(expected: Expected, current: Option<Revision>) -> WrongExpectedVersion {
    let (old_current, new_current) = match current {
        Some(Revision(revision)) => (
            refused::CurrentRevisionOption2060::CurrentRevision2060(revision),
            refused::CurrentRevisionOption::CurrentRevision(revision),
        ),
        None => (
            refused::CurrentRevisionOption2060::NoStream2060(()),
            refused::CurrentRevisionOption::CurrentNoStream(()),
        ),
    };
    let (old_expected, new_expected) = match expected {
        Expected::Revision(Revision(revision)) => (
            refused::ExpectedRevisionOption2060::ExpectedRevision2060(revision),
            refused::ExpectedRevisionOption::ExpectedRevision(revision),
        ),
        Expected::NoStream => (
            refused::ExpectedRevisionOption2060::ExpectedRevision2060(NO_STREAM_REVISION),
            refused::ExpectedRevisionOption::ExpectedNoStream(()),
        ),
        Expected::Any => (
            refused::ExpectedRevisionOption2060::Any2060(()),
            refused::ExpectedRevisionOption::ExpectedAny(()),
        ),
        Expected::StreamExists => (
            refused::ExpectedRevisionOption2060::StreamExists2060(()),
            refused::ExpectedRevisionOption::ExpectedStreamExists(()),
        ),
    };
    WrongExpectedVersion {
        current_revision_option_20_6_0: Some(old_current),
        expected_revision_option_20_6_0: Some(old_expected),
        current_revision_option: Some(new_current),
        expected_revision_option: Some(new_expected),
    }
}

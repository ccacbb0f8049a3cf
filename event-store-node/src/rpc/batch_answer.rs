//! The answers of BatchAppend. A refusal is no gRPC error of the call but a status inside the answer, with one packed
//! detail (protocol sheet, 3.5).

use prost::Message;
use prost_types::Any;
use tonic::Code;

use super::batch_append::Asked;
use crate::metrics;
use crate::proto::google::rpc::Status;
use crate::proto::streams::BatchAppendResp;
use crate::proto::streams::batch_append_resp::success::{CurrentRevisionOption, PositionOption};
use crate::proto::streams::batch_append_resp::{Result as Answer, Success};
use crate::proto::wrong_expected_version::{CurrentStreamRevisionOption, ExpectedStreamPositionOption};
use crate::proto::{
    AllStreamPosition, BadRequest, MaximumAppendSizeExceeded, StreamDeleted, Timeout, Unknown,
    WrongExpectedVersion,
};
use crate::storage::{AppendError, AppendOutcome, Expected, Revision};

/// What became of one append of a batch.
pub(super) type Outcome = Result<AppendOutcome, Refusal>;

/// Why an append of a batch was not carried out, or nothing is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    Bad(String),
    TooLarge,
    Timeout,
    Unknown,
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::TooLarge { .. } => Self::TooLarge,
            AppendError::Busy | AppendError::Stopped(_) => Self::Unknown,
        }
    }
}

/// The answer to one append; `limit` is the largest append in bytes.
pub(super) fn answer(asked: Asked, outcome: Outcome, limit: u64) -> BatchAppendResp {
    metrics::append_answered(label(&outcome), asked.began.elapsed());
    let result = match outcome {
        Ok(AppendOutcome::Appended { revision, position }) => {
            let revision = revision.map_or(CurrentRevisionOption::NoStream(()), |revision| {
                CurrentRevisionOption::CurrentRevision(revision.0)
            });
            let position = position.map_or(PositionOption::NoPosition(()), |at| {
                PositionOption::Position(AllStreamPosition { commit_position: at.0, prepare_position: at.0 })
            });
            Answer::Success(Success {
                current_revision_option: Some(revision),
                position_option: Some(position),
            })
        }
        Ok(AppendOutcome::WrongExpectedRevision { current }) => {
            let detail = wrong_expected_version(asked.expected, current);
            refused(Code::AlreadyExists, "WrongExpectedVersion", &detail)
        }
        Ok(AppendOutcome::StreamDeleted) => {
            let detail = StreamDeleted { stream_identifier: asked.stream.clone() };
            refused(Code::NotFound, "StreamDeleted", &detail)
        }
        Err(Refusal::Bad(message)) => refused(Code::InvalidArgument, "BadRequest", &BadRequest { message }),
        Err(Refusal::TooLarge) => {
            let max_append_size = u32::try_from(limit).unwrap_or(u32::MAX);
            let detail = MaximumAppendSizeExceeded { max_append_size };
            refused(Code::InvalidArgument, "MaximumAppendSizeExceeded", &detail)
        }
        Err(Refusal::Timeout) => refused(Code::DeadlineExceeded, "Timeout", &Timeout {}),
        Err(Refusal::Unknown) => refused(Code::Unknown, "Unknown", &Unknown {}),
    };
    BatchAppendResp {
        correlation_id: asked.correlation,
        stream_identifier: asked.stream,
        result: Some(result),
        expected_stream_position: None,
    }
}

/// What became of an append, as the metrics call it.
fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Ok(AppendOutcome::Appended { .. }) => "appended",
        Ok(AppendOutcome::WrongExpectedRevision { .. }) => "wrong_expected_revision",
        Ok(AppendOutcome::StreamDeleted) => "stream_deleted",
        Err(_) => "failed",
    }
}

fn refused(code: Code, kind: &str, detail: &impl Message) -> Answer {
    let detail = Any {
        type_url: format!("type.googleapis.com/event_store.client.{kind}"),
        value: detail.encode_to_vec(),
    };
    Answer::Error(Status { code: code.into(), message: kind.to_owned(), details: Some(detail) })
}

fn wrong_expected_version(expected: Expected, current: Option<Revision>) -> WrongExpectedVersion {
    let current = current.map_or(CurrentStreamRevisionOption::CurrentNoStream(()), |revision| {
        CurrentStreamRevisionOption::CurrentStreamRevision(revision.0)
    });
    let expected = match expected {
        Expected::Revision(revision) => ExpectedStreamPositionOption::ExpectedStreamPosition(revision.0),
        Expected::Any => ExpectedStreamPositionOption::ExpectedAny(()),
        Expected::StreamExists => ExpectedStreamPositionOption::ExpectedStreamExists(()),
        Expected::NoStream => ExpectedStreamPositionOption::ExpectedNoStream(()),
    };
    WrongExpectedVersion {
        current_stream_revision_option: Some(current),
        expected_stream_position_option: Some(expected),
    }
}

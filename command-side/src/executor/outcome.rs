//! What came of a command.

use contract::{ApiError, ErrorCode, Position};
use domain::Refusal;
use event_store::Revision;
use serde_json::{Value, json};
use uuid::Uuid;

/// A command that was carried out, or that had nothing to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Which aggregate.
    pub aggregate: Uuid,
    /// Its revision behind the command; `None` only when nothing had to be done to an aggregate that is not there.
    pub revision: Option<Revision>,
    /// The last event written or seen.
    pub position: Position,
    /// How it came about.
    pub how: How,
}

/// How a command came to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Its events were written now.
    Written,
    /// It changes nothing.
    Unchanged,
    /// Its events stood in the log already: this is the answer it got then.
    Repeated,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// The rules do not allow it. The answer is final for this state.
    #[error("rejected: {message}")]
    Rejected {
        /// The rejection's line of the table.
        code: ErrorCode,
        /// Its sentence.
        message: String,
        /// What a program may want to know besides.
        details: Option<Value>,
        /// The last event seen.
        position: Position,
    },
    /// The aggregate is not at the revision asked for.
    #[error("the aggregate is at another revision")]
    PreconditionFailed {
        /// The one it is at.
        actual: Option<Revision>,
        /// The last event seen.
        position: Position,
    },
    /// The key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyReused {
        /// The last event seen.
        position: Position,
    },
    /// Others kept writing to the stream.
    #[error("others kept writing to the stream")]
    ConflictExhausted,
    /// An event would be too large.
    #[error("an event would have {bytes} bytes")]
    EventTooLarge {
        /// Its size, bytes; 0 when only the log knows.
        bytes: usize,
    },
    /// The events would hold data of a person whose data was erased.
    #[error("the person's data was erased")]
    PersonErased,
    /// Whether the events were written is not known.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
    /// Log or vault cannot be reached; nothing was written.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The stream cannot be read, or something else that only we can mend; nothing was written.
    #[error("internal: {0}")]
    Internal(String),
}

impl CommandError {
    /// The answer to a command that the rules do not allow.
    #[must_use]
    pub fn rejected(rejection: &impl Refusal, position: Position) -> Self {
        let (code, message, details) = (rejection.code(), rejection.to_string(), rejection.details());
        Self::Rejected { code, message, details, position }
    }

    /// The last event seen, where the answer depends on one.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Rejected { position, .. }
            | Self::PreconditionFailed { position, .. }
            | Self::KeyReused { position } => Some(*position),
            _ => None,
        }
    }

    /// The error as a client sees it: no internal cause.
    #[must_use]
    pub fn public(&self) -> ApiError {
        match self {
            Self::Rejected { code, message, details, .. } => {
                let error = ApiError::new(*code).with_message(message);
                match details {
                    Some(details) => error.with_details(details.clone()),
                    None => error,
                }
            }
            Self::PreconditionFailed { actual, .. } => ApiError::new(ErrorCode::PreconditionFailed)
                .with_details(json!({ "revision": actual.map(|revision| revision.0) })),
            Self::KeyReused { .. } => ErrorCode::IdempotencyKeyReused.into(),
            Self::ConflictExhausted => ErrorCode::ConflictExhausted.into(),
            Self::EventTooLarge { .. } => ErrorCode::EventTooLarge.into(),
            Self::PersonErased => ErrorCode::PersonErased.into(),
            Self::OutcomeUnknown(_) => ErrorCode::OutcomeUnknown.into(),
            Self::Unavailable(_) => ErrorCode::Unavailable.into(),
            Self::Internal(_) => ErrorCode::Internal.into(),
        }
    }
}

//! What went wrong, and how a client hears of it: every cause ends in one line of the contract's table. Causes within
//! the service are logged here and never shown.

use async_graphql::{ErrorExtensionValues, ErrorExtensions as _, ServerError, Value};
use contract::status::State;
use contract::{ApiError, ErrorCode, LogPosition, Position};
use jiff::Timestamp;
use observability::postgres::told;
use serde_json::json;
use tokio_postgres::error::SqlState;

/// Why the read model gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// No connection, or none came free.
    #[error("no connection to the read model: {}", told(.0))]
    Pool(#[from] deadpool_postgres::PoolError),
    /// A statement failed, or a row has another shape than this binary knows.
    #[error("the read model: {}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// Nothing was folded yet.
    #[error("projection {projection} has no version yet")]
    NotProjected {
        /// Which one.
        projection: &'static str,
    },
    /// This process has no search index of the version that is served, or one that does not belong to its table.
    #[error("the search index of projection version {version} is not there yet")]
    NotIndexed {
        /// Which one.
        version: i32,
    },
    /// Neither the fold of the active version nor one of a version before it is known here.
    #[error("projection {projection} is of fold {active}, which this binary does not know")]
    UnknownFold {
        /// Which one.
        projection: &'static str,
        /// The fold of the version that readers shall use.
        active: i32,
    },
    /// A status row holds a value that cannot be.
    #[error("the status row of a projection: {0}")]
    StatusRow(String),
    /// A resolver reads a projection that [`crate::schema::touched_by`] does not name for its field.
    #[error("projection {projection} is read but was not waited for")]
    Undeclared {
        /// Which one.
        projection: &'static str,
    },
    /// The position asked for was not reached in time.
    #[error("projection {projection} is behind")]
    Behind {
        /// Which one.
        projection: &'static str,
        /// Where it is, if it has begun.
        position: Option<LogPosition>,
        /// Where it should be.
        requested: Position,
        /// What its worker does, if there is one.
        state: Option<State>,
    },
    /// The past is not kept as far back.
    #[error("projection {projection} does not keep what was so far back")]
    AsOfTooOld {
        /// Which one.
        projection: &'static str,
        /// From where on it does, and the moment that belongs to it; none for not at all.
        oldest: Option<(Position, Option<Timestamp>)>,
    },
    /// The past asked for has not been yet.
    #[error("the read model has come to {position}")]
    AsOfNotYet {
        /// How far it is.
        position: Position,
    },
    /// Of a view that is read as of a position, nothing is kept.
    #[error("it is not kept what {view} were")]
    NoHistory {
        /// Which one.
        view: &'static str,
    },
    /// The position asked for is of another log.
    #[error("position {requested} is of another log")]
    OtherLog {
        /// The token.
        requested: Position,
    },
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        let code = match &error {
            ReadError::Behind { projection, position, requested, state } => {
                let reason = match state {
                    Some(State::Failed) => "failed",
                    Some(State::NeedsUpgrade) => "needs upgrade",
                    Some(State::Stopped) | None => "stopped",
                    Some(State::CatchingUp | State::Live) => "behind",
                };
                let served = position.map(|at| Position { log: requested.log, at });
                return ApiError::new(ErrorCode::ReadModelBehind).with_details(json!({
                    "reason": reason, "projection": projection, "position": served, "requested": requested,
                }));
            }
            ReadError::AsOfTooOld { projection, oldest } => return too_old(projection, *oldest),
            ReadError::AsOfNotYet { position } => {
                return ApiError::new(ErrorCode::AsOfNotYet).with_details(json!({"position": position}));
            }
            ReadError::OtherLog { .. } => return ApiError::new(ErrorCode::OtherLog),
            ReadError::NotProjected { .. } | ReadError::NotIndexed { .. } | ReadError::UnknownFold { .. } => {
                ErrorCode::Unavailable
            }
            ReadError::Pool(deadpool_postgres::PoolError::Timeout(_)) => ErrorCode::TooManyRequests,
            ReadError::Pool(_) => ErrorCode::Unavailable,
            ReadError::Postgres(cause) => code_of(cause),
            ReadError::StatusRow(_) | ReadError::Undeclared { .. } | ReadError::NoHistory { .. } => {
                ErrorCode::Internal
            }
        };
        if code == ErrorCode::Internal {
            tracing::error!(error = %error, "a query failed");
        } else if matches!(code, ErrorCode::TooManyRequests | ErrorCode::InvalidInput) {
            // What clients bring about is in the metrics, and no reason to write a line for each.
            tracing::debug!(error = %error, code = code.as_str(), "a query was refused");
        } else {
            tracing::warn!(error = %error, code = code.as_str(), "the read model gave no answer");
        }
        ApiError::new(code)
    }
}

/// Where the past begins instead.
fn too_old(projection: &str, oldest: Option<(Position, Option<Timestamp>)>) -> ApiError {
    let error = ApiError::new(ErrorCode::AsOfTooOld);
    match oldest {
        Some((position, time)) => error.with_details(json!({
            "projection": projection, "oldestPosition": position, "oldestTime": time.map(|time| time.to_string()),
        })),
        None => error
            .with_message(format!("it is not kept what the rows of projection {projection} were"))
            .with_details(json!({"projection": projection})),
    }
}

fn code_of(error: &tokio_postgres::Error) -> ErrorCode {
    match error.code() {
        Some(&SqlState::QUERY_CANCELED) => ErrorCode::Timeout,
        // A text with a NUL character, which no column can hold.
        Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE) => ErrorCode::InvalidInput,
        // A moment or a day before the first that a column can hold.
        Some(&SqlState::DATETIME_FIELD_OVERFLOW) => ErrorCode::InvalidInput,
        // The tables come with the first start of the projections, new columns with that of a newer binary.
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN) => ErrorCode::Unavailable,
        // A statement beside this one failed, and its error tells more.
        Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => ErrorCode::Unavailable,
        Some(state) if ["08", "53", "57"].iter().any(|class| state.code().starts_with(class)) => {
            ErrorCode::Unavailable
        }
        Some(_) => ErrorCode::Internal,
        None if error.is_closed() => ErrorCode::Unavailable,
        None => ErrorCode::Internal,
    }
}

/// An error on its way through the GraphQL library. (Not `Display`: the library would take only its text.)
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) ApiError);

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self(error.into())
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        ReadError::from(error).into()
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(Failure(error): Failure) -> Self {
        async_graphql::Error::new(error.message.clone()).extend_with(|_, values| fill(values, &error))
    }
}

/// The same for an error that belongs to no field.
pub(crate) fn request_error(error: &ApiError) -> ServerError {
    let mut server_error = ServerError::new(error.message.clone(), None);
    fill(server_error.extensions.get_or_insert_default(), error);
    server_error
}

fn fill(values: &mut ErrorExtensionValues, error: &ApiError) {
    values.set("code", error.code.as_str());
    if let Some(details) = error.details.clone() {
        values.set("details", Value::from_json(details).unwrap_or_default());
    }
}

/// The code of an error in an answer. What the library itself finds wrong gets its code here: it knows the field for
/// what went wrong while carrying out, such as a value of a variable, and none for a document it refuses.
pub(crate) fn settle_code(error: &mut ServerError) -> ErrorCode {
    let given = match error.extensions.as_ref().and_then(|values| values.get("code")) {
        Some(Value::String(code)) => ErrorCode::ALL.iter().find(|known| known.as_str() == code),
        _ => None,
    };
    let code = given.copied().unwrap_or(match error.message.as_str() {
        "Query is too complex." => ErrorCode::QueryTooComplex,
        _ if error.path.is_empty() => ErrorCode::InvalidQuery,
        _ => ErrorCode::InvalidInput,
    });
    error.extensions.get_or_insert_default().set("code", code.as_str());
    code
}

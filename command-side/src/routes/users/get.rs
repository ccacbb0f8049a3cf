use axum::extract::State;
use contract::{ErrorCode, Position};
use domain::Personal;
use domain::user::{State as User, Status};
use domain::value::{Country, CustomerNumber, Email, PersonName};
use observability::http::RequestId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::commands::Commands;
use crate::executor::Current;
use crate::http::{AggregateId, Failure, Found};

/// A customer as it stands in the log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct UserBody {
    /// Which user.
    id: Uuid,
    /// What the shop calls the customer.
    #[schema(value_type = String)]
    customer_number: CustomerNumber,
    /// Where the customer lives.
    #[schema(value_type = String)]
    country: Country,
    /// The customer's name; null when there is none, or none any more.
    #[schema(value_type = Option<String>)]
    name: Option<PersonName>,
    /// The customer's e-mail address; null when there is none, or none any more.
    #[schema(value_type = Option<String>)]
    email: Option<Email>,
    /// `ACTIVE` or `DEACTIVATED`.
    status: &'static str,
    /// The revision of the last event.
    revision: u64,
    /// The position of the last event.
    #[schema(value_type = String)]
    position: Position,
}

/// A customer as it stands in the log now, however far the read side is.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users",
    params(("id" = Uuid, Path, description = "The user")), responses((status = 200, body = UserBody)))]
pub(crate) async fn get_user(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    request: RequestId,
) -> Result<Found<UserBody>, Failure> {
    match commands.users.current(id).await {
        Err(error) => Err(Failure::of_command(&error, request)),
        Ok(current) => current.and_then(found).ok_or_else(|| Failure::new(ErrorCode::UserNotFound, request)),
    }
}

fn found(current: Current<User>) -> Option<Found<UserBody>> {
    let Current { state, revision, position } = current;
    let User::Known { user_id, customer_number, country, name, email, status } = state else {
        return None;
    };
    let status = match status {
        Status::Active => "ACTIVE",
        Status::Deactivated => "DEACTIVATED",
    };
    let body = UserBody {
        id: user_id.0,
        customer_number,
        country,
        name: clear(name),
        email: clear(email),
        status,
        revision: revision.0,
        position,
    };
    Some(Found { body, revision: revision.0, position })
}

fn clear<T>(field: Option<Personal<T>>) -> Option<T> {
    match field {
        Some(Personal::Clear(value)) => Some(value),
        Some(Personal::Erased) | None => None,
    }
}

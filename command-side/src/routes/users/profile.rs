use axum::extract::State;
use domain::Personal;
use domain::ids::{PersonId, UserId};
use domain::user::Command;
use domain::value::{Country, Email, PersonName};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "change-user-profile", kind: KIND, creates: false };

/// What is known of a customer from now on; what is not given is taken away.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeUserProfile {
    /// Where the customer lives.
    #[schema(value_type = String, min_length = 1, max_length = 64)]
    country: Country,
    /// The customer's name.
    #[schema(value_type = Option<String>, max_length = 200)]
    name: Option<PersonName>,
    /// The customer's e-mail address.
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Option<Email>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Replaces country, name and e-mail address of a customer.
#[utoipa::path(post, path = "/v1/users/{id}/profile", tag = "users", request_body = ChangeUserProfile,
    params(("id" = Uuid, Path, description = "The user")), responses((status = 200, body = Answer)))]
pub(crate) async fn change_user_profile(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<ChangeUserProfile>,
) -> Result<Answer, Failure> {
    let person = (body.name.is_some() || body.email.is_some()).then(|| PersonId::from(UserId(id)));
    let command = Command::ChangeProfile {
        country: body.country,
        name: body.name.map(Personal::Clear),
        email: body.email.map(Personal::Clear),
    };
    let order = Order { aggregate: id, command, person, occurred_at: body.occurred_at };
    carry_out(&commands, &commands.users, &OPERATION, order, sent).await
}

use axum::extract::State;
use domain::Personal;
use domain::ids::{PersonId, UserId};
use domain::user::Command;
use domain::value::{Country, CustomerNumber, Email, PersonName};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "register-user", kind: KIND, creates: true };

/// A customer to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RegisterUser {
    /// What the shop calls the customer. The id follows from it.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "17850")]
    customer_number: CustomerNumber,
    /// Where the customer lives.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "United Kingdom")]
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

/// Registers a new customer.
#[utoipa::path(post, path = "/v1/users", tag = "users", request_body = RegisterUser,
    responses((status = 201, body = Answer)))]
pub(crate) async fn register_user(
    State(commands): State<Commands>,
    Envelope { body, sent }: Envelope<RegisterUser>,
) -> Result<Answer, Failure> {
    let user = UserId::from_number(&body.customer_number);
    let person = (body.name.is_some() || body.email.is_some()).then(|| PersonId::from(user));
    let command = Command::Register {
        customer_number: body.customer_number,
        country: body.country,
        name: body.name.map(Personal::Clear),
        email: body.email.map(Personal::Clear),
    };
    let order = Order { aggregate: user.0, command, person, occurred_at: body.occurred_at };
    carry_out(&commands, &commands.users, &OPERATION, order, sent).await
}

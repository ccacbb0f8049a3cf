use axum::extract::State;
use domain::ids::{OrderId, PaymentId};
use domain::payment::Command;
use domain::value::GatewayToken;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::products::check_currency;
use crate::routes::references::{Reference, Referring};
use crate::routes::{MoneySchema, PriceBody};

const OPERATION: Operation = Operation { name: "request-payment", kind: KIND, creates: true };

/// A payment to be asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RequestPayment {
    /// For which order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// How much.
    #[schema(value_type = MoneySchema)]
    amount: PriceBody,
    /// What the gateway knows the buyer's choice by.
    #[schema(value_type = Option<String>, max_length = 128)]
    token: Option<GatewayToken>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Asks for the money of an order.
#[utoipa::path(post, path = "/v1/payments", tag = "payments", request_body = RequestPayment,
    responses((status = 201, body = Answer)))]
pub(crate) async fn request_payment(
    State(commands): State<Commands>,
    Envelope { body, mut sent }: Envelope<RequestPayment>,
) -> Result<Answer, Failure> {
    if let Err(error) = check_currency(body.amount.0, commands.currency) {
        return Err(sent.refuse(error));
    }
    let RequestPayment { order_id, amount, token, occurred_at } = body;
    let id = sent.name_new(&OPERATION);
    let command = Referring {
        command: Command::Request { payment_id: PaymentId(id), order_id, amount: amount.0, token },
        references: vec![Reference::Order(order_id)],
        commands: commands.clone(),
    };
    let order = Order::new(id, command, occurred_at);
    prepare_and_carry_out(&commands, &commands.payments, &OPERATION, order, sent).await
}

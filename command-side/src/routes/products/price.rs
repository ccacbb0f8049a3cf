use axum::extract::State;
use domain::product::Command;
use domain::value::Price;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::MoneySchema;

const OPERATION: Operation = Operation { name: "change-product-price", kind: KIND, creates: false };

/// What a product costs from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeProductPrice {
    /// The price, in the currency it has.
    #[serde(deserialize_with = "super::price")]
    #[schema(value_type = MoneySchema)]
    price: Price,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Sets another price for a product.
#[utoipa::path(post, path = "/v1/products/{id}/price", tag = "products", request_body = ChangeProductPrice,
    params(("id" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn change_product_price(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<ChangeProductPrice>,
) -> Result<Answer, Failure> {
    let command = Command::ChangePrice { price: body.price };
    carry_out(&commands, &commands.products, &OPERATION, Order::new(id, command, body.occurred_at), sent)
        .await
}

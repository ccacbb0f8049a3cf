use axum::extract::State;
use domain::ids::ProductId;
use domain::product::Command;
use domain::value::{Description, Price, ProductName, Sku};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KIND, check_currency};
use crate::commands::Commands;
use crate::http::{Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::MoneySchema;

const OPERATION: Operation = Operation { name: "list-product", kind: KIND, creates: true };

/// A product to be listed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListProduct {
    /// What the shop calls it. Its id follows from it.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "85123A")]
    sku: Sku,
    /// What it is called.
    #[schema(value_type = Option<String>, max_length = 200, example = "WHITE HANGING HEART T-LIGHT HOLDER")]
    name: Option<ProductName>,
    /// What there is to say of it.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Option<Description>,
    /// What it costs.
    #[serde(deserialize_with = "super::price")]
    #[schema(value_type = MoneySchema)]
    price: Price,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Takes a new product into the catalogue.
#[utoipa::path(post, path = "/v1/products", tag = "products", request_body = ListProduct,
    responses((status = 201, body = Answer)))]
pub(crate) async fn list_product(
    State(commands): State<Commands>,
    Envelope { body, sent }: Envelope<ListProduct>,
) -> Result<Answer, Failure> {
    if let Err(error) = check_currency(body.price, commands.currency) {
        return Err(sent.refuse(error));
    }
    let id = ProductId::from_sku(&body.sku);
    let command =
        Command::List { sku: body.sku, name: body.name, description: body.description, price: body.price };
    carry_out(&commands, &commands.products, &OPERATION, Order::new(id.0, command, body.occurred_at), sent)
        .await
}

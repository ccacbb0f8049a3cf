use axum::extract::State;
use domain::product::Command;
use domain::value::{Description, ProductName};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "change-product-details", kind: KIND, creates: false };

/// What a product is called from now on; what is not given is taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeProductDetails {
    /// What it is called.
    #[schema(value_type = Option<String>, max_length = 200)]
    name: Option<ProductName>,
    /// What there is to say of it.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Option<Description>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Replaces name and description of a product.
#[utoipa::path(post, path = "/v1/products/{id}/details", tag = "products", request_body = ChangeProductDetails,
    params(("id" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn change_product_details(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<ChangeProductDetails>,
) -> Result<Answer, Failure> {
    let command = Command::ChangeDetails { name: body.name, description: body.description };
    carry_out(&commands, &commands.products, &OPERATION, Order::new(id, command, body.occurred_at), sent)
        .await
}

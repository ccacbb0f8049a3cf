use axum::extract::State;
use contract::{ErrorCode, Money, Position};
use domain::product::{State as Product, Status};
use domain::value::{Description, ProductName, Sku};
use observability::http::RequestId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::commands::Commands;
use crate::executor::Current;
use crate::http::{AggregateId, Failure, Found};
use crate::routes::MoneySchema;

/// A product as it stands in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Product)]
pub(crate) struct ProductBody {
    /// Which product.
    id: Uuid,
    /// What the shop calls it.
    #[schema(value_type = String)]
    sku: Sku,
    /// What it is called.
    #[schema(value_type = Option<String>)]
    name: Option<ProductName>,
    /// What there is to say of it.
    #[schema(value_type = Option<String>)]
    description: Option<Description>,
    /// What it costs.
    #[schema(value_type = MoneySchema)]
    price: Money,
    /// `LISTED` or `DELISTED`.
    status: &'static str,
    /// The revision of its last event.
    revision: u64,
    /// The position of its last event.
    #[schema(value_type = String)]
    position: Position,
}

/// A product as it stands in the log now, however far the read side is.
#[utoipa::path(get, path = "/v1/products/{id}", tag = "products",
    params(("id" = Uuid, Path, description = "The product")), responses((status = 200, body = ProductBody)))]
pub(crate) async fn get_product(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    request: RequestId,
) -> Result<Found<ProductBody>, Failure> {
    match commands.products.current(id).await {
        Err(error) => Err(Failure::of_command(&error, request)),
        Ok(current) => {
            current.and_then(found).ok_or_else(|| Failure::new(ErrorCode::ProductNotFound, request))
        }
    }
}

fn found(current: Current<Product>) -> Option<Found<ProductBody>> {
    let Current { state, revision, position } = current;
    let Product::Known { product_id, sku, name, description, price, status } = state else {
        return None;
    };
    let status = match status {
        Status::Listed => "LISTED",
        Status::Delisted => "DELISTED",
    };
    let body = ProductBody {
        id: product_id.0,
        sku,
        name,
        description,
        price: price.money(),
        status,
        revision: revision.0,
        position,
    };
    Some(Found { body, revision: revision.0, position })
}

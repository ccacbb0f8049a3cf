use axum::extract::State;
use contract::{ErrorCode, Position};
use observability::http::RequestId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::commands::Commands;
use crate::http::{AggregateId, Failure, Found};

/// The stock of a product as it stands in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Stock)]
pub(crate) struct StockBody {
    /// Of which product.
    id: Uuid,
    /// Units in the house, the reserved ones too.
    on_hand: i64,
    /// Units set aside for orders.
    reserved: i64,
    /// Units that can still be reserved; below 0 when a count took away reserved ones.
    available: i64,
    /// The revision of its last event.
    revision: u64,
    /// The position of its last event.
    #[schema(value_type = String)]
    position: Position,
}

/// The stock of a product as it stands in the log now, however far the read side is.
#[utoipa::path(get, path = "/v1/stock/{productId}", tag = "stock",
    params(("productId" = Uuid, Path, description = "The product")), responses((status = 200, body = StockBody)))]
pub(crate) async fn get_stock(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    request: RequestId,
) -> Result<Found<StockBody>, Failure> {
    match commands.stock.current(id).await {
        Err(error) => Err(Failure::of_command(&error, request)),
        Ok(None) => Err(Failure::new(ErrorCode::StockNotFound, request)),
        Ok(Some(current)) => {
            let (state, revision, position) = (current.state, current.revision.0, current.position);
            let body = StockBody {
                id,
                on_hand: state.on_hand,
                reserved: state.reserved,
                available: state.available(),
                revision,
                position,
            };
            Ok(Found { body, revision, position })
        }
    }
}

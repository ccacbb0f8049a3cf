use axum::extract::State;
use contract::{ErrorCode, Position};
use domain::ids::OrderId;
use domain::shipment::{State as Shipment, Status};
use domain::value::GatewayReference;
use observability::http::RequestId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::commands::Commands;
use crate::executor::Current;
use crate::http::{AggregateId, Failure, Found};

/// A shipment as it stands in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Shipment)]
pub(crate) struct ShipmentBody {
    /// Which shipment.
    id: Uuid,
    /// Of which order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// `REQUESTED`, `DISPATCHED`, `DELIVERED` or `FAILED`.
    status: &'static str,
    /// What the carrier calls it.
    #[schema(value_type = Option<String>)]
    reference: Option<GatewayReference>,
    /// The revision of its last event.
    revision: u64,
    /// The position of its last event.
    #[schema(value_type = String)]
    position: Position,
}

/// A shipment as it stands in the log now, however far the read side is.
#[utoipa::path(get, path = "/v1/shipments/{id}", tag = "shipments",
    params(("id" = Uuid, Path, description = "The shipment")), responses((status = 200, body = ShipmentBody)))]
pub(crate) async fn get_shipment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    request: RequestId,
) -> Result<Found<ShipmentBody>, Failure> {
    match commands.shipments.current(id).await {
        Err(error) => Err(Failure::of_command(&error, request)),
        Ok(current) => {
            current.and_then(found).ok_or_else(|| Failure::new(ErrorCode::ShipmentNotFound, request))
        }
    }
}

fn found(current: Current<Shipment>) -> Option<Found<ShipmentBody>> {
    let Current { state, revision, position } = current;
    let Shipment::Requested(shipment) = state else {
        return None;
    };
    let body = ShipmentBody {
        id: shipment.shipment_id.0,
        order_id: shipment.order_id,
        status: match shipment.status {
            Status::Requested => "REQUESTED",
            Status::Dispatched => "DISPATCHED",
            Status::Delivered => "DELIVERED",
            Status::Failed => "FAILED",
        },
        reference: shipment.reference,
        revision: revision.0,
        position,
    };
    Some(Found { body, revision: revision.0, position })
}

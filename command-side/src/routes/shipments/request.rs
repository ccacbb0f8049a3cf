use axum::extract::State;
use domain::ids::{OrderId, ShipmentId};
use domain::shipment::Command;
use domain::value::GatewayToken;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::references::{Reference, Referring};

const OPERATION: Operation = Operation { name: "request-shipment", kind: KIND, creates: true };

/// A shipment to be asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RequestShipment {
    /// Of which order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// What the gateway knows the buyer's choice by.
    #[schema(value_type = Option<String>, max_length = 128)]
    token: Option<GatewayToken>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Asks the carrier to fetch an order.
#[utoipa::path(post, path = "/v1/shipments", tag = "shipments", request_body = RequestShipment,
    responses((status = 201, body = Answer)))]
pub(crate) async fn request_shipment(
    State(commands): State<Commands>,
    Envelope { body, mut sent }: Envelope<RequestShipment>,
) -> Result<Answer, Failure> {
    let RequestShipment { order_id, token, occurred_at } = body;
    let id = sent.name_new(&OPERATION);
    let command = Referring {
        command: Command::Request { shipment_id: ShipmentId(id), order_id, token },
        references: vec![Reference::Order(order_id)],
        commands: commands.clone(),
    };
    let order = Order::new(id, command, occurred_at);
    prepare_and_carry_out(&commands, &commands.shipments, &OPERATION, order, sent).await
}

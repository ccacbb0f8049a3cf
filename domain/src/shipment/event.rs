use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, PersonId, ShipmentId};
use crate::value::{GatewayReference, GatewayToken, Reason};

/// What happened to a shipment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// The carrier was asked for it.
    Requested {
        /// Which shipment.
        shipment_id: ShipmentId,
        /// Of which order.
        order_id: OrderId,
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// The carrier has the goods.
    Dispatched {
        /// Which shipment.
        shipment_id: ShipmentId,
        /// Of which order.
        order_id: OrderId,
        /// What the carrier calls it.
        reference: GatewayReference,
    },
    /// The goods arrived.
    Delivered {
        /// Which shipment.
        shipment_id: ShipmentId,
        /// Of which order.
        order_id: OrderId,
    },
    /// The goods did not arrive, or could not be sent.
    Failed {
        /// Which shipment.
        shipment_id: ShipmentId,
        /// Of which order.
        order_id: OrderId,
        /// Why.
        reason: Reason,
    },
}

event_types! {
    Requested = "ShipmentRequested" v 1;
    Dispatched = "ShipmentDispatched" v 1;
    Delivered = "ShipmentDelivered" v 1;
    Failed = "ShipmentFailed" v 1;
}

impl Event {
    /// Nobody: a shipment holds ids and tokens only.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        None
    }
}

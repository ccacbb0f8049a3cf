use crate::ids::{OrderId, ShipmentId};
use crate::value::{GatewayReference, GatewayToken, Reason};

/// What can be asked of a shipment.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Asks the carrier for it.
    Request {
        /// Its id, which names its stream.
        shipment_id: ShipmentId,
        /// Of which order.
        order_id: OrderId,
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// Says that the carrier has the goods.
    Dispatch {
        /// What the carrier calls it.
        reference: GatewayReference,
    },
    /// Says that the goods arrived.
    Deliver,
    /// Says that the goods did not arrive, or could not be sent.
    Fail {
        /// Why.
        reason: Reason,
    },
}

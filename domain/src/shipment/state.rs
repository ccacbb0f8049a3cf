use crate::ids::{OrderId, ShipmentId};
use crate::value::GatewayReference;

/// A shipment as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// Nobody asked for it yet.
    #[default]
    Unknown,
    /// It was asked for.
    Requested(Requested),
}

/// A shipment that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Requested {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// How far it is.
    pub status: Status,
    /// What the carrier calls it.
    pub reference: Option<GatewayReference>,
}

/// How far a shipment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The carrier was asked for it.
    Requested,
    /// The carrier has the goods.
    Dispatched,
    /// The goods arrived.
    Delivered,
    /// The goods did not arrive, or could not be sent.
    Failed,
}

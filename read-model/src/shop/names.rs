//! How far orders, payments and shipments are.

use crate::column::names;

names! {
    /// How far an order is.
    OrderStatus {
        /// Somebody bought.
        Placed = "PLACED",
        /// Everything it needs is set aside.
        Reserved = "RESERVED",
        /// It is paid.
        Paid = "PAID",
        /// It left the house.
        Shipped = "SHIPPED",
        /// It arrived.
        Delivered = "DELIVERED",
        /// It was called off.
        Cancelled = "CANCELLED",
    }
}

names! {
    /// How far a payment is.
    PaymentStatus {
        /// The money was asked for.
        Requested = "REQUESTED",
        /// The gateway holds it.
        Authorized = "AUTHORIZED",
        /// The gateway has taken it.
        Captured = "CAPTURED",
        /// There will be none.
        Declined = "DECLINED",
    }
}

names! {
    /// How far a shipment is.
    ShipmentStatus {
        /// The carrier was asked for it.
        Requested = "REQUESTED",
        /// The carrier has the goods.
        Dispatched = "DISPATCHED",
        /// The goods arrived.
        Delivered = "DELIVERED",
        /// The goods did not arrive, or could not be sent.
        Failed = "FAILED",
    }
}

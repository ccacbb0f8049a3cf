use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, PersonId, ProductId, ReturnId};
use crate::value::{Quantity, QuantityChange, Reason};

/// What happened to the stock of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// Units came in; on hand grew.
    Received {
        /// Of which product.
        product_id: ProductId,
        /// How many.
        quantity: Quantity,
    },
    /// The count was set right; on hand changed.
    Adjusted {
        /// Of which product.
        product_id: ProductId,
        /// How many more or fewer.
        quantity: QuantityChange,
        /// Why.
        reason: Reason,
    },
    /// Units were set aside; reserved grew.
    Reserved {
        /// Of which product.
        product_id: ProductId,
        /// For which order.
        order_id: OrderId,
        /// How many.
        quantity: Quantity,
    },
    /// A reservation was given up; reserved shrank.
    Released {
        /// Of which product.
        product_id: ProductId,
        /// Of which order.
        order_id: OrderId,
        /// How many.
        quantity: Quantity,
    },
    /// Reserved units left the house; on hand and reserved shrank.
    Shipped {
        /// Of which product.
        product_id: ProductId,
        /// Of which order.
        order_id: OrderId,
        /// How many.
        quantity: Quantity,
    },
    /// Returned units are back; on hand grew.
    Restocked {
        /// Of which product.
        product_id: ProductId,
        /// Of which return.
        return_id: ReturnId,
        /// How many.
        quantity: Quantity,
    },
}

event_types! {
    Received = "StockReceived" v 1;
    Adjusted = "StockAdjusted" v 1;
    Reserved = "StockReserved" v 1;
    Released = "StockReleased" v 1;
    Shipped = "StockShipped" v 1;
    Restocked = "StockRestocked" v 1;
}

impl Event {
    /// Nobody: stock holds ids only.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        None
    }
}

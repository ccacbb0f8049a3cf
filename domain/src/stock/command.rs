use crate::ids::{OrderId, ProductId, ReturnId};
use crate::value::{Quantity, QuantityChange, Reason};

/// What can be asked of a product's stock.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Of which product; the id of the stream.
    pub product_id: ProductId,
    /// What is to be done.
    pub action: Action,
}

/// What can be done with stock.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Takes in units from a supplier.
    Receive {
        /// How many.
        quantity: Quantity,
    },
    /// Sets the count right after somebody counted. It states a fact, so it may leave less than is reserved.
    Adjust {
        /// How many more or fewer there are.
        quantity: QuantityChange,
        /// Why.
        reason: Reason,
    },
    /// Sets units aside for an order, all its lines of the product together.
    Reserve {
        /// For which order.
        order_id: OrderId,
        /// How many.
        quantity: Quantity,
    },
    /// Gives up what was set aside for an order.
    Release {
        /// Of which order.
        order_id: OrderId,
    },
    /// Hands what was set aside for an order to the carrier.
    Ship {
        /// Of which order.
        order_id: OrderId,
    },
    /// Puts returned units back on the shelf.
    Restock {
        /// Of which return.
        return_id: ReturnId,
        /// How many.
        quantity: Quantity,
    },
}

use std::collections::BTreeMap;

use crate::ids::OrderId;
use crate::value::Quantity;

/// The stock of a product as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Units in the house, the reserved ones too. Never below 0.
    pub on_hand: i64,
    /// The sum of all open reservations.
    pub reserved: i64,
    /// What is set aside, by order. One that was released or shipped is forgotten.
    pub reservations: BTreeMap<OrderId, Quantity>,
}

impl State {
    /// Units that can still be reserved; below 0 when an adjustment took away reserved ones.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

//! How far an order is, piece by piece. Everything but [`State::begin`] that changes it stands in `facts` (what
//! happened) and `advance` (what is asked for).

use std::collections::BTreeMap;

use domain::ids::ProductId;
use domain::order::CancelReason;
use domain::value::{GatewayReference, GatewayToken, Price, Quantity};
use domain::{ShopEvent, order};
use serde::{Deserialize, Serialize};

use crate::trouble::Trouble;

/// The fulfilment of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// What it is after.
    pub goal: Goal,
    /// How far the order itself is.
    pub order: OrderStep,
    /// How far the order was asked to be.
    pub order_asked: OrderStep,
    /// Whether another payment than the order's own paid it: somebody saw to that by hand.
    pub paid_otherwise: bool,
    /// Whether it left with another shipment than the order's own.
    pub shipped_otherwise: bool,
    /// What it needs, a product once, in the order of their ids.
    pub items: Vec<Item>,
    /// What it comes to.
    pub amount: Price,
    /// What the payment gateway knows the buyer's choice by.
    pub payment_token: Option<GatewayToken>,
    /// How far the payment is.
    pub payment: PaymentStep,
    /// What the payment gateway calls it.
    pub payment_reference: Option<GatewayReference>,
    /// What went back for returns or by hand, in minor units.
    pub refunded_minor: i64,
    /// What the shipping gateway knows the buyer's choice by.
    pub shipping_token: Option<GatewayToken>,
    /// How far the shipment is.
    pub shipment: ShipmentStep,
    /// What the carrier calls it.
    pub shipment_reference: Option<GatewayReference>,
    /// Commands that were refused for good, and nothing was to be done about it.
    pub troubles: Vec<Trouble>,
}

/// What the saga is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// That the goods arrive, paid.
    Deliver,
    /// That nothing stands of the order any more.
    Undo(CancelReason),
}

/// What the order needs of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which product.
    pub product_id: ProductId,
    /// How many, over all its lines.
    pub quantity: Quantity,
    /// How far it is.
    pub step: ItemStep,
}

/// How far the stock of a product is. What ends in `-ing` was asked for and not answered yet, here and below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the words say it")]
pub enum ItemStep {
    Reserving,
    Refused,
    Reserved,
    Releasing,
    Released,
    Shipping,
    Shipped,
}

/// How far the order is; each comes after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the words say it")]
pub enum OrderStep {
    Placed,
    Reserved,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
}

/// How far the payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the words say it")]
pub enum PaymentStep {
    None,
    Requesting,
    Requested,
    Authorizing,
    Authorized,
    Capturing,
    Captured,
    Declining,
    Declined,
    Refunding,
    Refunded,
}

/// How far the shipment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the words say it")]
pub enum ShipmentStep {
    None,
    Requesting,
    Requested,
    Dispatching,
    Dispatched,
    Tracking,
    Delivered,
    Failing,
    Failed,
}

impl State {
    /// Begins with the order; none with anything else.
    pub(super) fn begin(event: &ShopEvent) -> Option<Self> {
        let ShopEvent::Order(order::Event::Placed { lines, total, payment_token, shipping_token, .. }) =
            event
        else {
            return None;
        };
        let mut quantities = BTreeMap::<ProductId, i64>::new();
        for line in lines {
            let quantity = quantities.entry(line.product_id).or_default();
            *quantity = quantity.saturating_add(line.quantity.units());
        }
        // An order is only placed when all its units together can be counted and its total is not below 0.
        let items = quantities.into_iter().filter_map(|(product_id, units)| {
            let quantity = Quantity::new(units).ok()?;
            Some(Item { product_id, quantity, step: ItemStep::Released })
        });
        Some(Self {
            goal: Goal::Deliver,
            order: OrderStep::Placed,
            order_asked: OrderStep::Placed,
            paid_otherwise: false,
            shipped_otherwise: false,
            items: items.collect(),
            amount: Price::new(*total).ok()?,
            payment_token: payment_token.clone(),
            payment: PaymentStep::None,
            payment_reference: None,
            refunded_minor: 0,
            shipping_token: shipping_token.clone(),
            shipment: ShipmentStep::None,
            shipment_reference: None,
            troubles: Vec::new(),
        })
    }

    /// Whether nothing more will come of it.
    pub(super) fn is_over(&self) -> bool {
        let is_undone = self.goal != Goal::Deliver;
        let order = matches!(self.order, OrderStep::Delivered | OrderStep::Cancelled);
        let stock =
            |item: &Item| matches!(item.step, ItemStep::Refused | ItemStep::Released | ItemStep::Shipped);
        let payment = match self.payment {
            PaymentStep::None | PaymentStep::Declined | PaymentStep::Refunded => true,
            PaymentStep::Captured => !is_undone && !self.paid_otherwise,
            _ => false,
        };
        let shipment =
            matches!(self.shipment, ShipmentStep::None | ShipmentStep::Delivered | ShipmentStep::Failed);
        order && payment && shipment && self.troubles.is_empty() && self.items.iter().all(stock)
    }

    /// Where it stands, for operators.
    pub(super) fn word(&self) -> &'static str {
        match (self.goal, self.order, self.is_over()) {
            (Goal::Deliver, _, true) => "DELIVERED",
            (Goal::Undo(_), _, true) => "CANCELLED",
            (Goal::Undo(_), _, false) => "CANCELLING",
            (Goal::Deliver, _, false) if !self.all_reserved() && !self.goods_left() => "RESERVING",
            (Goal::Deliver, OrderStep::Placed | OrderStep::Reserved, _) => "PAYING",
            (Goal::Deliver, OrderStep::Paid, _) => "SHIPPING",
            (Goal::Deliver, ..) => "DELIVERING",
        }
    }

    /// Whether everything it needs is set aside.
    pub(super) fn all_reserved(&self) -> bool {
        self.items.iter().all(|item| item.step == ItemStep::Reserved)
    }

    /// Whether the carrier has, or had, the goods.
    pub(super) fn goods_left(&self) -> bool {
        self.shipped_otherwise || self.shipment_reference.is_some()
    }
}

//! What happened, whoever brought it about: the saga's own commands, or people over REST.

use contract::Money;
use domain::ids::{PaymentId, ProductId, ShipmentId};
use domain::order::CancelReason;
use domain::{ShopEvent, order, payment, process, shipment, stock};
use engine::Recorded;
use uuid::Uuid;

use super::command::RESERVE_STOCK;
use super::refusal::is_answered_elsewhere;
use super::state::{Goal, ItemStep, OrderStep, PaymentStep, ShipmentStep, State};
use crate::trouble::Trouble;

impl State {
    /// Takes note of an event of this order.
    pub(super) fn note(&mut self, event: &Recorded<ShopEvent>) {
        if let ShopEvent::Process(event) = &event.event {
            return self.note_refused(event);
        }
        // Something went on there, so what was refused there is history.
        let subject = event.stream.id();
        self.troubles.retain(|trouble| Some(trouble.subject_id) != subject);
        match &event.event {
            ShopEvent::Order(event) => self.note_order(event),
            ShopEvent::Stock(event) => self.note_stock(event),
            ShopEvent::Payment(event) => self.note_payment(event),
            ShopEvent::Shipment(event) => self.note_shipment(event),
            _ => {}
        }
    }

    fn note_order(&mut self, event: &order::Event) {
        match event {
            order::Event::Placed { .. } => {}
            order::Event::Reserved { .. } => self.order = OrderStep::Reserved,
            order::Event::Paid { order_id, payment_id } => {
                self.order = OrderStep::Paid;
                self.paid_otherwise = *payment_id != PaymentId::of_order(*order_id);
            }
            order::Event::Shipped { order_id, shipment_id } => {
                self.order = OrderStep::Shipped;
                self.shipped_otherwise = *shipment_id != ShipmentId::of_order(*order_id);
            }
            order::Event::Delivered { .. } => self.order = OrderStep::Delivered,
            order::Event::Cancelled { reason, .. } => {
                self.order = OrderStep::Cancelled;
                self.give_up(*reason);
            }
        }
    }

    fn note_stock(&mut self, event: &stock::Event) {
        let (product_id, step) = match event {
            stock::Event::Reserved { product_id, .. } => (product_id, ItemStep::Reserved),
            stock::Event::Released { product_id, .. } => (product_id, ItemStep::Released),
            stock::Event::Shipped { product_id, .. } => (product_id, ItemStep::Shipped),
            _ => return,
        };
        self.set_item(*product_id, step);
    }

    fn note_payment(&mut self, event: &payment::Event) {
        match event {
            payment::Event::Requested { .. } => self.payment = PaymentStep::Requested,
            payment::Event::Authorized { reference, .. } => {
                self.payment = PaymentStep::Authorized;
                self.payment_reference = Some(reference.clone());
            }
            payment::Event::Captured { .. } => self.payment = PaymentStep::Captured,
            payment::Event::Declined { .. } => {
                self.payment = PaymentStep::Declined;
                if !self.paid_otherwise {
                    self.give_up(CancelReason::PaymentDeclined);
                }
            }
            payment::Event::Refunded { return_id: None, .. } if self.payment == PaymentStep::Refunding => {
                self.payment = PaymentStep::Refunded;
            }
            // For a return, or by hand.
            payment::Event::Refunded { amount, .. } => {
                self.refunded_minor = self.refunded_minor.saturating_add(amount.money().minor);
            }
        }
    }

    fn note_shipment(&mut self, event: &shipment::Event) {
        match event {
            shipment::Event::Requested { .. } => self.shipment = ShipmentStep::Requested,
            shipment::Event::Dispatched { reference, .. } => {
                self.shipment = ShipmentStep::Dispatched;
                self.shipment_reference = Some(reference.clone());
            }
            shipment::Event::Delivered { .. } => self.shipment = ShipmentStep::Delivered,
            shipment::Event::Failed { .. } => {
                self.shipment = ShipmentStep::Failed;
                if !self.shipped_otherwise {
                    self.give_up(CancelReason::ShipmentFailed);
                }
            }
        }
    }

    fn note_refused(&mut self, event: &process::Event) {
        let process::Event::CommandRefused { command, subject_id, code: Some(code), message, .. } = event
        else {
            return;
        };
        if command == RESERVE_STOCK {
            self.refuse_item(*subject_id);
        } else if !is_answered_elsewhere(command, code) {
            let (command, subject_id) = (command.clone(), *subject_id);
            let trouble = Trouble { command, subject_id, reason: format!("{code}: {message}") };
            // The log may say it twice.
            if !self.troubles.contains(&trouble) {
                self.troubles.push(trouble);
            }
        }
    }

    /// One product that cannot be had is enough to call the order off; unless the goods are gone already.
    fn refuse_item(&mut self, product: Uuid) {
        let product = ProductId(product);
        if self.item(product).is_some_and(|at| self.items[at].step == ItemStep::Reserving) {
            self.set_item(product, ItemStep::Refused);
        }
        if !self.goods_left() {
            self.give_up(CancelReason::OutOfStock);
        }
    }

    fn give_up(&mut self, reason: CancelReason) {
        if self.goal == Goal::Deliver {
            self.goal = Goal::Undo(reason);
        }
    }

    fn item(&self, product: ProductId) -> Option<usize> {
        self.items.binary_search_by_key(&product, |item| item.product_id).ok()
    }

    /// A product that the order does not name is nothing to it.
    fn set_item(&mut self, product: ProductId, step: ItemStep) {
        if let Some(at) = self.item(product) {
            self.items[at].step = step;
        }
    }

    /// What the payment took and did not give back yet.
    pub(super) fn left(&self) -> Money {
        let paid = self.amount.money();
        Money::new(paid.minor.saturating_sub(self.refunded_minor).max(0), paid.currency)
    }
}

//! What to ask for next, from where everything stands. What is asked for is noted in the same go, so that it is asked
//! for once.

use domain::value::Price;

use super::command::Command;
use super::state::{Goal, ItemStep, OrderStep, PaymentStep, ShipmentStep, State};

impl State {
    /// The commands that the state calls for, in an order that depends on nothing else.
    pub(super) fn advance(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        self.advance_stock(&mut commands);
        self.advance_payment(&mut commands);
        self.advance_shipment(&mut commands);
        self.advance_order(&mut commands);
        commands
    }

    /// Goods are set aside for an order that is to be delivered, counted as gone when the carrier has them, and given
    /// up when it is called off. While the carrier is being asked nobody knows which of the two it will be.
    fn advance_stock(&mut self, commands: &mut Vec<Command>) {
        let goods_left = self.goods_left();
        let open = goods_left || self.shipment == ShipmentStep::Dispatching;
        let is_undone = self.goal != Goal::Deliver;
        for item in &mut self.items {
            let product_id = item.product_id;
            let (step, command) = match item.step {
                ItemStep::Reserved if goods_left => (ItemStep::Shipping, Command::ShipStock { product_id }),
                ItemStep::Reserved if is_undone && !open => {
                    (ItemStep::Releasing, Command::ReleaseStock { product_id })
                }
                // Not asked for yet, or given up by hand.
                ItemStep::Released if !is_undone && !open => {
                    let quantity = item.quantity;
                    (ItemStep::Reserving, Command::ReserveStock { product_id, quantity })
                }
                _ => continue,
            };
            item.step = step;
            commands.push(command);
        }
    }

    fn advance_payment(&mut self, commands: &mut Vec<Command>) {
        let is_wanted = self.goal == Goal::Deliver && !self.paid_otherwise;
        let (amount, token) = (self.amount, self.payment_token.clone());
        let reference = self.payment_reference.clone();
        let (step, command) = match (self.payment, reference) {
            (PaymentStep::None, _) if is_wanted && self.all_reserved() => {
                (PaymentStep::Requesting, Command::RequestPayment { amount, token })
            }
            (PaymentStep::Requested, _) if is_wanted => {
                (PaymentStep::Authorizing, Command::AuthorizePayment { amount, token })
            }
            (PaymentStep::Requested, _) => (PaymentStep::Declining, Command::DeclinePayment),
            (PaymentStep::Authorized, Some(reference)) if is_wanted => {
                (PaymentStep::Capturing, Command::CapturePayment { reference, amount })
            }
            (PaymentStep::Authorized, Some(reference)) => {
                (PaymentStep::Declining, Command::VoidPayment { reference, amount })
            }
            (PaymentStep::Captured, Some(reference)) if !is_wanted => match Price::new(self.left()) {
                Ok(amount) if amount.money().minor > 0 => {
                    (PaymentStep::Refunding, Command::RefundPayment { reference, amount })
                }
                // Nothing was taken, or all of it went back with returns.
                _ => {
                    self.payment = PaymentStep::Refunded;
                    return;
                }
            },
            _ => return,
        };
        self.payment = step;
        commands.push(command);
    }

    fn advance_shipment(&mut self, commands: &mut Vec<Command>) {
        let is_wanted = self.goal == Goal::Deliver && !self.shipped_otherwise;
        let is_paid = self.paid_otherwise || self.payment == PaymentStep::Captured;
        let token = self.shipping_token.clone();
        let (step, command) = match (self.shipment, self.shipment_reference.clone()) {
            (ShipmentStep::None, _) if is_wanted && is_paid && self.all_reserved() => {
                (ShipmentStep::Requesting, Command::RequestShipment { token })
            }
            (ShipmentStep::Requested, _) if is_wanted => {
                (ShipmentStep::Dispatching, Command::DispatchShipment { token })
            }
            (ShipmentStep::Requested, _) => (ShipmentStep::Failing, Command::FailShipment),
            // What has left is followed to its end, whatever became of the order.
            (ShipmentStep::Dispatched, Some(reference)) if !is_wanted || self.order >= OrderStep::Shipped => {
                (ShipmentStep::Tracking, Command::TrackDelivery { reference })
            }
            _ => return,
        };
        self.shipment = step;
        commands.push(command);
    }

    /// The order is told what is so, one step behind the other.
    fn advance_order(&mut self, commands: &mut Vec<Command>) {
        let has_arrived = self.shipment == ShipmentStep::Delivered;
        let (step, command) = match (self.goal, self.order) {
            (Goal::Deliver, OrderStep::Placed) if self.all_reserved() => {
                (OrderStep::Reserved, Command::MarkReserved)
            }
            (Goal::Deliver, OrderStep::Reserved) if self.payment == PaymentStep::Captured => {
                (OrderStep::Paid, Command::MarkPaid)
            }
            (Goal::Deliver, OrderStep::Paid) if self.shipment_reference.is_some() => {
                (OrderStep::Shipped, Command::MarkShipped)
            }
            (Goal::Deliver, OrderStep::Shipped) if has_arrived => {
                (OrderStep::Delivered, Command::MarkDelivered)
            }
            (Goal::Undo(reason), order) if order < OrderStep::Delivered && !self.is_reserving() => {
                (OrderStep::Cancelled, Command::CancelOrder { reason })
            }
            _ => return,
        };
        if self.order_asked < step {
            self.order_asked = step;
            commands.push(command);
        }
    }

    fn is_reserving(&self) -> bool {
        self.items.iter().any(|item| item.step == ItemStep::Reserving)
    }
}

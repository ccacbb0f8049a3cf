//! The aggregates, ruled by their own deciders, and gateways that keep a book: what the saga's commands meet.

use std::collections::BTreeMap;

use domain::ids::{OrderId, ProductId};
use domain::order::{self, Order};
use domain::payment::{self, Payment};
use domain::shipment::{self, Shipment};
use domain::stock::{self, Action, Stock};
use domain::value::{GatewayReference, Quantity};
use domain::{Decider, Refusal, ShopEvent, fold};
use process_managers::fulfilment::Command;

use crate::story::*;

/// How the gateways answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateways {
    Kind,
    DeclineAtAuthorization,
    DeclineAtCapture,
    RefuseToCarry,
    LoseIt,
}

/// What the payment gateway holds of the order, in minor units.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Book {
    pub held: i64,
    pub captured: i64,
    pub refunded: i64,
}

pub struct World {
    pub gateways: Gateways,
    pub book: Book,
    pub order: Vec<order::Event>,
    pub payment: Vec<payment::Event>,
    pub shipment: Vec<shipment::Event>,
    pub stock: BTreeMap<ProductId, Vec<stock::Event>>,
}

/// The events of a command, or the code and sentence of its refusal (no code: nothing to change).
pub type Answer = Result<Vec<ShopEvent>, (Option<String>, String)>;

fn answer<D: Decider>(log: &mut Vec<D::Event>, command: D::Command) -> Answer {
    match D::decide(&fold::<D>(log.iter()), command) {
        Ok(events) if events.is_empty() => Err((None, "nothing to change".to_owned())),
        Ok(events) => {
            log.extend(events.iter().cloned());
            Ok(events.into_iter().map(Into::into).collect())
        }
        Err(rejection) => Err((Some(rejection.code().as_str().to_owned()), rejection.to_string())),
    }
}

impl World {
    pub fn new(gateways: Gateways, on_hand: &BTreeMap<ProductId, i64>) -> Self {
        let received = |(product, quantity): (&ProductId, &i64)| {
            let events = Quantity::new(*quantity)
                .ok()
                .map(|quantity| stock::Event::Received { product_id: *product, quantity });
            (*product, events.into_iter().collect())
        };
        Self {
            gateways,
            book: Book::default(),
            order: Vec::new(),
            payment: Vec::new(),
            shipment: Vec::new(),
            stock: on_hand.iter().map(received).collect(),
        }
    }

    pub fn order(&mut self, command: order::Command) -> Answer {
        answer::<Order>(&mut self.order, command)
    }

    pub fn payment(&mut self, command: payment::Command) -> Answer {
        answer::<Payment>(&mut self.payment, command)
    }

    pub fn shipment(&mut self, command: shipment::Command) -> Answer {
        answer::<Shipment>(&mut self.shipment, command)
    }

    pub fn stock(&mut self, product_id: ProductId, action: Action) -> Answer {
        let log = self.stock.entry(product_id).or_default();
        answer::<Stock>(log, stock::Command { product_id, action })
    }

    /// Carries out a command of the saga, gateways included.
    pub fn carry_out(&mut self, command: Command) -> Answer {
        let order_id = ORDER;
        let (payment_id, shipment_id) = (payment_id(), shipment_id());
        match command {
            Command::ReserveStock { product_id, quantity } => {
                self.stock(product_id, Action::Reserve { order_id, quantity })
            }
            Command::ReleaseStock { product_id } => self.stock(product_id, Action::Release { order_id }),
            Command::ShipStock { product_id } => self.stock(product_id, Action::Ship { order_id }),
            Command::MarkReserved => self.order(order::Command::MarkReserved),
            Command::MarkPaid => self.order(order::Command::MarkPaid { payment_id }),
            Command::MarkShipped => self.order(order::Command::MarkShipped { shipment_id }),
            Command::MarkDelivered => self.order(order::Command::MarkDelivered),
            Command::CancelOrder { reason } => self.order(order::Command::Cancel { reason, note: None }),
            Command::RequestPayment { amount, token } => {
                self.payment(payment::Command::Request { payment_id, order_id, amount, token })
            }
            Command::DeclinePayment => self.payment(payment::Command::Decline { reason: reason("off") }),
            Command::RequestShipment { token } => {
                self.shipment(shipment::Command::Request { shipment_id, order_id, token })
            }
            Command::FailShipment => self.shipment(shipment::Command::Fail { reason: reason("off") }),
            other => self.ask_gateway(other),
        }
    }

    fn ask_gateway(&mut self, command: Command) -> Answer {
        let decline = payment::Command::Decline { reason: reason("declined") };
        match command {
            Command::AuthorizePayment { .. } if self.gateways == Gateways::DeclineAtAuthorization => {
                self.payment(decline)
            }
            Command::AuthorizePayment { amount, .. } => {
                let answer = self.payment(payment::Command::Authorize { reference: reference("p") });
                if answer.is_ok() {
                    self.book.held += amount.money().minor;
                }
                answer
            }
            Command::CapturePayment { .. } if self.gateways == Gateways::DeclineAtCapture => {
                self.book.held = 0;
                self.payment(decline)
            }
            Command::CapturePayment { amount, .. } => {
                let answer = self.payment(payment::Command::Capture);
                if answer.is_ok() {
                    self.book.held -= amount.money().minor;
                    self.book.captured += amount.money().minor;
                }
                answer
            }
            Command::VoidPayment { amount, .. } => {
                self.book.held -= amount.money().minor;
                self.payment(payment::Command::Decline { reason: reason("void") })
            }
            Command::RefundPayment { amount, .. } => {
                self.book.refunded += amount.money().minor;
                self.payment(payment::Command::Refund { return_id: None, amount })
            }
            Command::DispatchShipment { .. } if self.gateways == Gateways::RefuseToCarry => {
                self.shipment(shipment::Command::Fail { reason: reason("refused") })
            }
            Command::DispatchShipment { .. } => {
                let reference: GatewayReference = reference("s");
                self.shipment(shipment::Command::Dispatch { reference })
            }
            Command::TrackDelivery { .. } if self.gateways == Gateways::LoseIt => {
                self.shipment(shipment::Command::Fail { reason: reason("lost") })
            }
            Command::TrackDelivery { .. } => self.shipment(shipment::Command::Deliver),
            other => panic!("{other:?} needs no gateway"),
        }
    }

    /// Reserved, released and shipped units of a product, as its events say.
    pub fn moved(&self, product: ProductId, order: OrderId) -> (i64, i64, i64) {
        let mut moved = (0, 0, 0);
        for event in self.stock.get(&product).into_iter().flatten() {
            match event {
                stock::Event::Reserved { order_id, quantity, .. } if *order_id == order => {
                    moved.0 += quantity.units();
                }
                stock::Event::Released { order_id, quantity, .. } if *order_id == order => {
                    moved.1 += quantity.units();
                }
                stock::Event::Shipped { order_id, quantity, .. } if *order_id == order => {
                    moved.2 += quantity.units();
                }
                _ => {}
            }
        }
        moved
    }
}

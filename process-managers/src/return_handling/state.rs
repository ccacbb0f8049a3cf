//! How far a return is: the goods and the money, each for itself.

use std::collections::BTreeMap;

use contract::ErrorCode;
use domain::ids::{OrderId, PaymentId, ProductId};
use domain::value::{Price, Quantity};
use domain::{ShopEvent, payment, process, returns, stock};
use engine::Recorded;
use serde::{Deserialize, Serialize};

use super::command::{Command, MARK_REFUNDED, REFUND_PAYMENT};
use crate::trouble::Trouble;

/// The handling of one return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// What came back, a product once, in the order of their ids.
    pub items: Vec<Item>,
    /// How far the goods are.
    pub goods: Goods,
    /// From which order they are, if that is known.
    pub order_id: Option<OrderId>,
    /// What they were paid with.
    pub amount: Price,
    /// How far the money is.
    pub money: Money,
    /// Commands that were refused for good, and nothing was to be done about it.
    pub troubles: Vec<Trouble>,
}

/// What came back of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which product.
    pub product_id: ProductId,
    /// How many, over all its lines.
    pub quantity: Quantity,
    /// Whether it is back on the shelf.
    pub is_restocked: bool,
}

/// How far the goods are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Goods {
    /// They are here.
    Received,
    /// The stock of each product is asked to take them.
    Restocking,
    /// All took them, and the return is told.
    Marking,
    /// The return knows.
    Restocked,
}

/// How far the money is; each comes after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Money {
    /// Nobody was asked for it yet.
    Open,
    /// The payment is asked to give it back.
    Refunding,
    /// The payment gave it back.
    GivenBack,
    /// The return is told.
    Marking,
    /// The return knows.
    Refunded,
}

impl State {
    /// Begins with the goods; none with anything else.
    pub(super) fn begin(event: &ShopEvent) -> Option<Self> {
        let ShopEvent::Return(returns::Event::Received { order_id, lines, total, .. }) = event else {
            return None;
        };
        let mut quantities = BTreeMap::<ProductId, i64>::new();
        for line in lines {
            let quantity = quantities.entry(line.product_id).or_default();
            *quantity = quantity.saturating_add(line.quantity.units());
        }
        // A return is only received when all its units together can be counted and its total is not below 0.
        let items = quantities.into_iter().filter_map(|(product_id, units)| {
            let quantity = Quantity::new(units).ok()?;
            Some(Item { product_id, quantity, is_restocked: false })
        });
        Some(Self {
            items: items.collect(),
            goods: Goods::Received,
            order_id: *order_id,
            amount: Price::new(*total).ok()?,
            money: Money::Open,
            troubles: Vec::new(),
        })
    }

    /// Takes note of an event of this return, whoever brought it about.
    pub(super) fn note(&mut self, event: &Recorded<ShopEvent>) {
        let subject = event.stream.id();
        match &event.event {
            ShopEvent::Process(event) => return self.note_refused(event),
            ShopEvent::Stock(stock::Event::Restocked { product_id, .. }) => {
                if let Ok(at) = self.items.binary_search_by_key(product_id, |item| item.product_id) {
                    self.items[at].is_restocked = true;
                }
            }
            ShopEvent::Payment(payment::Event::Refunded { .. }) if self.money < Money::GivenBack => {
                self.money = Money::GivenBack;
            }
            ShopEvent::Return(returns::Event::Restocked { .. }) => self.goods = Goods::Restocked,
            ShopEvent::Return(returns::Event::Refunded { .. }) => {
                self.money = Money::Refunded;
                self.troubles.retain(|trouble| trouble.command != REFUND_PAYMENT);
            }
            _ => {}
        }
        self.troubles.retain(|trouble| Some(trouble.subject_id) != subject);
    }

    fn note_refused(&mut self, event: &process::Event) {
        if let process::Event::CommandRefused { command, subject_id, code: Some(code), message, .. } = event
            && !is_answered_elsewhere(command, code)
        {
            let (command, subject_id) = (command.clone(), *subject_id);
            let trouble = Trouble { command, subject_id, reason: format!("{code}: {message}") };
            // The log may say it twice.
            if !self.troubles.contains(&trouble) {
                self.troubles.push(trouble);
            }
        }
    }

    /// The commands that the state calls for, in an order that depends on nothing else.
    pub(super) fn advance(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.goods == Goods::Received {
            let restock =
                |item: &Item| Command::RestockStock { product_id: item.product_id, quantity: item.quantity };
            commands.extend(self.items.iter().map(restock));
            self.goods = Goods::Restocking;
        }
        if self.goods == Goods::Restocking && self.is_restocked() {
            commands.push(Command::MarkRestocked);
            self.goods = Goods::Marking;
        }
        match (self.money, self.order_id) {
            (Money::Open, Some(order_id)) if self.amount.money().minor > 0 => {
                commands.push(Command::RefundPayment { order_id, amount: self.amount });
                self.money = Money::Refunding;
            }
            // Whoever paid is not known here, or nothing was paid.
            (Money::Open, _) => {
                commands.push(Command::MarkRefunded { payment_id: None });
                self.money = Money::Marking;
            }
            (Money::GivenBack, order_id) => {
                commands.push(Command::MarkRefunded { payment_id: order_id.map(PaymentId::of_order) });
                self.money = Money::Marking;
            }
            _ => {}
        }
        commands
    }

    /// Whether nothing more will come of it.
    pub(super) fn is_over(&self) -> bool {
        let is_done = self.goods == Goods::Restocked && self.money == Money::Refunded;
        is_done && self.is_restocked() && self.troubles.is_empty()
    }

    /// Where it stands, for operators.
    pub(super) fn word(&self) -> &'static str {
        if self.is_over() {
            "DONE"
        } else if self.goods == Goods::Restocked && self.is_restocked() {
            "REFUNDING"
        } else {
            "RESTOCKING"
        }
    }

    fn is_restocked(&self) -> bool {
        self.items.iter().all(|item| item.is_restocked)
    }
}

/// Whether a command was refused only because somebody else saw to it; the event that says so has been folded.
pub(super) fn is_answered_elsewhere(command: &str, code: &str) -> bool {
    command == MARK_REFUNDED && code == ErrorCode::AlreadyRefunded.as_str()
}

//! What the sandbox knows: the sum of its ledger. Pure, but for the entries that it is given to keep.

use std::collections::HashMap;

use domain::ids::OrderId;
use domain::value::Price;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::call::{Call, Entry, Kind, Outcome};

/// Tokens with a meaning; see the page of the module.
const DECLINE: &str = "decline";
const DECLINE_CAPTURE: &str = "decline-capture";
const REFUSE: &str = "refuse";
const LOST: &str = "lost";

#[derive(Debug, Default)]
pub(super) struct Book {
    entries: Vec<Entry>,
    /// The first answer for good under each key: its place among the entries.
    answered: HashMap<String, usize>,
    payments: HashMap<String, Payment>,
    shipments: HashMap<String, Shipment>,
}

#[derive(Debug)]
struct Payment {
    order: OrderId,
    amount: Price,
    token: Option<String>,
    status: Status,
    refunded_minor: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Held,
    Taken,
    LetGo,
}

#[derive(Debug)]
struct Shipment {
    order: OrderId,
    token: Option<String>,
    since: Timestamp,
}

/// Outcome, reference and reason.
type Answer = (Outcome, Option<String>, Option<String>);

impl Book {
    /// Every call so far, oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Answers a call and takes note of it.
    pub(super) fn receive(&mut self, mut call: Call, at: Timestamp, delivery: SignedDuration) -> Entry {
        let known = call.key.as_ref().and_then(|key| self.answered.get(key)).map(|at| &self.entries[*at]);
        let (repeated, (outcome, reference, reason)) = match known {
            Some(first) if is_same(&first.call, &call) => {
                let (reference, reason) = (first.call.reference.clone(), first.reason.clone());
                (true, (first.outcome, reference, reason))
            }
            Some(_) => (false, because(Outcome::KeyReused, "the key was used for another call")),
            None => (false, self.answer(&call, at, delivery)),
        };
        call.reference = call.reference.or(reference);
        call.order = call.order.or_else(|| self.order_of(call.reference.as_deref()?));
        let number = self.entries.len() as u64 + 1;
        let entry = Entry { number, at, call, outcome, reason, repeated };
        self.keep(entry.clone());
        entry
    }

    /// Takes note of a call that was answered, now or before the last start.
    pub(super) fn keep(&mut self, entry: Entry) {
        if !entry.repeated {
            self.carry_out(&entry);
            if let (Some(key), true) = (&entry.call.key, entry.outcome.is_final()) {
                self.answered.entry(key.clone()).or_insert(self.entries.len());
            }
        }
        self.entries.push(entry);
    }

    fn carry_out(&mut self, entry: &Entry) {
        let (Some(reference), token) = (&entry.call.reference, entry.call.token.clone()) else { return };
        match (entry.outcome, entry.call.order, entry.call.amount) {
            (Outcome::Authorized, Some(order), Some(amount)) => {
                let payment = Payment { order, amount, token, status: Status::Held, refunded_minor: 0 };
                self.payments.insert(reference.clone(), payment);
            }
            (Outcome::Dispatched, Some(order), _) => {
                self.shipments.insert(reference.clone(), Shipment { order, token, since: entry.at });
            }
            (outcome, _, amount) => {
                let Some(payment) = self.payments.get_mut(reference) else { return };
                match outcome {
                    Outcome::Captured => payment.status = Status::Taken,
                    Outcome::Voided | Outcome::Declined => payment.status = Status::LetGo,
                    Outcome::Refunded => {
                        let back = amount.map_or(0, |amount| amount.money().minor);
                        payment.refunded_minor = payment.refunded_minor.saturating_add(back);
                    }
                    _ => {}
                }
            }
        }
    }

    fn answer(&self, call: &Call, at: Timestamp, delivery: SignedDuration) -> Answer {
        let token = call.token.as_deref();
        match call.kind {
            Kind::Authorize if token == Some(DECLINE) => because(Outcome::Declined, "the token says so"),
            Kind::Authorize => (Outcome::Authorized, Some(named("pay", call)), None),
            Kind::Carry if token == Some(REFUSE) => because(Outcome::Refused, "the token says so"),
            Kind::Carry => (Outcome::Dispatched, Some(named("ship", call)), None),
            Kind::Track => self.track(call, at, delivery),
            Kind::Capture | Kind::Void | Kind::Refund => {
                let reference = call.reference.as_deref().unwrap_or_default();
                match self.payments.get(reference) {
                    Some(payment) => payment.answer(call),
                    None => because(Outcome::NotFound, "there is no such payment"),
                }
            }
        }
    }

    fn track(&self, call: &Call, at: Timestamp, delivery: SignedDuration) -> Answer {
        let reference = call.reference.as_deref().unwrap_or_default();
        let Some(shipment) = self.shipments.get(reference) else {
            return because(Outcome::NotFound, "there is no such shipment");
        };
        if at.duration_since(shipment.since) < delivery {
            (Outcome::InTransit, None, None)
        } else if shipment.token.as_deref() == Some(LOST) {
            because(Outcome::Lost, "the token says so")
        } else {
            (Outcome::Delivered, None, None)
        }
    }

    fn order_of(&self, reference: &str) -> Option<OrderId> {
        let payment = self.payments.get(reference).map(|payment| payment.order);
        payment.or_else(|| self.shipments.get(reference).map(|shipment| shipment.order))
    }
}

impl Payment {
    fn answer(&self, call: &Call) -> Answer {
        let is_all = call.amount == Some(self.amount);
        match (call.kind, self.status) {
            (Kind::Capture, Status::Held) if !is_all => because(Outcome::Rejected, "another amount is held"),
            (Kind::Capture, Status::Held) if self.token.as_deref() == Some(DECLINE_CAPTURE) => {
                because(Outcome::Declined, "the token says so")
            }
            (Kind::Capture, Status::Held) => (Outcome::Captured, None, None),
            (Kind::Void, Status::Held | Status::LetGo) => (Outcome::Voided, None, None),
            (Kind::Refund, Status::Taken) if call.amount.is_some_and(|amount| self.may_go_back(amount)) => {
                (Outcome::Refunded, None, None)
            }
            (Kind::Refund, Status::Taken) => because(Outcome::Rejected, "more would go back than was taken"),
            (_, Status::Held) => because(Outcome::Rejected, "the money is not taken yet"),
            (_, Status::Taken) => because(Outcome::Rejected, "the money is taken already"),
            (_, Status::LetGo) => because(Outcome::Rejected, "the money is not held any more"),
        }
    }

    fn may_go_back(&self, amount: Price) -> bool {
        let (back, paid) = (amount.money(), self.amount.money());
        back.currency == paid.currency && back.minor <= paid.minor.saturating_sub(self.refunded_minor)
    }
}

fn because(outcome: Outcome, reason: &str) -> Answer {
    (outcome, None, Some(reason.to_owned()))
}

/// The same key names the same thing.
fn named(kind: &str, call: &Call) -> String {
    let key = call.key.as_deref().unwrap_or_default();
    format!("{kind}-{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, key.as_bytes()))
}

/// Whether two calls under one key are the same. What the sandbox filled into the first one is not compared.
fn is_same(first: &Call, again: &Call) -> bool {
    let agree = |first: &Option<String>, again: &Option<String>| again.is_none() || first == again;
    first.kind == again.kind
        && first.amount == again.amount
        && first.token == again.token
        && agree(&first.reference, &again.reference)
        && (again.order.is_none() || first.order == again.order)
}

#[cfg(test)]
mod tests {
    use contract::{Currency, Money};

    use super::*;

    fn pounds(minor: i64) -> Option<Price> {
        Some(Price::new(Money::new(minor, Currency::GBP)).unwrap())
    }

    fn call(kind: Kind, key: &str) -> Call {
        let key = Some(key.to_owned());
        Call { kind, key, order: None, reference: None, amount: None, token: None }
    }

    fn begin(kind: Kind, key: &str, token: Option<&str>) -> Call {
        let order = Some(OrderId(Uuid::from_u128(7)));
        let amount = if kind == Kind::Authorize { pounds(850) } else { None };
        Call { order, amount, token: token.map(str::to_owned), ..call(kind, key) }
    }

    fn about(kind: Kind, key: &str, entry: &Entry, minor: i64) -> Call {
        let amount = matches!(kind, Kind::Capture | Kind::Refund).then(|| pounds(minor)).flatten();
        Call { reference: entry.call.reference.clone(), amount, ..call(kind, key) }
    }

    fn receive(book: &mut Book, call: Call) -> Entry {
        book.receive(call, Timestamp::UNIX_EPOCH, SignedDuration::ZERO)
    }

    #[test]
    fn money_is_held_taken_and_given_back_once() {
        let mut book = Book::default();
        let held = receive(&mut book, begin(Kind::Authorize, "a", None));
        assert_eq!(held.outcome, Outcome::Authorized);
        let early = receive(&mut book, about(Kind::Refund, "b", &held, 1));
        assert_eq!(early.outcome, Outcome::Rejected);
        let other = receive(&mut book, about(Kind::Capture, "c", &held, 849));
        assert_eq!(other.outcome, Outcome::Rejected);
        let taken = receive(&mut book, about(Kind::Capture, "c", &held, 850));
        assert_eq!((taken.outcome, taken.call.order), (Outcome::Captured, held.call.order));
        let twice = receive(&mut book, about(Kind::Capture, "d", &held, 850));
        assert_eq!(twice.outcome, Outcome::Rejected);
        assert_eq!(receive(&mut book, about(Kind::Void, "e", &held, 0)).outcome, Outcome::Rejected);
        assert_eq!(receive(&mut book, about(Kind::Refund, "f", &held, 800)).outcome, Outcome::Refunded);
        assert_eq!(receive(&mut book, about(Kind::Refund, "g", &held, 51)).outcome, Outcome::Rejected);
        assert_eq!(receive(&mut book, about(Kind::Refund, "h", &held, 50)).outcome, Outcome::Refunded);
    }

    #[test]
    fn the_same_call_again_gets_the_same_answer_and_does_nothing() {
        let mut book = Book::default();
        let held = receive(&mut book, begin(Kind::Authorize, "a", None));
        let again = receive(&mut book, begin(Kind::Authorize, "a", None));
        assert_eq!((again.outcome, &again.call.reference), (held.outcome, &held.call.reference));
        assert!(again.repeated && !held.repeated);
        let other = receive(&mut book, begin(Kind::Authorize, "a", Some("card")));
        assert_eq!((other.outcome, other.repeated), (Outcome::KeyReused, false));
        receive(&mut book, about(Kind::Capture, "b", &held, 850));
        assert!(receive(&mut book, about(Kind::Capture, "b", &held, 850)).repeated);
        receive(&mut book, about(Kind::Refund, "c", &held, 850));
        let again = receive(&mut book, about(Kind::Refund, "c", &held, 850));
        assert_eq!((again.outcome, again.repeated), (Outcome::Refunded, true));
    }

    #[test]
    fn tokens_decide_what_goes_wrong() {
        let mut book = Book::default();
        let declined = receive(&mut book, begin(Kind::Authorize, "a", Some("decline")));
        assert_eq!((declined.outcome, declined.call.reference), (Outcome::Declined, None));
        let held = receive(&mut book, begin(Kind::Authorize, "b", Some("decline-capture")));
        let declined = receive(&mut book, about(Kind::Capture, "c", &held, 850));
        assert_eq!(declined.outcome, Outcome::Declined);
        assert_eq!(receive(&mut book, about(Kind::Void, "d", &held, 0)).outcome, Outcome::Voided);
        let refused = receive(&mut book, begin(Kind::Carry, "e", Some("refuse")));
        assert_eq!(refused.outcome, Outcome::Refused);
        let lost = receive(&mut book, begin(Kind::Carry, "f", Some("lost")));
        assert_eq!(lost.outcome, Outcome::Dispatched);
        assert_eq!(receive(&mut book, about(Kind::Track, "g", &lost, 0)).outcome, Outcome::Lost);
    }

    #[test]
    fn goods_arrive_when_their_time_has_come() {
        let mut book = Book::default();
        let delay = SignedDuration::from_secs(10);
        let sent = book.receive(begin(Kind::Carry, "a", None), Timestamp::UNIX_EPOCH, delay);
        let mut ask = |seconds| {
            let at = Timestamp::from_second(seconds).unwrap();
            book.receive(about(Kind::Track, "b", &sent, 0), at, delay)
        };
        assert_eq!(ask(9).outcome, Outcome::InTransit);
        let arrived = ask(10);
        assert_eq!((arrived.outcome, arrived.repeated), (Outcome::Delivered, false));
        assert!(ask(11).repeated);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let mut book = Book::default();
        for kind in [Kind::Capture, Kind::Void, Kind::Refund, Kind::Track] {
            let call = Call { reference: Some("nothing".to_owned()), ..call(kind, "a") };
            assert_eq!(receive(&mut book, call).outcome, Outcome::NotFound);
        }
    }
}

//! Given events, when a command, then events or a rejection; and the laws that hold for every aggregate.

use std::collections::BTreeSet;
use std::fmt::Debug;

use contract::{Currency, Money};
use domain::codec::{Decoded, decode, encode};
use domain::ids::ProductId;
use domain::lines::{Line, NewLine};
use domain::value::{Price, Quantity, Sku};
use domain::{Decider, Refusal, ShopEvent, fold};

/// What has happened so far.
pub struct Given<D: Decider> {
    state: D::State,
}

/// What a command led to.
pub struct Outcome<D: Decider> {
    result: Result<Vec<D::Event>, D::Rejection>,
}

pub fn given<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> Given<D> {
    Given { state: fold::<D>(&events.into_iter().collect::<Vec<_>>()) }
}

impl<D: Decider> Given<D> {
    pub fn when(self, command: D::Command) -> Outcome<D> {
        Outcome { result: D::decide(&self.state, command) }
    }
}

impl<D: Decider> Outcome<D>
where
    D::Event: Debug + PartialEq,
    D::Rejection: Debug + PartialEq,
{
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = D::Event>) {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(self.result.as_ref(), Ok(&expected));
        expected.into_iter().for_each(survives_the_codec);
    }

    #[track_caller]
    pub fn then_nothing(self) {
        self.then([]);
    }

    #[track_caller]
    pub fn then_rejected(self, expected: D::Rejection) {
        assert_eq!(self.result, Err(expected));
    }
}

/// A rejection with what leads to it.
pub type Case<D> = (Vec<<D as Decider>::Event>, <D as Decider>::Command, <D as Decider>::Rejection);

/// Every case comes out as it says, and together they meet every rejection there is.
#[track_caller]
pub fn check_rejections<D: Decider>(names: &[&str], cases: Vec<Case<D>>)
where
    D::Event: Debug + PartialEq,
    D::Rejection: Debug + PartialEq,
{
    let mut met = BTreeSet::new();
    for (events, command, rejection) in cases {
        met.insert(rejection.name());
        assert_eq!(rejection.to_string(), rejection.code().message());
        given::<D>(events).when(command).then_rejected(rejection);
    }
    assert_eq!(met, names.iter().copied().collect(), "every rejection is met");
}

/// Carries out commands one after the other from nothing; `check` sees each one that was accepted with the state
/// before and after.
pub fn play<D: Decider>(
    commands: impl IntoIterator<Item = D::Command>,
    mut check: impl FnMut(&D::State, &[D::Event], &D::State),
) where
    D::Event: Debug + PartialEq,
    D::State: Debug + PartialEq,
{
    let mut history = Vec::new();
    let mut state = D::State::default();
    for command in commands {
        let Ok(events) = D::decide(&state, command) else { continue };
        let after = events.iter().fold(state.clone(), D::evolve);
        check(&state, &events, &after);
        events.iter().cloned().for_each(survives_the_codec);
        history.extend(events);
        state = after;
    }
    assert_eq!(fold::<D>(&history), state, "the history folds to the same state");
}

#[track_caller]
fn survives_the_codec<E: Into<ShopEvent>>(event: E) {
    let event: ShopEvent = event.into();
    let encoded = encode(&event);
    let decoded = decode(encoded.event_type, encoded.schema_version, encoded.data);
    assert_eq!(decoded, Ok(Decoded::Event(event)));
}

pub fn gbp(minor: i64) -> Price {
    Price::new(Money::new(minor, Currency::GBP)).unwrap()
}

pub fn eur(minor: i64) -> Price {
    Price::new(Money::new(minor, "EUR".parse().unwrap())).unwrap()
}

pub fn quantity(units: i64) -> Quantity {
    Quantity::new(units).unwrap()
}

/// A line of `units` at `price`; the product is the one with this SKU.
pub fn line(sku: &str, units: i64, unit_price: Price) -> NewLine {
    let sku = Sku::new(sku).unwrap();
    let product_id = ProductId::from_sku(&sku);
    NewLine { product_id, sku, description: None, quantity: quantity(units), unit_price }
}

/// The same line as an event keeps it.
pub fn kept(line: &NewLine) -> Line {
    Line {
        product_id: line.product_id,
        sku: line.sku.clone(),
        description: line.description.clone(),
        quantity: line.quantity,
        unit_price_minor: line.unit_price.money().minor,
    }
}

use contract::{Currency, ErrorCode};
use domain::ids::ProductId;
use domain::product::{Command, Event, Product, Rejection, State, Status};
use domain::value::{Description, ProductName, Sku};
use proptest::prelude::*;

use crate::support::{check_rejections, eur, gbp, given, play};

fn sku() -> Sku {
    Sku::new("85123A").unwrap()
}

fn id() -> ProductId {
    ProductId::from_sku(&sku())
}

fn name(text: &str) -> Option<ProductName> {
    Some(ProductName::new(text).unwrap())
}

fn list() -> Command {
    Command::List { sku: sku(), name: name("T-LIGHT HOLDER"), description: None, price: gbp(255) }
}

fn listed() -> Event {
    Event::Listed {
        product_id: id(),
        sku: sku(),
        name: name("T-LIGHT HOLDER"),
        description: None,
        price: gbp(255),
    }
}

fn delisted() -> Event {
    Event::Delisted { product_id: id() }
}

fn relisted() -> Event {
    Event::Relisted { product_id: id() }
}

fn rename() -> Command {
    Command::ChangeDetails {
        name: name("LANTERN"),
        description: Some(Description::new("of white metal").unwrap()),
    }
}

fn renamed() -> Event {
    Event::DetailsChanged {
        product_id: id(),
        name: name("LANTERN"),
        description: Some(Description::new("of white metal").unwrap()),
    }
}

#[test]
fn a_new_product_is_listed_under_the_id_of_its_sku() {
    given::<Product>([]).when(list()).then([listed()]);
}

#[test]
fn details_are_replaced_together() {
    given::<Product>([listed()]).when(rename()).then([renamed()]);
    given::<Product>([listed()])
        .when(Command::ChangeDetails { name: None, description: None })
        .then([Event::DetailsChanged { product_id: id(), name: None, description: None }]);
}

#[test]
fn the_same_details_again_change_nothing() {
    given::<Product>([listed()])
        .when(Command::ChangeDetails { name: name("T-LIGHT HOLDER"), description: None })
        .then_nothing();
    given::<Product>([listed(), renamed()]).when(rename()).then_nothing();
}

#[test]
fn a_price_changes_once() {
    let changed = Event::PriceChanged { product_id: id(), price: gbp(295) };
    given::<Product>([listed()]).when(Command::ChangePrice { price: gbp(295) }).then([changed.clone()]);
    given::<Product>([listed(), changed]).when(Command::ChangePrice { price: gbp(295) }).then_nothing();
}

#[test]
fn a_product_leaves_the_catalogue_once() {
    given::<Product>([listed()]).when(Command::Delist).then([delisted()]);
    given::<Product>([listed(), delisted()]).when(Command::Delist).then_nothing();
}

#[test]
fn a_product_comes_back_once() {
    given::<Product>([listed(), delisted()]).when(Command::Relist).then([relisted()]);
    given::<Product>([listed(), delisted(), relisted()]).when(Command::Relist).then_nothing();
    given::<Product>([listed()]).when(Command::Relist).then_nothing();
}

#[test]
fn a_product_comes_back_as_it_was() {
    given::<Product>([listed(), delisted(), relisted()])
        .when(Command::ChangePrice { price: gbp(255) })
        .then_nothing();
}

#[test]
fn every_rejection_is_met() {
    let mismatch = Rejection::CurrencyMismatch { current: Currency::GBP };
    assert_eq!(mismatch.code(), ErrorCode::CurrencyMismatch);
    assert_eq!(mismatch.details(), Some(serde_json::json!({"currency": "GBP"})));
    let gone = || vec![listed(), delisted()];
    check_rejections::<Product>(
        Rejection::NAMES,
        vec![
            (vec![], rename(), Rejection::NotFound),
            (vec![], Command::ChangePrice { price: gbp(1) }, Rejection::NotFound),
            (vec![], Command::Delist, Rejection::NotFound),
            (vec![], Command::Relist, Rejection::NotFound),
            (vec![listed()], list(), Rejection::AlreadyListed),
            (gone(), list(), Rejection::Delisted),
            (gone(), rename(), Rejection::Delisted),
            (gone(), Command::ChangePrice { price: gbp(1) }, Rejection::Delisted),
            (vec![listed()], Command::ChangePrice { price: eur(255) }, mismatch),
        ],
    );
}

fn any_command() -> impl Strategy<Value = Command> {
    let price =
        (0..400_i64, any::<bool>()).prop_map(|(minor, euro)| if euro { eur(minor) } else { gbp(minor) });
    prop_oneof![
        price.clone().prop_map(|price| Command::List { sku: sku(), name: None, description: None, price }),
        "[a-c]{1,2}".prop_map(|text| Command::ChangeDetails { name: name(&text), description: None }),
        price.prop_map(|price| Command::ChangePrice { price }),
        Just(Command::Delist),
        Just(Command::Relist),
    ]
}

proptest! {
    #[test]
    fn a_product_keeps_its_id_its_sku_and_its_currency(commands in prop::collection::vec(any_command(), 0..30)) {
        play::<Product>(commands, |before, events, after| {
            let State::Known { product_id, sku: after_sku, price: after_price, .. } = after else {
                panic!("an accepted command leaves a known product");
            };
            assert_eq!((*product_id, after_sku), (id(), &sku()));
            if let State::Known { price, status, .. } = before {
                assert_eq!(after_price.money().currency, price.money().currency);
                let relisted = matches!(events, [] | [Event::Relisted { .. }]);
                assert!(*status == Status::Listed || relisted, "one that is not listed can only come back");
            }
            assert!(events.len() <= 1);
            assert!(events.is_empty() == (before == after), "an event is written when something changes");
        });
    }
}

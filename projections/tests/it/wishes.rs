//! What people may want of a shop, at random: some of it is refused, most of it is about the same few things.

use contract::{Currency, Money};
use domain::ids::{OrderId, PaymentId, ProductId, ReturnId, ShipmentId, UserId};
use domain::lines::NewLine;
use domain::order::{self, Buyer, CancelReason, Customer};
use domain::personal::Personal;
use domain::stock::Action;
use domain::value::{
    Country, CustomerNumber, Description, DocumentNumber, Email, GatewayReference, PersonName, Price,
    ProductName, Quantity, QuantityChange, Reason, Sku,
};
use domain::{payment, product, returns, shipment, user};
use proptest::prelude::*;
use uuid::Uuid;

/// What somebody wants done; the numbers choose whom it is about.
#[derive(Debug, Clone)]
pub enum Wish {
    Product(u8, product::Command),
    Stock(u8, Action),
    User(u8, user::Command),
    Order(u8, order::Command),
    Payment(u8, payment::Command),
    Shipment(u8, shipment::Command),
    Return(u8, returns::Command),
}

pub fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => product_command().prop_map(|(number, command)| Wish::Product(number, command)),
        6 => (0_u8..5, stock_action()).prop_map(|(number, action)| Wish::Stock(number, action)),
        4 => user_command().prop_map(|(number, command)| Wish::User(number, command)),
        12 => (0_u8..12).prop_flat_map(|number| (Just(number), order_command(number)))
            .prop_map(|(number, command)| Wish::Order(number, command)),
        5 => (0_u8..4).prop_flat_map(|number| (Just(number), payment_command(number)))
            .prop_map(|(number, command)| Wish::Payment(number, command)),
        4 => (0_u8..4).prop_flat_map(|number| (Just(number), shipment_command(number)))
            .prop_map(|(number, command)| Wish::Shipment(number, command)),
        5 => (0_u8..6).prop_flat_map(|number| (Just(number), return_command(number)))
            .prop_map(|(number, command)| Wish::Return(number, command)),
    ]
}

pub fn sku(number: u8) -> Sku {
    Sku::new(&format!("SKU{number}")).unwrap()
}

pub fn customer(number: u8) -> CustomerNumber {
    CustomerNumber::new(&format!("{}", 17_000 + u32::from(number))).unwrap()
}

/// The number of a document; every other one has none.
pub fn document(number: u8) -> Option<DocumentNumber> {
    (number % 2 == 1).then(|| DocumentNumber::new(&format!("5363{number:02}")).unwrap())
}

pub fn order_id(number: u8) -> OrderId {
    let unnumbered = || OrderId(Uuid::from_u128(0x100 + u128::from(number)));
    document(number).as_ref().map_or_else(unnumbered, OrderId::from_number)
}

pub fn return_id(number: u8) -> ReturnId {
    let unnumbered = || ReturnId(Uuid::from_u128(0x200 + u128::from(number)));
    document(number).as_ref().map_or_else(unnumbered, ReturnId::from_number)
}

pub fn payment_id(number: u8) -> PaymentId {
    PaymentId::of_order(order_id(number))
}

pub fn shipment_id(number: u8) -> ShipmentId {
    ShipmentId::of_order(order_id(number))
}

pub fn country(name: &str) -> Country {
    Country::new(name).unwrap()
}

pub fn registered(number: u8) -> Customer {
    let customer_number = customer(number);
    Customer { user_id: UserId::from_number(&customer_number), customer_number }
}

pub fn minor(minor: i64) -> Price {
    Price::new(Money::new(minor, Currency::GBP)).unwrap()
}

/// A line: which product, how many, what one costs.
pub fn line((product, quantity, unit_price_minor): (u8, i64, i64)) -> NewLine {
    let sku = sku(product);
    NewLine {
        product_id: ProductId::from_sku(&sku),
        sku,
        description: (unit_price_minor % 3 == 0).then(|| Description::new("as it was\nthen").unwrap()),
        quantity: Quantity::new(quantity).unwrap(),
        unit_price: minor(unit_price_minor),
    }
}

pub fn place(number: u8, buyer: Buyer, country: Country, lines: &[(u8, i64, i64)]) -> order::Command {
    order::Command::Place(Box::new(order::Place {
        order_id: order_id(number),
        number: document(number),
        buyer,
        country,
        currency: Currency::GBP,
        lines: lines.iter().copied().map(line).collect(),
        payment_token: None,
        shipping_token: None,
    }))
}

pub fn receive(number: u8, customer: Option<Customer>, lines: &[(u8, i64, i64)]) -> returns::Command {
    returns::Command::Receive(Box::new(returns::Receive {
        return_id: return_id(number),
        number: document(number),
        order_id: customer.as_ref().map(|_| order_id(number)),
        customer,
        country: country("EIRE"),
        currency: Currency::GBP,
        lines: lines.iter().copied().map(line).collect(),
    }))
}

fn countries() -> impl Strategy<Value = Country> {
    prop_oneof![Just("France"), Just("EIRE")].prop_map(country)
}

fn name() -> impl Strategy<Value = Option<ProductName>> {
    proptest::option::of("[A-Za-zß ]{1,20}x".prop_map(|text| ProductName::new(&text).unwrap()))
}

fn description() -> impl Strategy<Value = Option<Description>> {
    proptest::option::of("[a-z\n✓]{1,40}x".prop_map(|text| Description::new(&text).unwrap()))
}

fn price() -> impl Strategy<Value = Price> {
    (0_i64..100_000).prop_map(minor)
}

fn reason() -> impl Strategy<Value = Reason> {
    "[a-z]{1,12}".prop_map(|text| Reason::new(&text).unwrap())
}

fn reference() -> impl Strategy<Value = GatewayReference> {
    "[a-z]{1,3}".prop_map(|text| GatewayReference::new(&text).unwrap())
}

fn product_command() -> impl Strategy<Value = (u8, product::Command)> {
    let command = prop_oneof![
        2 => (name(), description()).prop_map(|(name, description)| product::Command::ChangeDetails { name, description }),
        2 => price().prop_map(|price| product::Command::ChangePrice { price }),
        1 => Just(product::Command::Delist),
        1 => Just(product::Command::Relist),
    ];
    let list = (0_u8..5, name(), description(), price()).prop_map(|(number, name, description, price)| {
        (number, product::Command::List { sku: sku(number), name, description, price })
    });
    prop_oneof![2 => list, 3 => (0_u8..5, command)]
}

fn stock_action() -> impl Strategy<Value = Action> {
    let quantity = || (1_i64..50).prop_map(|units| Quantity::new(units).unwrap());
    let order = || (0_u8..4).prop_map(order_id);
    prop_oneof![
        3 => quantity().prop_map(|quantity| Action::Receive { quantity }),
        1 => (1_i64..20, any::<bool>()).prop_map(|(units, less)| Action::Adjust {
            quantity: QuantityChange::new(if less { -units } else { units }).unwrap(),
            reason: Reason::new("counted").unwrap(),
        }),
        3 => (order(), quantity()).prop_map(|(order_id, quantity)| Action::Reserve { order_id, quantity }),
        1 => order().prop_map(|order_id| Action::Release { order_id }),
        2 => order().prop_map(|order_id| Action::Ship { order_id }),
    ]
}

fn user_command() -> impl Strategy<Value = (u8, user::Command)> {
    let person = || (countries(), proptest::option::of(person_name()), proptest::option::of(email()));
    prop_oneof![
        2 => (0_u8..4, person()).prop_map(|(number, (country, name, email))| {
            (number, user::Command::Register { customer_number: customer(number), country, name, email })
        }),
        2 => (0_u8..4, person()).prop_map(|(number, (country, name, email))| {
            (number, user::Command::ChangeProfile { country, name, email })
        }),
        1 => (0_u8..4).prop_map(|number| (number, user::Command::Deactivate)),
    ]
}

fn person_name() -> impl Strategy<Value = Personal<PersonName>> {
    "[A-Z][a-zé]{1,12}".prop_map(|text| Personal::Clear(PersonName::new(&text).unwrap()))
}

fn email() -> impl Strategy<Value = Personal<Email>> {
    "[a-z]{1,8}".prop_map(|text| Personal::Clear(Email::new(&format!("{text}@example.org")).unwrap()))
}

fn lines() -> impl Strategy<Value = Vec<(u8, i64, i64)>> {
    proptest::collection::vec((0_u8..5, 1_i64..50, 0_i64..2_000), 1..6)
}

fn order_command(number: u8) -> impl Strategy<Value = order::Command> {
    use order::Command::{Cancel, MarkDelivered, MarkPaid, MarkReserved, MarkShipped};
    let guest = (proptest::option::of(person_name()), proptest::option::of(email()))
        .prop_map(|(name, email)| Buyer::Guest { name, email });
    let buyer = prop_oneof![2 => (0_u8..4).prop_map(|n| Buyer::Customer(registered(n))), 1 => guest];
    let reasons = vec![CancelReason::Requested, CancelReason::PaymentDeclined, CancelReason::ShipmentFailed];
    let cancel = (prop::sample::select(reasons), proptest::option::of(reason()));
    prop_oneof![
        8 => (buyer, countries(), lines()).prop_map(move |(buyer, country, lines)| place(number, buyer, country, &lines)),
        3 => Just(MarkReserved),
        2 => Just(MarkPaid { payment_id: payment_id(number) }),
        1 => Just(MarkShipped { shipment_id: shipment_id(number) }),
        1 => Just(MarkDelivered),
        3 => cancel.prop_map(|(reason, note)| Cancel { reason, note }),
    ]
}

fn payment_command(number: u8) -> impl Strategy<Value = payment::Command> {
    use payment::Command::{Authorize, Capture, Decline, Refund, Request};
    let (payment_id, order_id) = (payment_id(number), order_id(number));
    let refund = (proptest::option::of((0_u8..6).prop_map(return_id)), price());
    prop_oneof![
        3 => price().prop_map(move |amount| Request { payment_id, order_id, amount, token: None }),
        3 => reference().prop_map(|reference| Authorize { reference }),
        3 => Just(Capture),
        1 => reason().prop_map(|reason| Decline { reason }),
        3 => refund.prop_map(|(return_id, amount)| Refund { return_id, amount }),
    ]
}

fn shipment_command(number: u8) -> impl Strategy<Value = shipment::Command> {
    use shipment::Command::{Deliver, Dispatch, Fail, Request};
    let (shipment_id, order_id) = (shipment_id(number), order_id(number));
    prop_oneof![
        3 => Just(Request { shipment_id, order_id, token: None }),
        3 => reference().prop_map(|reference| Dispatch { reference }),
        2 => Just(Deliver),
        1 => reason().prop_map(|reason| Fail { reason }),
    ]
}

fn return_command(number: u8) -> impl Strategy<Value = returns::Command> {
    use returns::Command::{MarkRefunded, MarkRestocked};
    let customer = proptest::option::of((0_u8..4).prop_map(registered));
    prop_oneof![
        4 => (customer, lines()).prop_map(move |(customer, lines)| receive(number, customer, &lines)),
        1 => Just(MarkRestocked),
        1 => Just(MarkRefunded { payment_id: Some(payment_id(number)) }),
    ]
}

use axum::extract::State;
use contract::{ApiError, Currency, ErrorCode, Position};
use domain::Personal;
use domain::ids::{OrderId, PersonId};
use domain::lines::{LINES_MAX, NewLine};
use domain::order::{self, Buyer, Command, Place, Rejection};
use domain::value::{
    Country, CustomerNumber, Description, DocumentNumber, Email, GatewayToken, PersonName, Quantity, Sku,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::executor::{CommandError, Prepare};
use crate::http::{Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::lines::{WantedLine, find_products};
use crate::routes::references::find_active_customer;
use crate::routes::{MoneySchema, PriceBody};

const OPERATION: Operation = Operation { name: "place-order", kind: KIND, creates: true };

/// An order to be placed, for a customer or, when none is named, for a guest.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// A number of its own, such as an invoice's. The id follows from it.
    #[schema(value_type = Option<String>, max_length = 64, example = "536365")]
    number: Option<DocumentNumber>,
    /// Who buys: a registered customer.
    #[schema(value_type = Option<String>, max_length = 64, example = "17850")]
    customer_number: Option<CustomerNumber>,
    /// Who buys without an account.
    guest: Option<Guest>,
    /// Where it goes.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "United Kingdom")]
    country: Country,
    /// In which currency every line is.
    #[schema(value_type = String, min_length = 3, max_length = 3, example = "GBP")]
    currency: Currency,
    /// What is bought.
    #[schema(min_items = 1, max_items = 5000)]
    lines: Vec<OrderLine>,
    /// What the payment gateway knows the buyer's choice by.
    #[schema(value_type = Option<String>, max_length = 128)]
    payment_token: Option<GatewayToken>,
    /// What the shipping gateway knows the buyer's choice by.
    #[schema(value_type = Option<String>, max_length = 128)]
    shipping_token: Option<GatewayToken>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Somebody without an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Guest {
    /// The guest's name.
    #[schema(value_type = Option<String>, max_length = 200)]
    name: Option<PersonName>,
    /// The guest's e-mail address.
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Option<Email>,
}

/// A line of an order.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OrderLine {
    /// Which product.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "85123A")]
    sku: Sku,
    /// How many.
    #[schema(value_type = i64, minimum = 1, maximum = 2147483647, example = 6)]
    quantity: Quantity,
    /// What one costs; what it costs in the catalogue at this moment, when not given.
    #[schema(value_type = Option<MoneySchema>)]
    unit_price: Option<PriceBody>,
    /// What the line says of it; what the catalogue calls it at this moment, when not given.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Option<Description>,
}

/// Places an order.
#[utoipa::path(post, path = "/v1/orders", tag = "orders", request_body = PlaceOrder,
    responses((status = 201, body = Answer)))]
pub(crate) async fn place_order(
    State(commands): State<Commands>,
    Envelope { body, mut sent }: Envelope<PlaceOrder>,
) -> Result<Answer, Failure> {
    if body.customer_number.is_some() && body.guest.is_some() {
        let error = ApiError::new(ErrorCode::InvalidInput)
            .with_message("guest: an order has a customer or a guest, not both")
            .with_details(json!({ "field": "guest" }));
        return Err(sent.refuse(error));
    }
    let id = match &body.number {
        Some(number) => OrderId::from_number(number),
        None => OrderId(sent.name_new(&OPERATION)),
    };
    let personal = body.guest.as_ref().is_some_and(|guest| guest.name.is_some() || guest.email.is_some());
    let occurred_at = body.occurred_at;
    let order = Order {
        aggregate: id.0,
        command: Placing::new(commands.clone(), id, body),
        person: personal.then(|| PersonId::from(id)),
        occurred_at,
    };
    prepare_and_carry_out(&commands, &commands.orders, &OPERATION, order, sent).await
}

/// An order whose buyer and lines are still to be found.
struct Placing {
    commands: Commands,
    customer_number: Option<CustomerNumber>,
    wanted: Vec<WantedLine>,
    /// All the rest: a guest buys, and there are no lines.
    place: Place,
}

impl Placing {
    fn new(commands: Commands, order_id: OrderId, body: PlaceOrder) -> Self {
        let (name, email) = body.guest.map_or((None, None), |guest| (guest.name, guest.email));
        let place = Place {
            order_id,
            number: body.number,
            buyer: Buyer::Guest { name: name.map(Personal::Clear), email: email.map(Personal::Clear) },
            country: body.country,
            currency: body.currency,
            lines: Vec::new(),
            payment_token: body.payment_token,
            shipping_token: body.shipping_token,
        };
        let wanted = body.lines.into_iter().map(|line| WantedLine {
            sku: line.sku,
            quantity: line.quantity,
            unit_price: line.unit_price.map(|price| price.0),
            description: line.description,
        });
        Self { commands, customer_number: body.customer_number, wanted: wanted.collect(), place }
    }

    fn check(&self) -> Result<(), Rejection> {
        let currency = self.commands.currency;
        match self.wanted.len() {
            _ if self.place.currency != currency => Err(Rejection::CurrencyMismatch { currency }),
            0 => Err(Rejection::NoLines),
            1..=LINES_MAX => Ok(()),
            _ => Err(Rejection::TooManyLines),
        }
    }

    async fn find_buyer(&self, position: Position) -> Result<Buyer, CommandError> {
        match &self.customer_number {
            Some(number) => find_active_customer(&self.commands, number, position).await.map(Buyer::Customer),
            None => Ok(self.place.buyer.clone()),
        }
    }

    async fn find_lines(&self, position: Position) -> Result<Vec<NewLine>, CommandError> {
        find_products(&self.commands, &self.wanted, position).await
    }
}

impl Prepare<order::Order> for Placing {
    async fn prepare(&self, state: &order::State, position: Position) -> Result<Command, CommandError> {
        let mut place = self.place.clone();
        // What is placed already is refused whatever it holds.
        if matches!(state, order::State::Unknown) {
            self.check().map_err(|rejection| CommandError::rejected(&rejection, position))?;
            place.buyer = self.find_buyer(position).await?;
            place.lines = self.find_lines(position).await?;
        }
        Ok(Command::Place(Box::new(place)))
    }
}

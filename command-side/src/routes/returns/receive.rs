use axum::extract::State;
use contract::{Currency, Position};
use domain::ids::{OrderId, ReturnId};
use domain::lines::LINES_MAX;
use domain::returns::{self, Command, Receive, Rejection, Return};
use domain::value::{Country, CustomerNumber, Description, DocumentNumber, Quantity, Sku};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::executor::{CommandError, Prepare};
use crate::http::{Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::lines::{WantedLine, find_products};
use crate::routes::references::{Reference, find_customer};
use crate::routes::{MoneySchema, PriceBody};

const OPERATION: Operation = Operation { name: "receive-return", kind: KIND, creates: true };

/// Goods that came back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReceiveReturn {
    /// A number of its own, such as a credit note's. The id follows from it.
    #[schema(value_type = Option<String>, max_length = 64, example = "C536379")]
    number: Option<DocumentNumber>,
    /// From which order the goods are, if that is known.
    #[schema(value_type = Option<Uuid>)]
    order_id: Option<OrderId>,
    /// Who gives them back, if that is known.
    #[schema(value_type = Option<String>, max_length = 64, example = "14527")]
    customer_number: Option<CustomerNumber>,
    /// Where they come from.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "United Kingdom")]
    country: Country,
    /// In which currency every line is.
    #[schema(value_type = String, min_length = 3, max_length = 3, example = "GBP")]
    currency: Currency,
    /// What comes back.
    #[schema(min_items = 1, max_items = 5000)]
    lines: Vec<ReturnLine>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// A line of a return.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReturnLine {
    /// Which product.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "85123A")]
    sku: Sku,
    /// How many.
    #[schema(value_type = i64, minimum = 1, maximum = 2147483647, example = 6)]
    quantity: Quantity,
    /// What is given back for one.
    #[schema(value_type = MoneySchema)]
    unit_price: PriceBody,
    /// What the line says of it; what the catalogue calls it at this moment, when not given.
    #[schema(value_type = Option<String>, max_length = 4000)]
    description: Option<Description>,
}

/// Takes goods back.
#[utoipa::path(post, path = "/v1/returns", tag = "returns", request_body = ReceiveReturn,
    responses((status = 201, body = Answer)))]
pub(crate) async fn receive_return(
    State(commands): State<Commands>,
    Envelope { body, mut sent }: Envelope<ReceiveReturn>,
) -> Result<Answer, Failure> {
    let id = match &body.number {
        Some(number) => ReturnId::from_number(number),
        None => ReturnId(sent.name_new(&OPERATION)),
    };
    let occurred_at = body.occurred_at;
    let order = Order::new(id.0, Receiving::new(commands.clone(), id, body), occurred_at);
    prepare_and_carry_out(&commands, &commands.returns, &OPERATION, order, sent).await
}

/// A return whose order, customer and products are still to be found.
struct Receiving {
    commands: Commands,
    customer_number: Option<CustomerNumber>,
    wanted: Vec<WantedLine>,
    /// All the rest: there are no customer and no lines.
    receive: Receive,
}

impl Receiving {
    fn new(commands: Commands, return_id: ReturnId, body: ReceiveReturn) -> Self {
        let receive = Receive {
            return_id,
            number: body.number,
            order_id: body.order_id,
            customer: None,
            country: body.country,
            currency: body.currency,
            lines: Vec::new(),
        };
        let wanted = body.lines.into_iter().map(|line| WantedLine {
            sku: line.sku,
            quantity: line.quantity,
            unit_price: Some(line.unit_price.0),
            description: line.description,
        });
        Self { commands, customer_number: body.customer_number, wanted: wanted.collect(), receive }
    }

    fn check(&self) -> Result<(), Rejection> {
        let currency = self.commands.currency;
        match self.wanted.len() {
            _ if self.receive.currency != currency => Err(Rejection::CurrencyMismatch { currency }),
            0 => Err(Rejection::NoLines),
            1..=LINES_MAX => Ok(()),
            _ => Err(Rejection::TooManyLines),
        }
    }
}

impl Prepare<Return> for Receiving {
    async fn prepare(&self, state: &returns::State, position: Position) -> Result<Command, CommandError> {
        let mut receive = self.receive.clone();
        // What is received already is refused whatever it holds.
        if matches!(state, returns::State::Unknown) {
            self.check().map_err(|rejection| CommandError::rejected(&rejection, position))?;
            if let Some(order) = receive.order_id {
                Reference::Order(order).check(&self.commands, position).await?;
            }
            if let Some(number) = &self.customer_number {
                receive.customer = Some(find_customer(&self.commands, number, position).await?);
            }
            receive.lines = find_products(&self.commands, &self.wanted, position).await?;
        }
        Ok(Command::Receive(Box::new(receive)))
    }
}

//! Fulfilment of an order: reserve, take the money, send the goods, see them arrive; or undo what was done.
//!
//! An event is first noted as a fact, whoever brought it about; then the state says what to ask for next. Nothing is
//! asked for twice, and an order that people move on by hand goes on from where they left it.

mod advance;
mod command;
mod facts;
mod refusal;
mod state;

use domain::ids::{OrderId, PaymentId, ShipmentId};
use domain::{ShopEvent, order, payment, process, shipment, stock};
use engine::{FoldError, Reaction, Recorded, Refusal, Saga, Table, saga_table};
use uuid::Uuid;

pub use command::Command;
pub use state::{Goal, Item, ItemStep, OrderStep, PaymentStep, ShipmentStep, State};

use crate::trouble::sentence;

/// Its name: of its projection, its streams and its actor.
pub const NAME: &str = "fulfilment";

/// The streams whose events it folds; its own are among them.
pub const CATEGORIES: &[&str] =
    &[order::CATEGORY, stock::CATEGORY, payment::CATEGORY, shipment::CATEGORY, NAME];

static TABLE: Table = saga_table(NAME);

/// The saga of an order, keyed by the order's id.
pub struct Fulfilment;

impl Saga for Fulfilment {
    type Event = ShopEvent;
    type State = State;
    type Command = Command;

    fn name(&self) -> &'static str {
        NAME
    }

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn id(&self, event: &Recorded<ShopEvent>) -> Option<Uuid> {
        order_of(event).map(|order| order.0)
    }

    fn fold(
        &self,
        _id: Uuid,
        state: Option<State>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<State>, FoldError> {
        Ok(after(state, event).map(|(state, _)| state))
    }

    fn react(
        &self,
        before: Option<&State>,
        event: &Recorded<ShopEvent>,
        _after: &State,
    ) -> Vec<Reaction<Command>> {
        let commands = after(before.cloned(), event).map(|(_, commands)| commands).unwrap_or_default();
        commands.into_iter().map(Reaction::Send).collect()
    }

    fn step(&self, state: &State) -> &'static str {
        state.word()
    }

    fn is_over(&self, state: &State) -> bool {
        state.is_over()
    }

    fn trouble(&self, state: &State) -> Option<String> {
        sentence(&state.troubles)
    }

    fn refusal(&self, event: &Recorded<ShopEvent>) -> Option<Refusal> {
        refusal::of(event)
    }
}

/// The state after the event, and what is asked for. One function for both, so that they cannot come apart.
fn after(before: Option<State>, event: &Recorded<ShopEvent>) -> Option<(State, Vec<Command>)> {
    let mut state = match before {
        Some(mut state) => {
            state.note(event);
            state
        }
        None => State::begin(&event.event)?,
    };
    let commands = state.advance();
    Some((state, commands))
}

/// Which order the event belongs to, if to one that this saga looks after.
fn order_of(event: &Recorded<ShopEvent>) -> Option<OrderId> {
    match &event.event {
        ShopEvent::Order(event) => Some(order_of_order(event)),
        ShopEvent::Stock(
            stock::Event::Reserved { order_id, .. }
            | stock::Event::Released { order_id, .. }
            | stock::Event::Shipped { order_id, .. },
        ) => Some(*order_id),
        ShopEvent::Payment(event) => {
            let (payment_id, order_id) = ids_of_payment(event);
            (payment_id == PaymentId::of_order(order_id)).then_some(order_id)
        }
        ShopEvent::Shipment(event) => {
            let (shipment_id, order_id) = ids_of_shipment(event);
            (shipment_id == ShipmentId::of_order(order_id)).then_some(order_id)
        }
        ShopEvent::Process(process::Event::CommandRefused { saga_id, .. }) => {
            (event.stream.category() == NAME).then_some(OrderId(*saga_id))
        }
        _ => None,
    }
}

const fn order_of_order(event: &order::Event) -> OrderId {
    match event {
        order::Event::Placed { order_id, .. }
        | order::Event::Reserved { order_id }
        | order::Event::Paid { order_id, .. }
        | order::Event::Shipped { order_id, .. }
        | order::Event::Delivered { order_id }
        | order::Event::Cancelled { order_id, .. } => *order_id,
    }
}

const fn ids_of_payment(event: &payment::Event) -> (PaymentId, OrderId) {
    match event {
        payment::Event::Requested { payment_id, order_id, .. }
        | payment::Event::Authorized { payment_id, order_id, .. }
        | payment::Event::Captured { payment_id, order_id, .. }
        | payment::Event::Declined { payment_id, order_id, .. }
        | payment::Event::Refunded { payment_id, order_id, .. } => (*payment_id, *order_id),
    }
}

const fn ids_of_shipment(event: &shipment::Event) -> (ShipmentId, OrderId) {
    match event {
        shipment::Event::Requested { shipment_id, order_id, .. }
        | shipment::Event::Dispatched { shipment_id, order_id, .. }
        | shipment::Event::Delivered { shipment_id, order_id }
        | shipment::Event::Failed { shipment_id, order_id, .. } => (*shipment_id, *order_id),
    }
}

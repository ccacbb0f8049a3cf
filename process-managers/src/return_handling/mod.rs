//! Handling of a return: the goods go back on the shelf, the money back to whoever paid.
//!
//! As in the fulfilment, an event is first noted as a fact, then the state says what to ask for next.

mod command;
mod state;

use domain::ids::ReturnId;
use domain::{ShopEvent, payment, process, returns, stock};
use engine::{FoldError, Reaction, Recorded, Refusal, Saga, Table, saga_table};
use uuid::Uuid;

use crate::trouble::sentence;

pub use command::Command;
pub use state::{Goods, Item, Money, State};

/// Its name: of its projection, its streams and its actor.
pub const NAME: &str = "return_handling";

/// The streams whose events it folds, its own among them.
pub const CATEGORIES: &[&str] = &[returns::CATEGORY, stock::CATEGORY, payment::CATEGORY, NAME];

static TABLE: Table = saga_table(NAME);

/// The saga of a return, keyed by the return's id.
pub struct ReturnHandling;

impl Saga for ReturnHandling {
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
        return_of(event).map(|goods| goods.0)
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
        let ShopEvent::Process(process::Event::CommandRefused { command, code, message, .. }) = &event.event
        else {
            return None;
        };
        let code = code.clone().filter(|code| !state::is_answered_elsewhere(command, code));
        Some(Refusal { code, message: message.clone() })
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

/// Which return the event belongs to.
fn return_of(event: &Recorded<ShopEvent>) -> Option<ReturnId> {
    match &event.event {
        ShopEvent::Return(
            returns::Event::Received { return_id, .. }
            | returns::Event::Restocked { return_id, .. }
            | returns::Event::Refunded { return_id, .. },
        )
        | ShopEvent::Stock(stock::Event::Restocked { return_id, .. }) => Some(*return_id),
        ShopEvent::Payment(payment::Event::Refunded { return_id, .. }) => *return_id,
        ShopEvent::Process(process::Event::CommandRefused { saga_id, .. }) => {
            (event.stream.category() == NAME).then_some(ReturnId(*saga_id))
        }
        _ => None,
    }
}

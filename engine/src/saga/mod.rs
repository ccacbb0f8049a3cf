//! Sagas: entity views with reactions. A saga folds the events of one piece of work (an order, a return) into a state
//! and reacts to them with commands. State and outbox are one row, written with the checkpoint like any other; the
//! dispatcher sends what stands in the outbox, and only folding an event with the command's id strikes it out again.

mod census;
mod courier;
mod dispatcher;
mod row;
mod stuck;
mod table;
mod view;

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::FoldError;
use crate::event::Recorded;
use crate::table::Table;

pub(crate) use self::census::{Census, keep_counting};
pub(crate) use self::courier::Courier;
pub(crate) use self::dispatcher::{Dispatcher, OutboxRow, PageEnd};
pub use self::row::SagaRow;
pub use self::stuck::{Stuck, stuck};
pub(crate) use self::table::is_saga_table;
pub use self::table::saga_table;
pub use self::view::SagaView;

/// A process that spans aggregates. All of it is pure: no clock, no I/O, no state of its own. Neither states nor
/// commands hold personal data.
pub trait Saga: Send + Sync + 'static {
    /// The events it folds.
    type Event: Send + Sync + 'static;
    /// How far one piece of work is.
    type State: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What it asks for.
    type Command: Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Its name: that of its projection and of its streams `<name>-<id>`, and a part of its commands' ids.
    fn name(&self) -> &'static str;

    /// The table of its rows, made by [`saga_table`].
    fn table(&self) -> &'static Table;

    /// Which piece of work the event belongs to, by the id that the event carries; none when to none.
    fn id(&self, event: &Recorded<Self::Event>) -> Option<Uuid>;

    /// The state after the event; none as long as the work has not begun, and never again once it has.
    ///
    /// # Errors
    /// The event cannot follow: its predecessor is missing.
    fn fold(
        &self,
        id: Uuid,
        state: Option<Self::State>,
        event: &Recorded<Self::Event>,
    ) -> Result<Option<Self::State>, FoldError>;

    /// What the event calls for, in an order that never changes: a command's id comes from the causing event and its
    /// index.
    fn react(
        &self,
        before: Option<&Self::State>,
        event: &Recorded<Self::Event>,
        after: &Self::State,
    ) -> Vec<Reaction<Self::Command>>;

    /// Where the work stands, in a word for operators, such as `PAYING`.
    fn step(&self, state: &Self::State) -> &'static str;

    /// Whether nothing more will come of it once its outbox is empty.
    fn is_over(&self, state: &Self::State) -> bool;

    /// Why the work stands still until somebody helps, as far as its state knows; none when it goes on by itself. A
    /// saga with several commands under way needs it: the answer to one of them must not hide that another was
    /// refused for good. As long as it says something, the row is stuck with these words, whatever else happens.
    fn trouble(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// What the event says when it tells that a command was refused or changed nothing.
    fn refusal(&self, event: &Recorded<Self::Event>) -> Option<Refusal>;
}

/// What an event calls for.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction<C> {
    /// This command, at once.
    Send(C),
    /// This command, not before so long after the recorded time of the causing event.
    SendAfter(SignedDuration, C),
    /// Not this command any more, if it is still in the outbox.
    Withdraw(C),
}

/// A command that was refused or changed nothing, as the log says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason's line of the error table; none when the command had nothing to change. A saga that neither changes
    /// its state nor reacts to a refusal with a reason stands still as stuck.
    pub code: Option<String>,
    /// A sentence for operators.
    pub message: String,
}

/// A command on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing<C> {
    /// The piece of work it belongs to.
    pub saga_id: Uuid,
    /// The command's id: the same whenever it is sent again, also after a fold from nothing.
    pub command_id: Uuid,
    /// The event that called for it.
    pub caused_by: Uuid,
    /// The piece of work in the log's metadata (`$correlationId`), taken over from the causing event.
    pub correlation_id: Uuid,
    /// The trace of the causing event.
    pub traceparent: Option<String>,
    /// What is asked for.
    pub command: C,
}

/// Carries out the commands of a saga.
#[async_trait]
pub trait Dispatch<C>: Send + Sync + 'static {
    /// Carries the command out. When it returns, an event with the command's id stands in the log: the command's own,
    /// or one that says that it was refused or changed nothing.
    ///
    /// # Errors
    /// The outcome is not known, or the time has not come. The command is sent again, under the same id, after a
    /// pause that grows.
    async fn dispatch(&self, command: &Outgoing<C>) -> Result<(), DispatchError>;
}

/// A command that has to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// Something did not answer, or not with an answer that settles it.
    #[error("{0}")]
    Failed(String),
    /// All is well, but it is too early; ask again.
    #[error("not yet")]
    NotYet,
}

//! The decider pattern: two total functions are all there is to an aggregate.

use contract::ErrorCode;

use crate::event::ShopEvent;

/// The rules of one aggregate.
pub trait Decider {
    /// Which streams hold its events: they are named `<category>-<id>`.
    const CATEGORY: &'static str;
    /// What somebody wants done.
    type Command;
    /// What was done.
    type Event: Clone + Into<ShopEvent> + TryFrom<ShopEvent>;
    /// What the rules need to know of the past; the default is the state before the first event.
    type State: Default + Clone;
    /// Why a command was refused.
    type Rejection: Refusal;

    /// What a command leads to. No events mean that it changes nothing.
    ///
    /// # Errors
    /// The rules do not allow it; the state is as before.
    fn decide(state: &Self::State, command: Self::Command) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// The state after one more event. Total: it takes any event in any state.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;
}

/// The state after `events`, from nothing.
pub fn fold<'a, D: Decider>(events: impl IntoIterator<Item = &'a D::Event>) -> D::State
where
    D::Event: 'a,
{
    events.into_iter().fold(D::State::default(), D::evolve)
}

/// A named rejection; its text is the table's sentence.
pub trait Refusal: std::error::Error + Send + Sync + 'static {
    /// Its name, one of the aggregate's `Rejection::NAMES`.
    fn name(&self) -> &'static str;

    /// Its line in the table of errors.
    fn code(&self) -> ErrorCode;

    /// What a program may want to know besides, as `details` of the answer.
    fn details(&self) -> Option<serde_json::Value>;
}

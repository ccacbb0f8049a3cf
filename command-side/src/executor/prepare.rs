//! Commands for which something has to be looked up before they can be decided.

use contract::Position;

use super::{Aggregate, CommandError};

/// What becomes a command by looking things up: prices, whether what it names is there.
///
/// The executor asks for the command only when it is not known and the aggregate is at the revision asked for, so a
/// request that is sent again gets its answer whatever became of the things it names. It may ask more than once. An
/// error is answered only behind the tail of the aggregate's own stream, as every rejection is; what is looked up has
/// to be as fresh as that by itself.
pub trait Prepare<D: Aggregate>: Send + Sync + 'static {
    /// The command for an aggregate of this state, whose last event stands at `position`.
    ///
    /// # Errors
    /// Something is not as it has to be, or could not be looked up.
    fn prepare(
        &self,
        state: &D::State,
        position: Position,
    ) -> impl Future<Output = Result<D::Command, CommandError>> + Send;
}

/// A command that needs nothing looked up.
pub struct Ready<C>(pub C);

impl<D: Aggregate> Prepare<D> for Ready<D::Command> {
    async fn prepare(&self, _: &D::State, _: Position) -> Result<D::Command, CommandError> {
        Ok(self.0.clone())
    }
}

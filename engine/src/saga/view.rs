//! Any saga as an entity view, so that fence, checkpoint, checksums and law are those of every view.

use serde::Serialize;
use uuid::Uuid;

use super::row::{Pending, SagaRow, Shared};
use super::{Refusal, Saga};
use crate::document::Document;
use crate::error::{FoldError, LoadError};
use crate::event::Recorded;
use crate::table::Table;
use crate::value::{Stored, Value};
use crate::view::EntityView;

/// A saga as an entity view: each event strikes out the command that it answers, folds into the state, and brings the
/// saga's reactions into the outbox.
pub struct SagaView<S>(S);

impl<S: Saga> SagaView<S> {
    /// The view of this saga.
    #[must_use]
    pub fn new(saga: S) -> Self {
        Self(saga)
    }
}

impl<S: Saga> EntityView for SagaView<S> {
    type Event = S::Event;
    type Key = Uuid;
    type Row = SagaRow<S::State, S::Command>;

    fn table(&self) -> &'static Table {
        self.0.table()
    }

    fn keys(&self, event: &Recorded<S::Event>) -> Vec<Uuid> {
        self.0.id(event).into_iter().collect()
    }

    fn fold(
        &self,
        id: &Uuid,
        row: Option<Self::Row>,
        event: &Recorded<S::Event>,
    ) -> Result<Option<Self::Row>, FoldError> {
        let saga = &self.0;
        let before = row.as_ref().map(|row| Shared::clone(&row.state));
        let before = before.as_deref();
        let Some(after) = saga.fold(*id, before.cloned(), event)? else {
            return match row {
                None => Ok(None),
                Some(_) => Err(FoldError::new("the saga has no state for work that has begun")),
            };
        };
        let reactions = saga.react(before, event, &after);
        let moves_on = before != Some(&after) || !reactions.is_empty();
        let mut row = match row {
            Some(row) if before == Some(&after) => row,
            Some(row) => SagaRow { state: Shared::new(after), ..row },
            None => SagaRow::begun(after),
        };
        row.strike(event.metadata.command_id);
        if let Some(trouble) = saga.trouble(&row.state) {
            row.stuck_reason = Some(trouble);
        } else if moves_on {
            row.stuck_reason = None;
        } else if let Some(Refusal { code: Some(code), message }) = saga.refusal(event) {
            row.stuck_reason = Some(format!("{code}: {message}"));
        }
        for (index, reaction) in reactions.into_iter().enumerate() {
            row.react(saga, event, index, reaction);
        }
        Ok(Some(row))
    }

    fn store_key(&self, id: &Uuid) -> Vec<Value> {
        vec![(*id).into()]
    }

    fn store(&self, row: &Self::Row) -> Vec<Value> {
        let outbox: Vec<&Pending<S::Command>> = row.outbox.iter().map(|pending| &**pending).collect();
        vec![
            self.0.step(&row.state).into(),
            json(&*row.state),
            json(&outbox),
            outbox.iter().map(|pending| pending.due_at()).min().into(),
            row.stuck_reason.clone().into(),
            (self.0.is_over(&row.state) && outbox.is_empty()).into(),
        ]
    }

    fn load(&self, _: &Uuid, values: Vec<Value>) -> Result<Self::Row, LoadError> {
        let mut stored = Stored::new(values);
        let _step: String = stored.take()?;
        let state = stored.document()?;
        let outbox: Vec<Pending<S::Command>> = stored.document()?;
        let _due_at: Option<jiff::Timestamp> = stored.take()?;
        let stuck_reason = stored.take()?;
        let outbox = Shared::new(outbox.into_iter().map(Shared::new).collect());
        Ok(SagaRow { state: Shared::new(state), outbox, stuck_reason })
    }
}

/// Null when it is nothing that JSON can hold; no column takes null here, so that the fold fails and says so.
fn json(value: &impl Serialize) -> Value {
    Document::of(value).map_or(Value::Null, Value::from)
}

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::PersonId;

/// What happened to a command of a saga.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// It was refused, or had nothing to change.
    CommandRefused {
        /// Whose piece of work it belongs to: the order's id, the return's.
        saga_id: Uuid,
        /// The command's id.
        command_id: Uuid,
        /// The command's name.
        command: String,
        /// The aggregate that it was for.
        subject_id: Uuid,
        /// Why it was refused, a line of the table of errors or `GATEWAY_REFUSED`; none when it had nothing to
        /// change.
        code: Option<String>,
        /// A sentence for operators.
        message: String,
    },
}

event_types! {
    CommandRefused = "CommandRefused" v 1;
}

impl Event {
    /// Nobody: commands of sagas hold no personal data.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        None
    }
}

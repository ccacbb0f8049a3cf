//! A command that was refused for good, where the saga knows nothing to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What keeps a piece of work from going on until somebody helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// The command's name.
    pub command: String,
    /// The aggregate that it was for.
    pub subject_id: Uuid,
    /// Why it was refused.
    pub reason: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} was refused: {}", self.command, self.subject_id, self.reason)
    }
}

/// All of them in one sentence; none when there is none.
pub(crate) fn sentence(troubles: &[Trouble]) -> Option<String> {
    let reasons: Vec<_> = troubles.iter().map(ToString::to_string).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

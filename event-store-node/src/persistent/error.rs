//! What can go wrong with a group.

use thiserror::Error;

use crate::storage::{AppendError, StorageError};

/// Why a group does not do what was asked, or not any longer.
#[derive(Debug, Error)]
pub(crate) enum GroupError {
    #[error("the group exists already")]
    Exists,
    #[error("the group does not exist")]
    DoesNotExist,
    #[error("{0}")]
    Failed(String),
    #[error("Maximum subscriptions reached")]
    MaxSubscribers,
    #[error("the group was updated, deleted or restarted")]
    Dropped,
    #[error("Server Is Not Ready")]
    NotReady,
    #[error("the node is stopping")]
    Stopping,
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl GroupError {
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }
}

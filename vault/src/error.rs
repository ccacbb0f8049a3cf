use std::io;
use std::path::PathBuf;

use domain::codec::DecodeError;
use domain::ids::PersonId;

/// Why the vault could not do what it was asked. No text holds personal data or a key.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The key file is not as it was written. Only a backup of it helps: keys cannot be made again.
    #[error("{path} is damaged in line {line}; restore it from a backup, the keys cannot be made again")]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// The first damaged line, counted from 1.
        line: usize,
    },
    /// A failed write could not be taken back, so nothing more is written in this process.
    #[error("an earlier write to {path} failed and could not be taken back; restart when the disk is well")]
    Unusable {
        /// The key file.
        path: PathBuf,
    },
    /// The person's key was destroyed; nothing can be sealed for them any more.
    #[error("the data of person {0} was erased")]
    Erased(PersonId),
    /// There is neither a key of this person nor a mark that it was destroyed. Worth another try.
    #[error("there is no key for person {0}")]
    KeyMissing(PersonId),
    /// An event has personal fields but does not say whose.
    #[error("{event_type} has personal fields but belongs to no person")]
    NoPerson {
        /// The event's type.
        event_type: &'static str,
    },
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The process is stopping.
    #[error("the work was stopped with the process")]
    Stopped,
}

/// Why an event could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not an event that this build can read, or a sealed field was tampered with. Another try will not help.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// There is neither a key of this person nor a mark that it was destroyed. To be tried again.
    #[error("there is no key for person {0}")]
    KeyMissing(PersonId),
    /// The vault did not work. To be tried again.
    #[error(transparent)]
    Vault(VaultError),
}

impl From<VaultError> for OpenError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::KeyMissing(person) => OpenError::KeyMissing(person),
            other => OpenError::Vault(other),
        }
    }
}

//! What can go wrong in the storage.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The log cannot be opened or read.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The machine refused.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the machine said.
        error: io::Error,
    },
    /// Another process has the data directory.
    #[error("another process is using the data directory {0}; stop it first, or take another directory")]
    InUse(PathBuf),
    /// The directory holds something else.
    #[error("{0} is not empty and not a data directory of this node; take another directory")]
    ForeignDirectory(PathBuf),
    /// The directory is no log.
    #[error("{0} holds no log of a node; name the folder of a node, or the data directory that it is in")]
    NoLog(PathBuf),
    /// What would be written is there already.
    #[error("{0} exists already; nothing was written")]
    TargetExists(PathBuf),
    /// A copy would lie in what it copies.
    #[error("{0} lies in the folder that is copied; take another place")]
    TargetInside(PathBuf),
    /// The directory was written by another version.
    #[error("the data directory {path} has format {found}; this version reads formats up to {expected}")]
    OtherFormat {
        /// The data directory.
        path: PathBuf,
        /// What its marker says.
        found: String,
        /// What would be understood.
        expected: &'static str,
    },
    /// A file that the log did not write lies among its segments.
    #[error("{0} is no segment of the log; move it away")]
    ForeignFile(PathBuf),
    /// A segment is gone.
    #[error("the segment of the log that begins at position {position} is missing")]
    MissingSegment {
        /// Where the missing one begins.
        position: u64,
    },
    /// A segment's header is not right.
    #[error("the segment {path} cannot be used: {what}")]
    DamagedSegment {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Bytes that were once synced do not read back.
    #[error("the log is damaged at position {position}: what was written there does not read back")]
    DamagedRecord {
        /// Where.
        position: u64,
    },
    /// The index reaches further than the log.
    #[error("the log ends at position {end}, but events up to {expected} were in it once")]
    LogTooShort {
        /// Where it ends.
        end: u64,
        /// How far it reached.
        expected: u64,
    },
    /// The stream was deleted for good.
    #[error("Event stream '{stream}' is deleted.")]
    StreamDeleted {
        /// Its name.
        stream: String,
    },
    /// One scavenge at a time.
    #[error("the log is being scavenged already")]
    Scavenging,
    /// The log was closed meanwhile.
    #[error("the log is closed")]
    Closed,
    /// The index does not answer.
    #[error("the index of the log: {0}")]
    Index(String),
    /// A setting makes no sense.
    #[error("{0}")]
    Config(String),
}

impl StorageError {
    pub(crate) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), error }
    }
}

/// An append that was not carried out, or of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// It is larger than an append may be.
    #[error("Maximum append size of {limit} bytes exceeded")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Too much is waiting to be written.
    #[error("Server Is Too Busy")]
    Busy,
    /// The storage is stopping, or has stopped after a failure.
    #[error("the log takes no more appends: {0}")]
    Stopped(String),
}

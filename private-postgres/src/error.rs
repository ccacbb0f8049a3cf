//! Why a private server cannot run, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a private server could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No folder holds both `initdb` and `postgres`.
    #[error(
        "PostgreSQL's server programs (initdb, postgres) were not found in {searched}. Install them with \
         `apt-get install -y --no-install-recommends postgresql`, or set HEADWATER_PG_BIN to the folder they are in"
    )]
    ProgramsMissing {
        /// Where was looked.
        searched: String,
    },
    /// `HEADWATER_PG_BIN` or the only installation is older than what we use.
    #[error("PostgreSQL {found} in {} is too old; version {least} or newer is needed", bin.display())]
    TooOld {
        /// Its major version.
        found: u32,
        /// The oldest that will do.
        least: u32,
        /// Where it is.
        bin: PathBuf,
    },
    /// The cluster was made by another major version than is installed.
    #[error(
        "the database in {} was made by PostgreSQL {cluster}, but only version {installed} is installed. Install \
         PostgreSQL {cluster} (`apt-get install postgresql-{cluster}`), or remove that directory: what is in it is \
         derived from the log and is built again at the next start", dir.display()
    )]
    VersionMismatch {
        /// The cluster's directory.
        dir: PathBuf,
        /// The major version that made it.
        cluster: u32,
        /// The major versions that are installed.
        installed: String,
    },
    /// Root, and no account that the server could run as.
    #[error(
        "PostgreSQL does not run as root, and neither a user `postgres` nor `nobody` exists to run it as. Start as an \
         ordinary user, or make one: `useradd --system postgres`"
    )]
    NoAccount,
    /// The account that the server runs as may not enter a folder on the way to the data.
    #[error(
        "PostgreSQL runs as the user `{account}`, which may not enter {} on the way to {}. Use a data directory that \
         every user can reach, such as /var/lib/headwater (`--data-dir /var/lib/headwater`), or open the folder with \
         `chmod o+x {}`", blocker.display(), dir.display(), blocker.display()
    )]
    Unreachable {
        /// Whom the server runs as.
        account: String,
        /// The first folder on the way that it may not enter.
        blocker: PathBuf,
        /// Where it has to go.
        dir: PathBuf,
    },
    /// The cluster belongs to another user.
    #[error(
        "the database in {} belongs to another user (uid {owner}). Start as that user or as root, or choose another \
         data directory", dir.display()
    )]
    ForeignOwner {
        /// The cluster's directory.
        dir: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Something that is no cluster stands where the cluster should be.
    #[error("{} is not a PostgreSQL cluster. Choose another data directory, or move it away", dir.display())]
    NotACluster {
        /// What stands there.
        dir: PathBuf,
    },
    /// Another process runs a server on this directory.
    #[error("{} is in use by another running process. Stop that one, or choose another data directory", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// A server that a killed parent left behind does not go away.
    #[error("a PostgreSQL server (process {pid}) still runs on {} and does not stop. End it, then start again", dir.display())]
    LeftoverStays {
        /// Its process id.
        pid: i32,
        /// Its cluster.
        dir: PathBuf,
    },
    /// A program could not be run, or failed.
    #[error("{program} failed: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What it said last.
        reason: String,
    },
    /// The server ended, or did not answer in time.
    #[error("PostgreSQL did not start: {reason}. Its log is {}", log.display())]
    NotStarted {
        /// What happened, with the end of its log.
        reason: String,
        /// Where the whole log is.
        log: PathBuf,
    },
    /// The server answered a statement of ours with an error.
    #[error("PostgreSQL refused to make the database: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err` on a call about one path.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { path: path.to_owned(), source }
    }
}

//! Postgres: the engine's own tables, the session of a worker, rows set-wise, and the one transaction of a batch.

pub(crate) mod checkpoint;
pub(crate) mod commit;
pub(crate) mod history;
pub(crate) mod migrate;
pub(crate) mod moments;
pub(crate) mod parked;
pub(crate) mod refused;
pub(crate) mod reset;
pub(crate) mod rows;
pub(crate) mod session;
pub(crate) mod sql;

/// The schema that everything derived stands in.
pub(crate) const SCHEMA: &str = "headwater";

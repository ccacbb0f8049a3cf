//! One answer, one snapshot: wait until the projections are where the request asks for, open a transaction, read
//! there once which version of each table is served, and let every statement of the answer run in it.

mod connection;
mod parked;
mod past;
mod reader;
mod snapshot;
mod status;

pub(crate) use reader::{ReadContext, Reader};
pub(crate) use snapshot::Snapshot;
pub(crate) use status::VersionStatus;

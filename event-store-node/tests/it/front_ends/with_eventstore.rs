//! Writers with the client `eventstore`.

use crate::conformance::rust::with_eventstore::api;

#[path = "writer.rs"]
pub mod writer;

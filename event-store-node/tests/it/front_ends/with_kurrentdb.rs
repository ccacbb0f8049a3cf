//! Writers with the client `kurrentdb`.

use crate::conformance::rust::with_kurrentdb::api;

#[path = "writer.rs"]
pub mod writer;

//! The fold engine: subscribe, fold, checkpoint. It knows no view and no event type: a view is a pure fold that it is
//! given, and all reading and writing is done here.
//!
//! The flow: `source` (live tail and catch-up reads) -> `fold` (a batch in memory) -> `write` (rows, checkpoint,
//! checksums and notification in one transaction, fenced) -> `worker` (who folds, and what it says of itself).
//! Guarantee: whatever crashes or restarts in between, rows, counts and checksums are those of one fold of the log.

mod build;
mod checksum;
mod document;
mod engine;
mod error;
mod event;
mod fold;
pub mod law;
pub mod metrics;
pub mod parked;
mod projection;
mod saga;
mod source;
mod table;
mod value;
pub mod versions;
mod view;
mod worker;
mod write;

pub use checksum::Checksums;
pub use document::Document;
pub use engine::{Engine, Readiness};
pub use error::{DecodeFailure, EngineError, FoldError, LoadError};
pub use event::{Decoder, Recorded};
pub use projection::{Entity, MayDiffer, Projection};
pub use saga::{
    Dispatch, DispatchError, Outgoing, Reaction, Refusal, Saga, SagaRow, SagaView, Stuck, saga_table, stuck,
};
pub use table::{Column, Table};
pub use value::{FromValue, SqlType, Stored, Value};
pub use view::{Contributes, EntityView, SummaryView};
pub use write::history::KeepHistory;
pub use write::migrate::{migrate, migrate_with};
pub use write::reset::reset;

//! A payment gateway and a carrier for where there are no real ones. It declines and fails by token, never by amount,
//! and keeps a durable ledger of every call, so that anybody can check what was asked of it, and how often.
//!
//! | token of payment | what happens | token of shipping | what happens |
//! |---|---|---|---|
//! | `decline` | declined at authorization | `refuse` | the carrier does not take the goods |
//! | `decline-capture` | declined at capture | `lost` | they do not arrive |
//! | any other, or none | all is well | any other, or none | all is well |

mod book;
mod call;
mod http;
mod ledger;
mod query;
mod writer;

pub use call::{Call, Entry, Kind, Outcome};
pub use http::routes;
pub use ledger::{CALLS_MAX, Ledger, LedgerError};

//! `headwater import retail`: brings the invoice lines of a shop in through the REST API, like any client.
//!
//! [`read`](reader::read) checks the file row by row, [`Plan`](plan::Plan) works out what it means, and
//! [`run`] sends it, phase by phase. Every request can be sent again without doing anything twice, so a
//! second run finishes what a first one left. The whole plan stands in memory: it grows with the file.

pub mod client;
pub mod flags;
pub mod plan;
pub mod progress;
pub mod reader;
pub mod request;
pub mod row;
pub mod run;
pub mod summary;

#[cfg(test)]
mod tests;

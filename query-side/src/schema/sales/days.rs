//! The days that a question about sales covers.

use contract::{ApiError, ErrorCode};
use serde_json::json;

use crate::error::Failure;
use crate::schema::scalar::Date;

/// The most days that one question covers: ten years.
const MAX_DAYS: i32 = 3_660;

/// Days in the shop's time zone, the last one included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    /// The first.
    pub(super) from: jiff::civil::Date,
    /// The last, not before the first.
    pub(super) to: jiff::civil::Date,
}

impl Days {
    /// Checks what a client asks for.
    pub(super) fn new(Date(from): Date, Date(to): Date) -> Result<Self, Failure> {
        if from > to {
            return Err(invalid(
                format!("`from` ({from}) is after `to` ({to})"),
                json!({"argument": "from"}),
            ));
        }
        let days = from.duration_until(to).as_hours() / 24 + 1;
        if days > i64::from(MAX_DAYS) {
            let message = format!("from {from} to {to} are {days} days; ask for at most {MAX_DAYS}");
            return Err(invalid(message, json!({"argument": "to", "limit": MAX_DAYS})));
        }
        Ok(Self { from, to })
    }
}

fn invalid(message: String, details: serde_json::Value) -> Failure {
    ApiError::new(ErrorCode::InvalidInput).with_message(message).with_details(details).into()
}

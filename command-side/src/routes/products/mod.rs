//! `/v1/products`.

pub(crate) mod delist;
pub(crate) mod details;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod price;
pub(crate) mod relist;

use contract::{ApiError, Currency, ErrorCode, Money};
use domain::value::Price;
use serde::{Deserialize, Deserializer};
use serde_json::json;

/// How the kind stands in addresses.
const KIND: &str = "products";

/// A price as it stands in bodies: in major units, not below 0.
fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Price, D::Error> {
    Price::new(Money::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// The shop takes one currency.
pub(crate) fn check_currency(price: Price, currency: Currency) -> Result<(), ApiError> {
    if price.money().currency == currency {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::CurrencyMismatch).with_details(json!({ "currency": currency })))
}

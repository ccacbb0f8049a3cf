//! One folder a kind of aggregate, one file a use case.

pub(crate) mod products;
pub(crate) mod stock;
pub(crate) mod users;

use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// The body of a command that needs nothing said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Plain {
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) occurred_at: Option<Timestamp>,
}

/// An amount of money, in major units.
#[derive(ToSchema)]
#[schema(as = Money)]
#[expect(dead_code, reason = "it stands for contract::Money in the OpenAPI document")]
pub(crate) struct MoneySchema {
    /// A decimal number with at most as many decimals as the currency has.
    #[schema(example = "2.55", pattern = r"^-?\d+(\.\d+)?$")]
    amount: String,
    /// ISO 4217 code.
    #[schema(example = "GBP", min_length = 3, max_length = 3)]
    currency: String,
}

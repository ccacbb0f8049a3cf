//! One folder a kind of aggregate, one file a use case.

mod lines;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod products;
mod references;
pub(crate) mod returns;
pub(crate) mod shipments;
pub(crate) mod stock;
pub(crate) mod users;

use contract::Money;
use domain::value::{InvalidValue, Price};
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

/// A price as it stands in bodies: in major units, not below 0.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Money")]
pub(crate) struct PriceBody(pub(crate) Price);

impl TryFrom<Money> for PriceBody {
    type Error = InvalidValue;

    fn try_from(money: Money) -> Result<Self, InvalidValue> {
        Price::new(money).map(Self)
    }
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

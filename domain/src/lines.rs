//! The lines of an order or a return.

use contract::{Currency, Money, MoneyError};
use serde::{Deserialize, Serialize};

use crate::ids::ProductId;
use crate::value::{Description, Price, Quantity, Sku, UNITS_MAX};

/// The most lines that an order or a return may have.
pub const LINES_MAX: usize = 5_000;

/// A line as a command brings it, product and price already found.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLine {
    /// Which product.
    pub product_id: ProductId,
    /// What the shop calls it.
    pub sku: Sku,
    /// What the line says of it.
    pub description: Option<Description>,
    /// How many.
    pub quantity: Quantity,
    /// What one costs.
    pub unit_price: Price,
}

/// A line as events keep it; its currency is the document's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Which product.
    pub product_id: ProductId,
    /// What the shop calls it.
    pub sku: Sku,
    /// What the line says of it.
    pub description: Option<Description>,
    /// How many.
    pub quantity: Quantity,
    /// What one costs, in minor units.
    pub unit_price_minor: i64,
}

/// Why lines cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidLines {
    None,
    TooMany,
    CurrencyMismatch,
    AmountOverflow,
    QuantityOverflow,
}

impl Line {
    /// What the line comes to.
    ///
    /// # Errors
    /// It does not fit, which no line of an event that was decided does.
    pub fn amount(&self, currency: Currency) -> Result<Money, MoneyError> {
        Money::new(self.unit_price_minor, currency).checked_mul(self.quantity.units())
    }
}

/// The lines as events keep them, and what they come to. All units together can be counted, so those of one product
/// can be too.
pub(crate) fn take(lines: Vec<NewLine>, currency: Currency) -> Result<(Vec<Line>, Money), InvalidLines> {
    if lines.is_empty() {
        return Err(InvalidLines::None);
    }
    if lines.len() > LINES_MAX {
        return Err(InvalidLines::TooMany);
    }
    if lines.iter().any(|line| line.unit_price.money().currency != currency) {
        return Err(InvalidLines::CurrencyMismatch);
    }
    let units: i64 = lines.iter().map(|line| line.quantity.units()).sum();
    if units > UNITS_MAX {
        return Err(InvalidLines::QuantityOverflow);
    }
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    let total =
        lines.iter().try_fold(Money::new(0, currency), |sum, line| sum.checked_add(line.amount(currency)?));
    let total = total.map_err(|_| InvalidLines::AmountOverflow)?;
    Ok((lines, total))
}

impl From<NewLine> for Line {
    fn from(line: NewLine) -> Self {
        Self {
            product_id: line.product_id,
            sku: line.sku,
            description: line.description,
            quantity: line.quantity,
            unit_price_minor: line.unit_price.money().minor,
        }
    }
}

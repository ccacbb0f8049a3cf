//! Values that are checked once, when they are made, and are right from then on.

use contract::{Money, money::minor_units};
use serde::{Deserialize, Serialize};

/// The most units of one thing that can be counted: what fits a GraphQL `Int`.
pub const UNITS_MAX: i64 = i32::MAX as i64;

/// A value that cannot be. The text is a sentence for a person and never holds the value itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {rule}")]
pub struct InvalidValue {
    /// Which kind of value.
    pub what: &'static str,
    /// What holds for it.
    pub rule: String,
}

text!(
    /// Stock-keeping unit: what the shop calls a product. Case-sensitive.
    Sku, "a SKU", identifier, 64
);
text!(
    /// What the shop calls a customer.
    CustomerNumber, "a customer number", identifier, 64
);
text!(
    /// The number that a document had before it came here, such as an invoice's.
    DocumentNumber, "a document number", identifier, 64
);
text!(
    /// A country as the shop names it.
    Country, "a country", identifier, 64
);
text!(
    /// What a product is called.
    ProductName, "a product name", line, 200
);
text!(
    /// What there is to say of a product.
    Description, "a description", prose, 4_000
);
text!(
    /// Why somebody did something.
    Reason, "a reason", line, 200
);
text!(
    /// What a payment or shipping gateway knows the buyer's choice by. Opaque to us.
    GatewayToken, "a gateway token", identifier, 128
);
text!(
    /// What a gateway calls something that it did for us.
    GatewayReference, "a gateway reference", identifier, 128
);
text!(
    /// What a person is called.
    PersonName, "a name", line, 200
);
text!(
    /// An e-mail address; only its shape is checked.
    Email, "an e-mail address", email, 254
);

/// How many units, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Quantity(i64);

impl Quantity {
    /// A number of units.
    ///
    /// # Errors
    /// It is not between 1 and [`UNITS_MAX`].
    pub fn new(units: i64) -> Result<Self, InvalidValue> {
        if (1..=UNITS_MAX).contains(&units) {
            return Ok(Self(units));
        }
        Err(InvalidValue { what: "a quantity", rule: format!("is between 1 and {UNITS_MAX}") })
    }

    /// The number of units.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidValue;

    fn try_from(units: i64) -> Result<Self, InvalidValue> {
        Self::new(units)
    }
}

/// By how many units a count was off, up or down, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct QuantityChange(i64);

impl QuantityChange {
    /// A difference in units.
    ///
    /// # Errors
    /// It is 0 or further from 0 than [`UNITS_MAX`].
    pub fn new(units: i64) -> Result<Self, InvalidValue> {
        if units != 0 && (-UNITS_MAX..=UNITS_MAX).contains(&units) {
            return Ok(Self(units));
        }
        Err(InvalidValue { what: "a change", rule: format!("is not 0 and at most {UNITS_MAX} either way") })
    }

    /// The difference in units.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for QuantityChange {
    type Error = InvalidValue;

    fn try_from(units: i64) -> Result<Self, InvalidValue> {
        Self::new(units)
    }
}

/// What one unit costs: money, not below 0. Its JSON is that of events, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Price(#[serde(with = "minor_units")] Money);

impl Price {
    /// A price.
    ///
    /// # Errors
    /// It is below 0.
    pub fn new(money: Money) -> Result<Self, InvalidValue> {
        if money.minor >= 0 {
            return Ok(Self(money));
        }
        Err(InvalidValue { what: "a price", rule: "is not below 0".to_owned() })
    }

    /// The amount and its currency.
    #[must_use]
    pub const fn money(self) -> Money {
        self.0
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(minor_units::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What texts have to keep to. Control characters are refused: no screen shows them and Postgres holds no NUL.
pub(crate) mod check {
    use super::InvalidValue;

    /// One line that starts and ends with something visible.
    pub(crate) fn identifier(what: &'static str, text: &str, max: usize) -> Result<(), InvalidValue> {
        line(what, text, max)?;
        if text.trim() != text {
            return Err(InvalidValue { what, rule: "does not start or end with a blank".to_owned() });
        }
        Ok(())
    }

    /// One line that is not blank.
    pub(crate) fn line(what: &'static str, text: &str, max: usize) -> Result<(), InvalidValue> {
        if text.chars().any(char::is_control) {
            return Err(InvalidValue { what, rule: "has no control characters".to_owned() });
        }
        prose(what, text, max)
    }

    /// Any text that is not blank; it may have line breaks and tabs.
    pub(crate) fn prose(what: &'static str, text: &str, max: usize) -> Result<(), InvalidValue> {
        let stray = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.chars().any(stray) {
            return Err(InvalidValue { what, rule: "has no control characters".to_owned() });
        }
        if text.trim().is_empty() || text.chars().count() > max {
            return Err(InvalidValue { what, rule: format!("has 1 to {max} characters, not all blank") });
        }
        Ok(())
    }

    /// Something before an `@` and something behind it.
    pub(crate) fn email(what: &'static str, text: &str, max: usize) -> Result<(), InvalidValue> {
        identifier(what, text, max)?;
        match text.split_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !text.contains(' ') => Ok(()),
            _ => Err(InvalidValue { what, rule: "looks like name@example.org".to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::Currency;

    use super::*;

    #[test]
    fn texts_keep_to_their_shape() {
        for good in ["85123A", "BANK CHARGES", "m", "é"] {
            assert_eq!(Sku::new(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", " 85123A", "85123A ", "a\tb", "a\0b", &"x".repeat(65)] {
            assert!(Sku::new(bad).is_err(), "{bad:?}");
        }
        assert!(Description::new("two\nlines").is_ok());
        assert!(ProductName::new("two\nlines").is_err());
        assert!(Description::new("nul\0").is_err());
        assert!(ProductName::new("WHITE METAL LANTERN ").is_ok());
    }

    #[test]
    fn an_e_mail_address_has_an_at_sign_inside() {
        assert!(Email::new("ada@example.org").is_ok());
        for bad in ["ada", "@example.org", "ada@", "ada @example.org"] {
            assert!(Email::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn quantities_and_prices_stay_in_their_range() {
        assert!(Quantity::new(0).is_err());
        assert!(Quantity::new(-1).is_err());
        assert!(Quantity::new(UNITS_MAX + 1).is_err());
        assert_eq!(Quantity::new(UNITS_MAX).unwrap().units(), UNITS_MAX);
        assert!(QuantityChange::new(0).is_err());
        assert!(QuantityChange::new(-UNITS_MAX).is_ok());
        assert!(QuantityChange::new(i64::MIN).is_err());
        assert!(Price::new(Money::new(-1, Currency::GBP)).is_err());
        assert!(Price::new(Money::new(0, Currency::GBP)).is_ok());
    }

    #[test]
    fn an_error_does_not_repeat_the_value() {
        let error = Email::new("secret").unwrap_err();
        assert_eq!(error.to_string(), "an e-mail address looks like name@example.org");
    }

    #[test]
    fn json_is_checked_as_well() {
        assert!(serde_json::from_str::<Sku>(r#"" ""#).is_err());
        assert!(serde_json::from_str::<Quantity>("0").is_err());
        assert!(serde_json::from_str::<QuantityChange>("0").is_err());
        assert!(serde_json::from_str::<Price>(r#"{"minor":-1,"currency":"GBP"}"#).is_err());
        let price: Price = serde_json::from_str(r#"{"minor":255,"currency":"GBP"}"#).unwrap();
        assert_eq!(serde_json::to_string(&price).unwrap(), r#"{"minor":255,"currency":"GBP"}"#);
    }
}

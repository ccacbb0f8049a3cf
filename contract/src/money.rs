//! Money: whole minor units with an ISO 4217 currency. Arithmetic is checked; nothing overflows silently.
//!
//! In REST and GraphQL an amount is a decimal string in major units (`{"amount":"12.34","currency":"GBP"}`); in
//! events it is an integer in minor units ([`minor_units`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Pound sterling.
    pub const GBP: Currency = Currency(iso_currency::Currency::GBP);

    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals a major unit has: 2 for GBP, 0 for JPY, 3 for BHD.
    #[must_use]
    pub fn decimals(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(text)
            .map(Currency)
            .ok_or_else(|| MoneyError::UnknownCurrency(text.to_owned()))
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount of one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Pence, cents: the smallest unit of the currency.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

/// Why an amount could not be read or worked out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("{0:?} is not an ISO 4217 currency code")]
    UnknownCurrency(String),
    /// Not a decimal number.
    #[error("{0:?} is not a decimal amount such as \"12.34\"")]
    NotDecimal(String),
    /// More decimals than the currency has.
    #[error("{amount:?} has more decimals than {currency} has ({decimals})")]
    TooManyDecimals {
        /// What was given.
        amount: String,
        /// Of which currency.
        currency: Currency,
        /// How many it has.
        decimals: u32,
    },
    /// Past what 64 bits hold.
    #[error("the amount is too large")]
    Overflow,
    /// Two currencies in one sum.
    #[error("{0} and {1} cannot be added")]
    CurrencyMismatch(Currency, Currency),
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a decimal amount in major units: an optional sign, digits, and no more decimals than the currency has.
    ///
    /// # Errors
    /// The text is not such a number, or does not fit.
    pub fn from_decimal(amount: &str, currency: Currency) -> Result<Self, MoneyError> {
        let not_decimal = || MoneyError::NotDecimal(amount.to_owned());
        let (negative, digits) = match amount.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, amount),
        };
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || fraction.is_some_and(|f| !all_digits(f)) {
            return Err(not_decimal());
        }
        let decimals = currency.decimals() as usize;
        let fraction = fraction.unwrap_or("");
        if fraction.len() > decimals {
            return Err(MoneyError::TooManyDecimals {
                amount: amount.to_owned(),
                currency,
                decimals: currency.decimals(),
            });
        }
        let padded = format!("{}{whole}{fraction:0<decimals$}", if negative { "-" } else { "" });
        padded.parse().map(|minor| Self { minor, currency }).map_err(|_| MoneyError::Overflow)
    }

    /// The decimal amount in major units, always with all decimals of the currency.
    #[must_use]
    pub fn to_decimal(self) -> String {
        let decimals = self.currency.decimals() as usize;
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// The currencies differ, or the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }

    /// This amount, `quantity` times.
    ///
    /// # Errors
    /// The product does not fit.
    pub fn checked_mul(self, quantity: i64) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(quantity).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decimal {
    amount: String,
    currency: Currency,
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Decimal { amount: self.to_decimal(), currency: self.currency }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let decimal = Decimal::deserialize(deserializer)?;
        Money::from_decimal(&decimal.amount, decimal.currency).map_err(serde::de::Error::custom)
    }
}

/// How events carry money: `{"minor":1234,"currency":"GBP"}`. For `#[serde(with = "contract::money::minor_units")]`.
pub mod minor_units {
    use super::{Currency, Deserialize, Money, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Minor {
        minor: i64,
        currency: Currency,
    }

    /// Writes minor units.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: serde::Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
        Minor { minor: money.minor, currency: money.currency }.serialize(serializer)
    }

    /// Reads minor units.
    ///
    /// # Errors
    /// Only those of the deserializer.
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let Minor { minor, currency } = Minor::deserialize(deserializer)?;
        Ok(Money { minor, currency })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn amounts_follow_the_decimals_of_their_currency() {
        for (code, minor, text) in [
            ("GBP", 1234, "12.34"),
            ("GBP", -5, "-0.05"),
            ("JPY", 12, "12"),
            ("BHD", 1, "0.001"),
            ("GBP", i64::MIN, "-92233720368547758.08"),
        ] {
            assert_eq!(Money::new(minor, currency(code)).to_decimal(), text);
            assert_eq!(Money::from_decimal(text, currency(code)), Ok(Money::new(minor, currency(code))));
        }
        assert_eq!(Money::from_decimal("3.5", Currency::GBP).unwrap().minor, 350);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".5", "5.", "1e3", "+1", " 1", "1,5", "--1", "1.2.3", "٣"] {
            assert!(
                matches!(Money::from_decimal(text, Currency::GBP), Err(MoneyError::NotDecimal(_))),
                "{text:?}"
            );
        }
        assert!(matches!(
            Money::from_decimal("1.005", Currency::GBP),
            Err(MoneyError::TooManyDecimals { .. })
        ));
        assert_eq!(Money::from_decimal("92233720368547758.08", Currency::GBP), Err(MoneyError::Overflow));
        assert!("gbp".parse::<Currency>().is_err());
    }

    #[test]
    fn arithmetic_is_checked() {
        let most = Money::new(i64::MAX, Currency::GBP);
        assert_eq!(most.checked_add(Money::new(1, Currency::GBP)), Err(MoneyError::Overflow));
        assert_eq!(most.checked_mul(2), Err(MoneyError::Overflow));
        assert!(matches!(
            most.checked_add(Money::new(1, currency("EUR"))),
            Err(MoneyError::CurrencyMismatch(..))
        ));
    }

    proptest! {
        #[test]
        fn every_amount_reads_back_from_its_text(minor in any::<i64>(), code in prop::sample::select(vec!["GBP", "JPY", "BHD"])) {
            let money = Money::new(minor, currency(code));
            prop_assert_eq!(Money::from_decimal(&money.to_decimal(), money.currency), Ok(money));
            let json = serde_json::to_string(&money).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
        }
    }
}

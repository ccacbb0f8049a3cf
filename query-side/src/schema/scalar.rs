//! Scalars and the money type.

use async_graphql::{
    InputValueError, InputValueResult, OneofObject, Scalar, ScalarType, SimpleObject, Value,
};

/// A moment in RFC 3339, in UTC, such as `2010-12-01T08:26:00Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DateTime(pub(crate) jiff::Timestamp);

/// A moment in RFC 3339, in UTC, such as `2010-12-01T08:26:00Z`.
#[Scalar(name = "DateTime", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(Self).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A day, such as `2010-12-01`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Date(pub(crate) jiff::civil::Date);

/// A day, such as `2010-12-01`.
#[Scalar(name = "Date", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        // Other ways to write the same day, which the parser takes too, are refused: what is sent is what is answered.
        match text.parse::<jiff::civil::Date>() {
            Ok(day) if day.to_string() == *text => Ok(Self(day)),
            _ => Err(InputValueError::custom(format!("{text:?} is not a day such as 2010-12-01"))),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A place in the log, opaque: to be sent back in the header `Headwater-Min-Position`, not to be taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position(pub(crate) contract::Position);

/// A place in the log, opaque: to be sent back in the header `Headwater-Min-Position`, not to be taken apart.
#[Scalar(name = "Position")]
impl ScalarType for Position {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(Self).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Defines a scalar that is a JSON number of up to 64 bits.
macro_rules! whole_number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name(pub(crate) i64);

        $(#[$doc])*
        #[Scalar]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                match &value {
                    Value::Number(number) => number
                        .as_i64()
                        .map(Self)
                        .ok_or_else(|| InputValueError::custom("not a whole number of 64 bits")),
                    _ => Err(InputValueError::expected_type(value)),
                }
            }

            fn to_value(&self) -> Value {
                Value::from(self.0)
            }
        }
    };
}

whole_number! {
    /// A whole number of up to 64 bits, as a JSON number.
    BigInt
}

whole_number! {
    /// How many events a thing has had, counted from 0: the `ETag` of its REST answers, and what `If-Match` compares.
    Revision
}

/// An amount of money.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Money {
    /// In major units, with all decimals of the currency, such as "12.30".
    amount: String,
    /// The ISO 4217 code.
    currency: &'static str,
}

impl From<contract::Money> for Money {
    fn from(money: contract::Money) -> Self {
        Self { amount: money.to_decimal(), currency: money.currency.code() }
    }
}

/// A moment of the past, by exactly one of these: everything is shown as it was then. All fields of an operation must be
/// given the same, and those that take none are asked by themselves.
// What it says is read from the document, for all fields of an operation at once (`crate::as_of`).
#[derive(Debug, Clone, OneofObject)]
pub(crate) enum AsOf {
    /// When the log ended at this position.
    Position(Position),
    /// When nothing later had been recorded, by the clock of the log.
    Time(DateTime),
}

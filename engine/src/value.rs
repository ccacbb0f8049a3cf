//! The values a view's columns can hold, how they cross to Postgres and back, and their canonical form.

use jiff::civil::Date;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use postgres_types::ToSql;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::document::Document;
use crate::document::form::tagged;
use crate::error::LoadError;

/// The SQL types a column can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// `text`
    Text,
    /// `uuid`
    Uuid,
    /// `bigint`
    BigInt,
    /// `integer`
    Integer,
    /// `boolean`
    Boolean,
    /// `timestamptz`, in microseconds
    TimestampTz,
    /// `date`
    Date,
    /// `jsonb`; numbers in it must be integers
    Jsonb,
}

impl SqlType {
    /// The name in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SqlType::Text => "text",
            SqlType::Uuid => "uuid",
            SqlType::BigInt => "bigint",
            SqlType::Integer => "integer",
            SqlType::Boolean => "boolean",
            SqlType::TimestampTz => "timestamptz",
            SqlType::Date => "date",
            SqlType::Jsonb => "jsonb",
        }
    }
}

/// One column's value of one row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// SQL null, of any type.
    Null,
    /// A text. Postgres refuses one with a NUL character.
    Text(String),
    /// A UUID.
    Uuid(Uuid),
    /// A 64-bit integer.
    BigInt(i64),
    /// A 32-bit integer.
    Integer(i32),
    /// A truth value.
    Boolean(bool),
    /// A moment in whole microseconds: build it by `From<Timestamp>`, which rounds down.
    TimestampTz(Timestamp),
    /// A day of the calendar.
    Date(Date),
    /// A JSON document.
    Jsonb(Document),
}

/// Rounds down to the microsecond, which is what Postgres keeps.
pub(crate) fn whole_microseconds(moment: Timestamp) -> Timestamp {
    moment.round(TimestampRound::new().smallest(Unit::Microsecond).mode(RoundMode::Floor)).unwrap_or(moment)
}

impl Value {
    /// The type of the value; none for null, which is of every type.
    #[must_use]
    pub fn sql_type(&self) -> Option<SqlType> {
        Some(match self {
            Value::Null => return None,
            Value::Text(_) => SqlType::Text,
            Value::Uuid(_) => SqlType::Uuid,
            Value::BigInt(_) => SqlType::BigInt,
            Value::Integer(_) => SqlType::Integer,
            Value::Boolean(_) => SqlType::Boolean,
            Value::TimestampTz(_) => SqlType::TimestampTz,
            Value::Date(_) => SqlType::Date,
            Value::Jsonb(_) => SqlType::Jsonb,
        })
    }

    /// Appends the canonical form: equal values, and only these, have equal forms, and no form is the beginning of
    /// another. Integers of both widths share one form, so that a widened column compares equal.
    pub(crate) fn canonical(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(0),
            Value::Text(text) => tagged(out, 1, text.as_bytes()),
            Value::Uuid(id) => tagged(out, 2, id.as_bytes()),
            Value::BigInt(number) => tagged(out, 3, &number.to_be_bytes()),
            Value::Integer(number) => tagged(out, 3, &i64::from(*number).to_be_bytes()),
            Value::Boolean(truth) => tagged(out, 4, &[u8::from(*truth)]),
            Value::TimestampTz(moment) => tagged(out, 5, &moment.as_microsecond().to_be_bytes()),
            Value::Jsonb(document) => {
                let mut form = Vec::with_capacity(document.as_str().len());
                document.canonical(&mut form);
                tagged(out, 6, &form);
            }
            Value::Date(day) => tagged(out, 7, day.to_string().as_bytes()),
        }
    }

    /// Reads column `index` of a result row.
    pub(crate) fn read(row: &Row, index: usize, sql_type: SqlType) -> Result<Value, tokio_postgres::Error> {
        fn cell<'r, T: postgres_types::FromSql<'r>>(
            row: &'r Row,
            index: usize,
            wrap: impl FnOnce(T) -> Value,
        ) -> Result<Value, tokio_postgres::Error> {
            Ok(row.try_get::<_, Option<T>>(index)?.map_or(Value::Null, wrap))
        }
        match sql_type {
            SqlType::Text => cell(row, index, Value::Text),
            SqlType::Uuid => cell(row, index, Value::Uuid),
            SqlType::BigInt => cell(row, index, Value::BigInt),
            SqlType::Integer => cell(row, index, Value::Integer),
            SqlType::Boolean => cell(row, index, Value::Boolean),
            SqlType::TimestampTz => cell(row, index, Value::TimestampTz),
            SqlType::Date => cell(row, index, Value::Date),
            SqlType::Jsonb => cell(row, index, Value::Jsonb),
        }
    }
}

/// One column of many rows, as the array parameter of a set-wise statement. A value of another type than the column's
/// goes as null: such rows are refused when their batch is folded, before anything is written.
pub(crate) fn column_array<'v>(
    sql_type: SqlType,
    values: impl Iterator<Item = &'v Value>,
) -> Box<dyn ToSql + Sync + Send + 'v> {
    macro_rules! array {
        ($variant:ident, $convert:expr) => {
            Box::new(
                values
                    .map(|value| match value {
                        Value::$variant(inner) => Some($convert(inner)),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            )
        };
    }
    match sql_type {
        SqlType::Text => array!(Text, String::as_str),
        SqlType::Uuid => array!(Uuid, |id: &Uuid| *id),
        SqlType::BigInt => array!(BigInt, |number: &i64| *number),
        SqlType::Integer => array!(Integer, |number: &i32| *number),
        SqlType::Boolean => array!(Boolean, |truth: &bool| *truth),
        SqlType::TimestampTz => array!(TimestampTz, |moment: &Timestamp| *moment),
        SqlType::Date => array!(Date, |day: &Date| *day),
        SqlType::Jsonb => array!(Jsonb, |document: &'v Document| document),
    }
}

macro_rules! conversions {
    ($($rust:ty => $variant:ident),* $(,)?) => {$(
        impl From<$rust> for Value {
            fn from(value: $rust) -> Self {
                Value::$variant(value)
            }
        }

        impl FromValue for $rust {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$variant(inner) => Some(inner),
                    _ => None,
                }
            }
        }
    )*};
}

conversions! {
    String => Text,
    Uuid => Uuid,
    i64 => BigInt,
    i32 => Integer,
    bool => Boolean,
    Date => Date,
    Document => Jsonb,
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Value::TimestampTz(whole_microseconds(value))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A type that a stored value can be read back into.
pub trait FromValue: Sized {
    /// The value, if it is of this type.
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for Timestamp {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::TimestampTz(moment) => Some(moment),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// The data columns of a stored row, taken in the order of the table.
#[derive(Debug)]
pub struct Stored {
    values: std::vec::IntoIter<Value>,
    taken: usize,
}

impl Stored {
    /// The values of one row, in the order of the table's data columns.
    #[must_use]
    pub fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter(), taken: 0 }
    }

    /// The next column's value.
    ///
    /// # Errors
    /// It is of another type, or there is none left.
    pub fn take<T: FromValue>(&mut self) -> Result<T, LoadError> {
        self.taken += 1;
        let value = self.values.next().ok_or_else(|| LoadError::new(format!("no column {}", self.taken)))?;
        T::from_value(value).ok_or_else(|| {
            LoadError::new(format!("column {} is not a {}", self.taken, std::any::type_name::<T>()))
        })
    }

    /// The next column's JSON document, read into the type that it stands for.
    ///
    /// # Errors
    /// There is none, or it is no document of the type's.
    pub fn document<T: DeserializeOwned>(&mut self) -> Result<T, LoadError> {
        self.taken += 1;
        match self.values.next() {
            Some(Value::Jsonb(document)) => {
                document.read().map_err(|error| LoadError::new(format!("column {}: {error}", self.taken)))
            }
            _ => Err(LoadError::new(format!("column {} is not a JSON document", self.taken))),
        }
    }

    /// The next column's text, read into the type that it stands for.
    ///
    /// # Errors
    /// As [`Stored::take`], or the text is not one of the type's.
    pub fn parse<T: std::str::FromStr>(&mut self) -> Result<T, LoadError> {
        let text: String = self.take()?;
        text.parse().map_err(|_| {
            LoadError::new(format!("column {} is not a {}", self.taken, std::any::type_name::<T>()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: serde_json::Value) -> Document {
        Document::of(&value).unwrap()
    }

    fn canonical(value: impl Into<Value>) -> Vec<u8> {
        let mut out = Vec::new();
        value.into().canonical(&mut out);
        out
    }

    #[test]
    fn different_values_have_different_canonical_forms_and_equal_ones_the_same() {
        let forms = [
            canonical(None::<String>),
            canonical(""),
            canonical("0"),
            canonical(0_i64),
            canonical(1_i64),
            canonical(false),
            canonical(Timestamp::UNIX_EPOCH),
            canonical(Date::constant(1970, 1, 1)),
            canonical(Date::constant(1970, 1, 2)),
            canonical("1970-01-01"),
            canonical(Uuid::nil()),
            canonical(json(serde_json::json!({}))),
            canonical(json(serde_json::json!({"a": 1, "b": [1, 2]}))),
            canonical(json(serde_json::json!({"a": 1, "b": [12]}))),
        ];
        for (i, a) in forms.iter().enumerate() {
            for b in &forms[i + 1..] {
                assert_ne!(a, b);
                assert!(!b.starts_with(a) && !a.starts_with(b));
            }
        }
        assert_eq!(canonical(7_i32), canonical(7_i64));
    }

    #[test]
    fn a_moment_is_rounded_down_to_the_microsecond_also_before_1970() {
        let stored = |nanos: i128| match Value::from(Timestamp::from_nanosecond(nanos).unwrap()) {
            Value::TimestampTz(moment) => moment.as_nanosecond(),
            _ => unreachable!(),
        };
        assert_eq!(stored(1_999), 1_000);
        assert_eq!(stored(-1), -1_000);
    }

    #[test]
    fn columns_are_taken_in_order_and_refused_by_name_of_the_type() {
        let mut stored = Stored::new(vec!["x".into(), Value::Null, 3_i64.into()]);
        assert_eq!(stored.take::<String>().unwrap(), "x");
        assert_eq!(stored.take::<Option<i64>>().unwrap(), None);
        assert!(stored.take::<String>().unwrap_err().to_string().contains("column 3"));
        assert!(stored.take::<String>().unwrap_err().to_string().contains("no column 4"));
    }
}

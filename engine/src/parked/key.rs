//! A row's key as text: for operators' eyes, and for a column that can be read back.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use uuid::Uuid;

use crate::table::Column;
use crate::value::{SqlType, Value};

/// A key for operators' eyes. Keys are ids and natural keys, never personal.
pub(crate) struct KeyText<'k>(pub(crate) &'k [Value]);

impl std::fmt::Display for KeyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match value {
                Value::Text(text) => f.write_str(text)?,
                Value::Uuid(id) => write!(f, "{id}")?,
                Value::BigInt(number) => write!(f, "{number}")?,
                Value::Integer(number) => write!(f, "{number}")?,
                Value::Boolean(truth) => write!(f, "{truth}")?,
                Value::TimestampTz(moment) => write!(f, "{moment}")?,
                Value::Date(day) => write!(f, "{day}")?,
                Value::Null | Value::Jsonb(_) => f.write_str("?")?,
            }
        }
        Ok(())
    }
}

/// The key as a JSON array, which holds any text and is the same for the same key.
pub(crate) fn to_json(key: &[Value]) -> String {
    let values = key.iter().map(|value| match value {
        Value::Text(text) => json!(text),
        Value::Uuid(id) => json!(id.to_string()),
        Value::BigInt(number) => json!(number),
        Value::Integer(number) => json!(number),
        Value::Boolean(truth) => json!(truth),
        Value::TimestampTz(moment) => json!(moment.to_string()),
        Value::Date(day) => json!(day.to_string()),
        Value::Null | Value::Jsonb(_) => serde_json::Value::Null,
    });
    serde_json::Value::Array(values.collect()).to_string()
}

/// Reads the text of [`to_json`] back, as a key of these columns.
pub(crate) fn from_json(columns: &[Column], text: &str) -> Option<Vec<Value>> {
    let values: Vec<serde_json::Value> = serde_json::from_str(text).ok()?;
    if values.len() != columns.len() {
        return None;
    }
    columns.iter().zip(values).map(|(column, value)| of_column(column.sql_type, &value)).collect()
}

fn of_column(sql_type: SqlType, value: &serde_json::Value) -> Option<Value> {
    Some(match sql_type {
        SqlType::Text => Value::Text(value.as_str()?.to_owned()),
        SqlType::Uuid => Value::Uuid(value.as_str()?.parse::<Uuid>().ok()?),
        SqlType::BigInt => Value::BigInt(value.as_i64()?),
        SqlType::Integer => Value::Integer(value.as_i64()?.try_into().ok()?),
        SqlType::Boolean => Value::Boolean(value.as_bool()?),
        SqlType::TimestampTz => Value::TimestampTz(value.as_str()?.parse::<Timestamp>().ok()?),
        SqlType::Date => Value::Date(value.as_str()?.parse::<Date>().ok()?),
        SqlType::Jsonb => return None,
    })
}

/// The text of [`to_json`] as operators see it: its values between slashes.
pub(crate) fn shown(text: &str) -> String {
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return text.to_owned() };
    let shown = values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    shown.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_every_type_comes_back_and_is_shown_alike() {
        let columns = [
            Column::new("a", SqlType::Text),
            Column::new("b", SqlType::Uuid),
            Column::new("c", SqlType::BigInt),
            Column::new("d", SqlType::Integer),
            Column::new("e", SqlType::Boolean),
            Column::new("f", SqlType::TimestampTz),
            Column::new("g", SqlType::Date),
        ];
        let key: Vec<Value> = vec![
            "x\0\"/".into(),
            Uuid::from_u128(7).into(),
            i64::MIN.into(),
            (-3).into(),
            true.into(),
            Timestamp::UNIX_EPOCH.into(),
            Date::constant(2011, 12, 9).into(),
        ];
        let text = to_json(&key);
        assert!(!text.contains('\0'));
        assert_eq!(from_json(&columns, &text), Some(key.clone()));
        assert_eq!(shown(&text), KeyText(&key).to_string());
        assert_eq!(from_json(&columns[..1], &text), None);
        assert_eq!(from_json(&columns[..1], "[1]"), None);
    }
}

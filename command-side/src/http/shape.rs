//! Reads a value as what it has to be, and as nothing else: named fields come from an object, never from a list of their
//! values, which a derived reader would take too; and what is wrong is told in JSON's own terms.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// A value to be read.
pub(super) struct Shaped<'de>(pub(super) &'de Value);

impl Shaped<'_> {
    fn is_no(&self, expected: &'static str) -> Error {
        let found = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Unexpected::Signed(value),
                (None, Some(value)) => Unexpected::Unsigned(value),
                (None, None) => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        Error::invalid_type(found, &expected)
    }
}

impl<'de> Deserializer<'de> for Shaped<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.iter().map(Shaped));
                let found = visitor.visit_seq(&mut items)?;
                items.end().map(|()| found)
            }
            Value::Object(fields) => {
                let mut fields =
                    MapDeserializer::new(fields.iter().map(|(name, value)| (name.as_str(), Shaped(value))));
                let found = visitor.visit_map(&mut fields)?;
                fields.end().map(|()| found)
            }
            leaf => leaf.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.0.is_object() { self.deserialize_any(visitor) } else { Err(self.is_no("an object")) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(self.is_no("a text")),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.0.as_i64().ok_or_else(|| self.is_no("a whole number"))?;
        visitor.visit_i64(value)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Shaped<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        sku: String,
        quantity: i64,
        kind: Option<Kind>,
        inner: Option<Vec<Line>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        A,
    }

    fn line(sku: &str, quantity: i64) -> Line {
        Line { sku: sku.to_owned(), quantity, kind: None, inner: None }
    }

    fn read(value: &Value) -> Result<Line, String> {
        Line::deserialize(Shaped(value)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_has_the_right_shape_is_read() {
        let value =
            json!({ "quantity": -1, "sku": "x", "kind": "A", "inner": [{ "sku": "", "quantity": 2 }] });
        let expected = Line { kind: Some(Kind::A), inner: Some(vec![line("", 2)]), ..line("x", -1) };
        assert_eq!(read(&value), Ok(expected));
        assert_eq!(
            read(&json!({ "sku": "x", "quantity": 1, "kind": null, "inner": null })),
            Ok(line("x", 1))
        );
    }

    #[test]
    fn what_has_another_shape_is_refused_in_plain_words() {
        let cases = [
            (json!(["x", 1, null, null]), "invalid type: sequence, expected an object"),
            (json!("x"), "invalid type: string \"x\", expected an object"),
            (json!({ "sku": "x", "quantity": 1.5 }), "floating point `1.5`, expected a whole number"),
            (json!({ "sku": "x", "quantity": u64::MAX }), "18446744073709551615`, expected a whole number"),
            (json!({ "sku": 7, "quantity": 1 }), "invalid type: integer `7`, expected a string"),
            (
                json!({ "sku": "x", "quantity": 1, "kind": { "A": null } }),
                "invalid type: map, expected a text",
            ),
            (json!({ "sku": "x", "quantity": 1, "inner": [["y", 1]] }), "sequence, expected an object"),
            (json!({ "sku": "x", "quantity": 1, "colour": 1 }), "unknown field `colour`"),
            (json!({ "sku": "x" }), "missing field `quantity`"),
        ];
        for (value, part) in cases {
            let refused = read(&value).unwrap_err();
            assert!(refused.contains(part), "{part:?} is not in {refused:?}");
        }
    }
}

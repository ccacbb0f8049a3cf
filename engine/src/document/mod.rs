//! JSON documents as the text that they are stored by. A document is made once, compared and cloned often, and read
//! seldom, which a tree of values would make dear.

pub(crate) mod form;

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use postgres_types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use serde::Serialize;
use serde::de::DeserializeOwned;

use form::{Form, rewrite};

/// In Postgres' binary form of `jsonb`, before the text.
const JSONB_VERSION: u8 = 1;

type BoxedError = Box<dyn std::error::Error + Sync + Send>;

/// A JSON document with integers as its only numbers, as text without spaces and with the members of objects in the
/// order of their names: equal documents have equal texts. Shared, for rows are cloned and documents may be large.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Document(Arc<str>);

impl Document {
    /// The document that a value is serialised to.
    ///
    /// # Errors
    /// JSON cannot hold the value, a map whose keys are no strings, say; or it is nested more than 128 times.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        Self::of_json(&serde_json::to_string(value)?)
    }

    /// Takes what is known to be JSON.
    fn of_json(json: &str) -> Result<Self, serde_json::Error> {
        let mut text = Vec::with_capacity(json.len());
        rewrite(json, Form::Text, &mut text)?;
        let text = String::from_utf8(text).map_err(<serde_json::Error as serde::de::Error>::custom)?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the document into the type that it stands for.
    ///
    /// # Errors
    /// It is no document of the type's.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Appends the form that checksums are made from. They are stored, so that this form stays.
    pub(crate) fn canonical(&self, out: &mut Vec<u8>) {
        // The text is JSON, and was taken before.
        let _ = rewrite(&self.0, Form::Canonical, out);
    }
}

impl ToSql for Document {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        out.put_u8(JSONB_VERSION);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}

impl<'r> FromSql<'r> for Document {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, BoxedError> {
        match raw.split_first() {
            Some((&JSONB_VERSION, json)) => Ok(Self::of_json(std::str::from_utf8(json)?)?),
            _ => Err("not a jsonb of version 1".into()),
        }
    }

    accepts!(JSONB);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn document(json: &str) -> Document {
        Document::of_json(json).unwrap()
    }

    #[test]
    fn the_text_has_one_form() {
        let spaced = "{ \"b\" : [1, -2 , {\"d\":null,\"c\":true}] , \"a\\u0062\": \"\\u0041\\n\", \"a\": {}, \"aa\": []}";
        let text = r#"{"a":{},"aa":[],"ab":"A\n","b":[1,-2,{"c":true,"d":null}]}"#;
        assert_eq!(document(spaced).as_str(), text);
        assert_eq!(document(text).as_str(), text);
    }

    #[test]
    fn of_members_with_one_name_the_last_counts() {
        assert_eq!(document(r#"{"b":1,"a":2,"b":{"c":3},"a":4}"#).as_str(), r#"{"a":4,"b":{"c":3}}"#);
    }

    #[test]
    fn what_breaks_off_or_has_no_end_is_refused() {
        for wrong in
            ["", "{", "[1,]", "{\"a\":1} x", "{\"a\" 1}", "{1:2}", "\"", "\"\\", "[1 2]", "{\"a\":}", "{}}"]
        {
            assert!(Document::of_json(wrong).is_err(), "{wrong}");
        }
        assert!(Document::of_json(&"[".repeat(100_000)).is_err());
        assert!(Document::from_sql(&Type::JSONB, b"\x01\"\xff\"").is_err());
        assert!(Document::from_sql(&Type::JSONB, b"\x02{}").is_err());
    }

    #[test]
    fn the_form_of_checksums_stays() {
        let mut form = Vec::new();
        document(r#"[{"b": [1, "x\""], "a": null}, []]"#).canonical(&mut form);
        let name = |name: char| format!("\"\0\0\0\0\0\0\0\u{1}{name}");
        let expected = format!("[{{{}null{}[1,\"x\\\"\",]}},[],]", name('a'), name('b'));
        assert_eq!(String::from_utf8(form).unwrap(), expected);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        scalar.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_document_is_what_it_was_made_from(value in any_json()) {
            let made = Document::of(&value).unwrap();
            prop_assert_eq!(&made.read::<Value>().unwrap(), &value);
            let spaced = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(&Document::of_json(&spaced).unwrap(), &made);
        }

        #[test]
        fn other_documents_have_other_forms(one in any_json(), other in any_json()) {
            let form = |value: &Value| {
                let mut form = Vec::new();
                Document::of(value).unwrap().canonical(&mut form);
                form
            };
            prop_assert_eq!(form(&one) == form(&other), one == other);
            prop_assert_ne!(form(&json!([one])), form(&json!({ "": other })));
        }
    }
}

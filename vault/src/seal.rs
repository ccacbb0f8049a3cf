//! Personal fields in the JSON of an event: found by their mark, sealed and opened where they stand.
//!
//! A clear field is `{"$personal": <value>}`, a sealed one `{"$sealed": {"person": "<uuid>", "box": "<base64>"}}`, an
//! erased one `{"$erased": true}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::PersonId;
use domain::personal::{CLEAR_KEY, ERASED_KEY};
use serde_json::{Map, Value, json};

use crate::error::VaultError;
use crate::keys::Keys;

const SEALED_KEY: &str = "$sealed";

/// A sealed field that does not open: never one that was written by [`seal_fields`].
pub(crate) const NOT_SEALED_HERE: &str =
    "a sealed field was changed, or sealed for another person, event type or field";

/// What a key turned out to be.
#[derive(Clone)]
pub(crate) enum Entry {
    /// It exists.
    Keys(Keys),
    /// It was destroyed.
    Destroyed,
}

/// Whether an event has a clear personal field.
pub(crate) fn has_clear_field(data: &Value) -> bool {
    match data {
        Value::Object(fields) => marked(fields, CLEAR_KEY).is_some() || fields.values().any(has_clear_field),
        Value::Array(items) => items.iter().any(has_clear_field),
        _ => false,
    }
}

/// Seals every clear field.
pub(crate) fn seal_fields(
    data: &mut Value,
    keys: &Keys,
    person: PersonId,
    event_type: &str,
) -> Result<(), VaultError> {
    each_marked(data, CLEAR_KEY, &mut |clear, path| {
        let sealed = keys.seal(clear.to_string().as_bytes(), &context(person, event_type, path))?;
        Ok(json!({ SEALED_KEY: { "person": person, "box": STANDARD.encode(sealed) } }))
    })
}

/// Whether the text of an event may have a sealed field; most events cannot, and are read without looking for them.
pub(crate) fn may_be_sealed(data: &[u8]) -> bool {
    data.contains(&SEALED_KEY.as_bytes()[0])
}

/// Whose sealed fields an event has; `None` if a field is not one that was sealed here.
pub(crate) fn people(data: &Value) -> Option<Vec<PersonId>> {
    let mut people = Vec::new();
    collect_people(data, &mut people)?;
    Some(people)
}

/// Opens every sealed field with the key of its person, or marks it as erased; `None` if one does not open.
pub(crate) fn open_fields(
    data: &mut Value,
    event_type: &str,
    entry: impl Fn(PersonId) -> Option<Entry>,
) -> Option<()> {
    each_marked::<()>(data, SEALED_KEY, &mut |sealed, path| {
        let (person, sealed) = parts(sealed).ok_or(())?;
        match entry(person).ok_or(())? {
            Entry::Destroyed => Ok(json!({ ERASED_KEY: true })),
            Entry::Keys(keys) => {
                let sealed = STANDARD.decode(sealed).map_err(|_| ())?;
                let clear = keys.open(&sealed, &context(person, event_type, path)).ok_or(())?;
                let clear: Value = serde_json::from_slice(&clear).map_err(|_| ())?;
                Ok(json!({ CLEAR_KEY: clear }))
            }
        }
    })
    .ok()
}

/// Binds a box to its place: it does not open for another person, event type or field.
fn context(person: PersonId, event_type: &str, path: &str) -> Vec<u8> {
    // A NUL is in none of the parts, so no two places have the same context.
    format!("{person}\0{event_type}\0{path}").into_bytes()
}

/// The value under `key`, if it is the object's only one.
fn marked<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    if fields.len() == 1 { fields.get(key) } else { None }
}

fn parts(sealed: &Value) -> Option<(PersonId, &str)> {
    Some((sealed["person"].as_str()?.parse().ok()?, sealed["box"].as_str()?))
}

fn collect_people(data: &Value, people: &mut Vec<PersonId>) -> Option<()> {
    match data {
        Value::Object(fields) => match marked(fields, SEALED_KEY) {
            Some(sealed) => people.push(parts(sealed)?.0),
            None => fields.values().try_for_each(|field| collect_people(field, people))?,
        },
        Value::Array(items) => items.iter().try_for_each(|item| collect_people(item, people))?,
        _ => {}
    }
    Some(())
}

type Replace<'a, E> = &'a mut dyn FnMut(&Value, &str) -> Result<Value, E>;

/// Replaces every object that has `key` as its only key, by what it holds and its path.
fn each_marked<E>(data: &mut Value, key: &str, replace: Replace<'_, E>) -> Result<(), E> {
    visit(data, key, &mut String::new(), replace)
}

fn visit<E>(data: &mut Value, key: &str, path: &mut String, replace: Replace<'_, E>) -> Result<(), E> {
    let length = path.len();
    match data {
        Value::Object(fields) => {
            if let Some(value) = marked(fields, key) {
                *data = replace(value, path)?;
                return Ok(());
            }
            for (name, field) in fields {
                path.push('/');
                path.push_str(name);
                visit(field, key, path, replace)?;
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push_str(&format!("/{index}"));
                visit(item, key, path, replace)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

//! The two forms of ids on the wire: text, or two signed halves.

use uuid::Uuid;

use crate::proto;
use crate::proto::uuid::{Structured, Value};

/// In which form an answer carries ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UuidForm {
    Structured,
    Text,
}

/// The id in either form; `None` when there is none or it is not one.
pub(crate) fn from_wire(id: Option<&proto::Uuid>) -> Option<Uuid> {
    match id?.value.as_ref()? {
        Value::Structured(halves) => Some(Uuid::from_u64_pair(
            halves.most_significant_bits as u64,
            halves.least_significant_bits as u64,
        )),
        Value::String(text) => Uuid::try_parse(text).ok(),
    }
}

/// The id in the form asked for.
pub(crate) fn to_wire(id: Uuid, form: UuidForm) -> proto::Uuid {
    let value = match form {
        UuidForm::Structured => {
            let (high, low) = id.as_u64_pair();
            Value::Structured(Structured {
                most_significant_bits: high as i64,
                least_significant_bits: low as i64,
            })
        }
        UuidForm::Text => Value::String(id.to_string()),
    };
    proto::Uuid { value: Some(value) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_survives_both_forms(bits: u128) {
            let id = Uuid::from_u128(bits);
            for form in [UuidForm::Structured, UuidForm::Text] {
                prop_assert_eq!(from_wire(Some(&to_wire(id, form))), Some(id));
            }
        }
    }
}

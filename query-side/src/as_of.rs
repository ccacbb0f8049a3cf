//! `asOf`: as of which position or moment an operation is asked. It is found in the document before anything is carried
//! out, because all fields of an operation are answered from one snapshot, and are asked as of one moment.

use std::collections::HashSet;
use std::convert::Infallible;

use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Name, Value, Variables};
use contract::{ApiError, ErrorCode, Position};
use jiff::Timestamp;
use serde_json::json;

/// The argument's name.
const ARGUMENT: &str = "asOf";

/// A moment of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsOf {
    /// When the log ended there.
    Position(Position),
    /// When nothing later had been recorded.
    Time(Timestamp),
}

/// What an operation is asked as of; nothing is now, and also a value that is none, of which the library says so.
///
/// # Errors
/// Two of its fields are asked as of other moments.
pub(crate) fn of_operation(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<Option<AsOf>, ApiError> {
    let mut roots = Roots { document, operation, variables, spread: HashSet::new(), found: Vec::new() };
    roots.selections(&operation.selection_set.node);
    let Some((first, value)) = roots.found.iter().find(|(_, value)| *value != Value::Null) else {
        return Ok(None);
    };
    if let Some((other, found)) = roots.found.iter().find(|(_, other)| other != value) {
        let message = match found {
            Value::Null => format!(
                "`{other}` is asked as it is now beside `{first}`, which is asked as of another moment: give all fields \
                 the same `{ARGUMENT}`, and ask those that take none by themselves"
            ),
            _ => format!(
                "`{first}` and `{other}` are asked as of two moments; an operation has one `{ARGUMENT}`"
            ),
        };
        let details = json!({"field": other.as_str(), "argument": ARGUMENT});
        return Err(ApiError::new(ErrorCode::AsOfMixed).with_message(message).with_details(details));
    }
    Ok(parse(value))
}

/// The input object: a position or a time.
fn parse(value: &Value) -> Option<AsOf> {
    let Value::Object(fields) = value else { return None };
    let (name, Value::String(text)) = fields.iter().next()? else { return None };
    match name.as_str() {
        "position" => text.parse().ok().map(AsOf::Position),
        "time" => text.parse().ok().map(AsOf::Time),
        _ => None,
    }
}

/// The fields of an operation that no other field holds.
struct Roots<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    spread: HashSet<&'a Name>,
    /// Each with its argument, null when it has none.
    found: Vec<(&'a Name, Value)>,
}

impl<'a> Roots<'a> {
    fn selections(&mut self, set: &'a SelectionSet) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(&field.node),
                Selection::InlineFragment(fragment) => {
                    self.selections(&fragment.node.selection_set.node);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(definition) = self.document.fragments.get(name)
                        && self.spread.insert(name)
                    {
                        self.selections(&definition.node.selection_set.node);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &'a Field) {
        if field.name.node.starts_with("__") {
            return;
        }
        let given = field.arguments.iter().find(|(name, _)| name.node == ARGUMENT);
        let value = given.map_or(Value::Null, |(_, value)| {
            let value = value.node.clone().into_const_with(|name| Ok::<_, Infallible>(self.variable(&name)));
            value.unwrap_or_default()
        });
        self.found.push((&field.name.node, value));
    }

    fn variable(&self, name: &Name) -> Value {
        let default = || {
            let definitions = self.operation.variable_definitions.iter();
            let mut of_name = definitions.filter(|definition| definition.node.name.node == *name);
            Some(of_name.next()?.node.default_value.as_ref()?.node.clone())
        };
        self.variables.get(name).cloned().or_else(default).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;
    use crate::document::chosen_operation;

    const NOON: &str = r#"{time: "2026-01-01T12:00:00Z"}"#;

    fn found(query: &str, variables: &str) -> Result<Option<AsOf>, ApiError> {
        let document = parse_query(query).unwrap();
        let variables = Variables::from_json(serde_json::from_str(variables).unwrap());
        of_operation(&document, chosen_operation(&document, None).unwrap(), &variables)
    }

    fn noon() -> Option<AsOf> {
        Some(AsOf::Time("2026-01-01T12:00:00Z".parse().unwrap()))
    }

    #[test]
    fn it_is_found_in_arguments_variables_defaults_and_fragments() {
        assert_eq!(found("{ orders { edges { cursor } } }", "{}"), Ok(None));
        assert_eq!(found(&format!("{{ orders(asOf: {NOON}) {{ edges {{ cursor }} }} }}"), "{}"), Ok(noon()));
        let by_variable = "query($at: AsOf) { __typename orders(asOf: $at) { pageInfo { hasNextPage } } }";
        assert_eq!(found(by_variable, r#"{"at": {"time": "2026-01-01T12:00:00Z"}}"#), Ok(noon()));
        assert_eq!(found(by_variable, "{}"), Ok(None));
        let inner =
            r#"query($t: DateTime = "2026-01-01T12:00:00Z") { order(id: "x", asOf: {time: $t}) { id } }"#;
        assert_eq!(found(inner, "{}"), Ok(noon()));
        let fragment = format!(
            "query {{ ...F }} fragment F on Query {{ ... {{ order(id: \"x\", asOf: {NOON}) {{ id }} }} ...F }}"
        );
        assert_eq!(found(&fragment, "{}"), Ok(noon()));
        let position = r#"{ orders(asOf: {position: "0000002a-17"}) { totalCount } }"#;
        assert_eq!(found(position, "{}"), Ok(Some(AsOf::Position("0000002a-17".parse().unwrap()))));
    }

    #[test]
    fn two_moments_are_an_error_that_names_the_field() {
        let beside = format!("{{ a: orders(asOf: {NOON}) {{ totalCount }} customers {{ totalCount }} }}");
        let error = found(&beside, "{}").unwrap_err();
        assert_eq!(error.code, ErrorCode::AsOfMixed);
        assert!(error.message.starts_with("`customers` is asked as it is now beside `orders`"), "{error}");
        let other = r#"{time: "2026-01-01T12:00:01Z"}"#;
        let two =
            format!("{{ orders(asOf: {NOON}) {{ totalCount }} customers(asOf: {other}) {{ totalCount }} }}");
        assert!(found(&two, "{}").unwrap_err().message.contains("two moments"));
    }
}

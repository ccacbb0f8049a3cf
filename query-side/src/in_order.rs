//! Puts the fields of an answer in the order in which the document asks for them, as GraphQL has it. The library puts
//! them as their resolvers finish, so that a field which needs no table comes before one that does.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, TypeCondition,
};
use async_graphql::{Name, Positioned, Value, Variables};

use crate::document::text_argument;
use crate::schema::{INTERFACE, type_of};

/// The order of the fields of an object, each with that of what is below it.
#[derive(Debug, Default)]
pub(crate) struct FieldOrder {
    fields: Vec<(Name, FieldOrder)>,
}

impl FieldOrder {
    /// The order that an operation asks for. The document is within the limits, and no fragment spreads itself.
    ///
    /// Left out fields count as if they were there: one that is asked for twice, the first time in vain, has the place
    /// of the first.
    pub(crate) fn of(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> Self {
        let asked = Asked { document, variables };
        asked.order(&[&operation.selection_set.node], None)
    }

    /// Puts an answer in this order.
    pub(crate) fn restore(&self, answer: &mut Value) {
        match answer {
            Value::List(items) => items.iter_mut().for_each(|item| self.restore(item)),
            Value::Object(fields) => {
                let (mut expected, mut in_order) = (0, true);
                for (name, value) in fields.iter_mut() {
                    let Some(place) = self.place(name, expected) else { continue };
                    in_order &= place >= expected;
                    expected = place + 1;
                    self.fields[place].1.restore(value);
                }
                if !in_order {
                    fields.sort_by_cached_key(|name, _| self.place(name, 0));
                }
            }
            _ => {}
        }
    }

    /// The place of a field, which is likely this one.
    fn place(&self, name: &Name, likely: usize) -> Option<usize> {
        match self.fields.get(likely) {
            Some((found, _)) if found == name => Some(likely),
            _ => self.fields.iter().position(|(found, _)| found == name),
        }
    }
}

/// The fields of an object by the name they have in the answer; one that is asked for twice is one field there.
type Fields<'a> = IndexMap<&'a Name, Vec<&'a Field>>;

/// Where the order is read from.
struct Asked<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
}

impl<'a> Asked<'a> {
    /// The order of an object of which these sets are asked, of this type if that is known.
    fn order(&self, sets: &[&'a SelectionSet], of_type: Option<&str>) -> FieldOrder {
        let mut fields = Fields::new();
        sets.iter().for_each(|set| self.collect(set, of_type, &mut fields));
        let below = |(name, fields): (&Name, Vec<&'a Field>)| {
            let of_type = fields.first().and_then(|field| self.type_of(field));
            let sets: Vec<_> = fields.into_iter().map(|field| &field.selection_set.node).collect();
            (name.clone(), self.order(&sets, of_type.as_deref()))
        };
        FieldOrder { fields: fields.into_iter().map(below).collect() }
    }

    fn collect(&self, set: &'a SelectionSet, of_type: Option<&str>, into: &mut Fields<'a>) {
        for selection in &set.items {
            let (condition, set) = match &selection.node {
                Selection::Field(field) => {
                    into.entry(&field.node.response_key().node).or_default().push(&field.node);
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
                }
                Selection::FragmentSpread(spread) => {
                    match self.document.fragments.get(&spread.node.fragment_name.node) {
                        Some(fragment) => (Some(&fragment.node.type_condition), &fragment.node.selection_set),
                        None => continue,
                    }
                }
            };
            if holds(condition, of_type) {
                self.collect(&set.node, of_type, into);
            }
        }
    }

    /// What a field of the interface's type gives, where it can be told beforehand.
    fn type_of(&self, field: &Field) -> Option<String> {
        let id = text_argument(field, "id", self.variables)?;
        type_of(&field.name.node, &id)
    }
}

/// Whether a fragment is for an object of this type. Where the type is not known, there is no choice of types.
fn holds(condition: Option<&Positioned<TypeCondition>>, of_type: Option<&str>) -> bool {
    match (condition, of_type) {
        (Some(condition), Some(of_type)) => {
            let on = condition.node.on.node.as_str();
            on == of_type || on == INTERFACE
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use contract::PublicId;
    use serde_json::{Value as Json, json};
    use uuid::Uuid;

    use super::*;
    use crate::document::chosen_operation;

    /// The answer, put in the order of the query, as it is written.
    fn restored(query: &str, variables: Json, answer: Value) -> String {
        let document = parse_query(query).unwrap();
        let operation = chosen_operation(&document, None).unwrap();
        let mut answer = answer;
        FieldOrder::of(&document, operation, &Variables::from_json(variables)).restore(&mut answer);
        serde_json::to_string(&answer).unwrap()
    }

    /// An object whose fields are in this order.
    fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
        Value::Object(fields.into_iter().map(|(name, value)| (Name::new(name), value)).collect())
    }

    fn leaf(number: i32) -> Value {
        Value::from(number)
    }

    #[test]
    fn fields_stand_as_they_are_asked_for_at_every_level() {
        let inner = || object([("sku", leaf(2)), ("id", leaf(1))]);
        let answer =
            object([("b", leaf(7)), ("a", Value::List(vec![inner(), Value::Null, inner()])), ("c", leaf(8))]);
        assert_eq!(
            restored("{ a { id sku } c b }", json!({}), answer),
            r#"{"a":[{"id":1,"sku":2},null,{"id":1,"sku":2}],"c":8,"b":7}"#
        );
    }

    #[test]
    fn fields_go_by_their_other_names_and_are_merged_where_they_are_first_asked_for() {
        let answer = object([
            ("z", leaf(3)),
            ("a", leaf(2)),
            ("x", object([("q", leaf(6)), ("p", leaf(5)), ("r", leaf(4))])),
        ]);
        assert_eq!(
            restored("{ x: product { r: sku } z: a a: z x: product { p q } }", json!({}), answer),
            r#"{"x":{"r":4,"p":5,"q":6},"z":3,"a":2}"#
        );
    }

    #[test]
    fn fields_of_fragments_stand_where_the_fragment_is_spread() {
        let query = "{ a ...f ... { e d } ... on Query @include(if: true) { g } }
                     fragment f on Query { c ...h b } fragment h on Query { h a }";
        let answer = object(["a", "b", "c", "d", "e", "g", "h"].map(|name| (name, leaf(0))));
        assert_eq!(restored(query, json!({}), answer), r#"{"a":0,"c":0,"h":0,"b":0,"e":0,"d":0,"g":0}"#);
    }

    #[test]
    fn fragments_for_another_type_have_no_say() {
        let node = || object([("revision", leaf(1)), ("id", leaf(2)), ("number", leaf(3))]);
        let query = "query ($id: ID!) { node(id: $id) {
            ... on Product { number revision id } ... on Node { id } ... on Order { revision number } } }";
        let id = |kind: &str| json!({ "id": PublicId::new(kind, Uuid::nil()).to_string() });
        let answer = || object([("node", node())]);
        assert_eq!(restored(query, id("Order"), answer()), r#"{"node":{"id":2,"revision":1,"number":3}}"#);
        assert_eq!(restored(query, id("Product"), answer()), r#"{"node":{"number":3,"revision":1,"id":2}}"#);
    }

    #[test]
    fn what_nobody_asked_for_and_what_is_missing_do_no_harm() {
        let answer = object([("c", leaf(3)), ("hidden", object([("x", leaf(1))])), ("a", leaf(1))]);
        let restored = restored("{ a b c ...missing }", json!({}), answer);
        assert!(restored.find("\"a\"").unwrap() < restored.find("\"c\"").unwrap(), "{restored}");
        assert!(restored.contains(r#""hidden":{"x":1}"#), "{restored}");
    }
}

//! What a document asks for, found before anything is carried out: which projections it reads, how deep it goes and
//! how many fields it has once fragments are written out. Each fragment is walked once, so a small document whose
//! fragments multiply each other costs nothing here.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};
use contract::ErrorCode;

use crate::schema::touched_by;

/// Fields below fields. What GraphiQL asks of the schema itself is deeper and does not count.
pub(crate) const MAX_DEPTH: usize = 12;

/// Fields of an operation with its fragments written out.
pub(crate) const MAX_FIELDS: usize = 2_000;

/// The same with the fragments themselves counted: also those that hold no field that can be carried out are walked.
const MAX_SELECTIONS: usize = 2 * MAX_FIELDS;

/// Selection sets inside each other, whatever opens them; the library bears no more.
const MAX_LEVELS: usize = 32;

/// Fragments of a document. The library looks for circles among them by calling itself for each.
const MAX_FRAGMENTS: usize = 200;

/// Braces and brackets inside each other in a document's text; the parser calls itself for each.
const MAX_NESTING: usize = 200;

/// What the operation to be carried out asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Analysis {
    /// The projections whose tables it reads, and the search index.
    pub(crate) projections: BTreeSet<&'static str>,
    /// Whether a fragment spreads itself, which the validation refuses.
    pub(crate) circular: bool,
    /// The argument of a field in which there is a text with a NUL, which no column can hold.
    pub(crate) nul_in: Option<Name>,
    depth: usize,
    levels: usize,
    fields: usize,
    selections: usize,
}

impl Analysis {
    /// The limit that an operation breaks, if any.
    fn excess(&self) -> Option<ErrorCode> {
        if self.depth > MAX_DEPTH { Some(ErrorCode::QueryTooDeep) } else { self.work_excess() }
    }

    /// The limit on the work with it that an operation or a fragment breaks, if any.
    fn work_excess(&self) -> Option<ErrorCode> {
        if self.fields > MAX_FIELDS || self.selections > MAX_SELECTIONS {
            return Some(ErrorCode::QueryTooComplex);
        }
        (self.levels > MAX_LEVELS).then_some(ErrorCode::QueryTooDeep)
    }

    fn include(&mut self, other: &Analysis, below: usize) {
        self.projections.extend(&other.projections);
        self.circular |= other.circular;
        self.nul_in = self.nul_in.take().or_else(|| other.nul_in.clone());
        self.depth = self.depth.max(other.depth + below);
        self.levels = self.levels.max(other.levels + 1);
        self.fields = self.fields.saturating_add(other.fields);
        self.selections = self.selections.saturating_add(other.selections);
    }
}

/// Whether a text may be given to the parser.
pub(crate) fn nesting_is_bearable(query: &str) -> bool {
    let mut depth = 0_usize;
    for byte in query.bytes() {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return false;
        }
    }
    true
}

/// The operation that a request names, or the only one.
pub(crate) fn chosen_operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name).map(|operation| &operation.node),
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => {
            all.values().next().map(|operation| &operation.node)
        }
        (DocumentOperations::Multiple(_), None) => None,
    }
}

/// The word for an operation in metrics and spans.
pub(crate) fn type_name(operation: &OperationDefinition) -> &'static str {
    match operation.ty {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

/// Walks the operation to be carried out, if there is one, and everything else of the document besides: the library
/// checks all of it, at a cost that grows as the operation's does.
///
/// # Errors
/// The limit that the document breaks.
pub(crate) fn analyse(
    document: &ExecutableDocument,
    operation: Option<&OperationDefinition>,
    variables: &Variables,
) -> Result<Analysis, ErrorCode> {
    if document.fragments.len() > MAX_FRAGMENTS {
        return Err(ErrorCode::QueryTooComplex);
    }
    let mut walk = Walk { document, variables, fragments: HashMap::new(), entered: HashSet::new(), level: 0 };
    for (_, other) in document.operations.iter() {
        walk.operation(&other.node)?;
    }
    for fragment in document.fragments.values() {
        // How deep it is counts where it is spread: what is asked of the schema itself may be deeper.
        let found = walk.selections(&fragment.node.selection_set.node);
        found.work_excess().map_or(Ok(()), Err)?;
    }
    operation.map_or(Ok(Analysis::default()), |operation| walk.operation(operation))
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    fragments: HashMap<&'a Name, Analysis>,
    /// Fragments being walked: one that spreads itself counts nothing here.
    entered: HashSet<&'a Name>,
    /// Selection sets being walked.
    level: usize,
}

impl<'a> Walk<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Analysis, ErrorCode> {
        let found = self.selections(&operation.selection_set.node);
        found.excess().map_or(Ok(found), Err)
    }

    fn selections(&mut self, set: &'a SelectionSet) -> Analysis {
        let mut sum = Analysis { selections: set.items.len(), ..Analysis::default() };
        if self.level > MAX_LEVELS {
            // What is below is not worth a look, and the walk calls itself for each level.
            sum.levels = MAX_LEVELS + 1;
            return sum;
        }
        self.level += 1;
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, &mut sum),
                Selection::InlineFragment(fragment) => {
                    let inner = self.selections(&fragment.node.selection_set.node);
                    sum.include(&inner, 0);
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name, &mut sum);
                }
            }
        }
        self.level -= 1;
        sum
    }

    fn field(&mut self, field: &'a Field, sum: &mut Analysis) {
        let mut inner = self.selections(&field.selection_set.node);
        if field.name.node.starts_with("__") {
            inner.depth = 0;
        }
        sum.include(&inner, 1);
        sum.fields = sum.fields.saturating_add(1);
        let given = |name: &Name| self.variables.get(name).cloned().unwrap_or_default();
        let holding_nul = field.arguments.iter().find(|(_, value)| {
            let value = value.node.clone().into_const_with(|name| Ok::<_, Infallible>(given(&name)));
            value.is_ok_and(|value| holds_nul(&value))
        });
        if let Some((name, _)) = holding_nul {
            sum.nul_in.get_or_insert_with(|| name.node.clone());
        }
        let id = text_argument(field, "id", self.variables);
        sum.projections.extend(touched_by(&field.name.node, id.as_deref()));
    }

    fn fragment(&mut self, name: &'a Positioned<Name>, sum: &mut Analysis) {
        let name = &name.node;
        if !self.fragments.contains_key(name) {
            let Some(definition) = self.document.fragments.get(name) else { return };
            if !self.entered.insert(name) {
                sum.circular = true;
                return;
            }
            let found = self.selections(&definition.node.selection_set.node);
            self.entered.remove(name);
            self.fragments.insert(name, found);
        }
        if let Some(found) = self.fragments.get(name) {
            sum.include(found, 0);
        }
    }
}

/// Whether there is a NUL anywhere in a value.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.values().any(holds_nul),
        _ => false,
    }
}

/// A text argument of a field, if it is given there or by a variable.
pub(crate) fn text_argument(field: &Field, name: &str, variables: &Variables) -> Option<String> {
    let (_, value) = field.arguments.iter().find(|(given, _)| given.node == name)?;
    let value = value.node.clone();
    match value.into_const_with(|variable| variables.get(&variable).cloned().ok_or(())) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}

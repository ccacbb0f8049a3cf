//! The GraphQL schema: one file a resource. What it looks like to clients is committed in `schema.graphql`.

mod customer;
mod node;
mod once;
mod order;
mod page;
mod product;
mod projection;
mod sales;
mod scalar;
mod search;

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, EmptySubscription, MergedObject, SDLExportOptions};
use contract::{Currency, PublicId};
use read_model::catalogue::CATALOGUE;
use read_model::customers::CUSTOMERS;
use read_model::search::NAME as SEARCH;
use read_model::shop::SHOP;

use crate::error::Failure;
use crate::read::ReadContext;
use crate::trace::WatchOperations;
use scalar::DateTime;
use uuid::Uuid;

/// The schema, ready to execute.
pub(crate) type Schema = async_graphql::Schema<Query, EmptyMutation, EmptySubscription>;

/// Fields of an answer, where a page counts as many times as it has room for items.
const MAX_COMPLEXITY: usize = 10_000;

/// Directives of one field; the library has a use for two.
const MAX_DIRECTIVES: usize = 8;

/// Everything that can be asked.
#[derive(Default, MergedObject)]
pub(crate) struct Query(
    product::ProductQuery,
    search::SearchQuery,
    customer::CustomerQuery,
    order::OrderQuery,
    sales::SalesQuery,
    node::NodeQuery,
    projection::ProjectionQuery,
);

/// Builds the schema of a shop whose sales are in one currency.
pub(crate) fn build(currency: Currency) -> Schema {
    Schema::build(Query::default(), EmptyMutation, EmptySubscription)
        .data(currency)
        .limit_complexity(MAX_COMPLEXITY)
        .limit_directives(MAX_DIRECTIVES)
        .extension(WatchOperations)
        .finish()
}

/// The schema in GraphQL's own language.
#[must_use]
pub fn sdl() -> String {
    build(Currency::GBP).sdl_with_options(SDLExportOptions::new().include_specified_by())
}

/// What the resolvers of a request read from.
pub(crate) fn read_context<'a>(ctx: &Context<'a>) -> &'a ReadContext {
    let context: &Arc<ReadContext> = ctx.data_unchecked();
    context
}

/// For a field that may be null: an error in it nulls the field alone. (The library lets an error pass through a
/// `Result<Option<_>>` up to the next field that may be null above it.)
fn or_null<T>(found: Result<Option<T>, Failure>) -> Option<async_graphql::Result<T>> {
    found.map_err(async_graphql::Error::from).transpose()
}

/// Since when events of an aggregate wait.
async fn parked_since(ctx: &Context<'_>, aggregate: Uuid) -> Option<async_graphql::Result<DateTime>> {
    or_null(read_context(ctx).parked_since(aggregate).await.map(|since| since.map(DateTime)))
}

/// The one interface: of it are the objects whose type a document leaves open.
pub(crate) const INTERFACE: &str = "Node";

/// The type of what a field of the interface's type gives for an id, whose kind is named as the type is.
pub(crate) fn type_of(field: &str, id: &str) -> Option<String> {
    let id: PublicId = if field == "node" { id.parse().ok()? } else { return None };
    Some(id.kind)
}

/// The projections that a field reads, and [`SEARCH`] when it reads the search index, by its name alone wherever it
/// stands: one too many is only waited for in vain.
/// `id` is the field's argument of that name, when it is known. A field that reads a table and is not named here
/// answers with an error.
pub(crate) fn touched_by(field: &str, id: Option<&str>) -> Vec<&'static str> {
    match field {
        "product" | "products" => vec![CATALOGUE.name],
        "searchProducts" => vec![CATALOGUE.name, SEARCH],
        "customer" | "customers" => vec![CUSTOMERS.name],
        "order" | "orders" | "salesSummary" | "salesByDay" | "salesByCountry" | "topCustomers" => {
            vec![SHOP.name]
        }
        "topProducts" => vec![CATALOGUE.name, SHOP.name],
        "node" => match id.map(str::parse::<PublicId>) {
            Some(Ok(id)) if id.kind == product::KIND => vec![CATALOGUE.name],
            Some(Ok(id)) if id.kind == customer::KIND => vec![CUSTOMERS.name],
            Some(Ok(id)) if order::KINDS.contains(&id.kind.as_str()) => vec![SHOP.name],
            Some(_) => vec![],
            None => vec![CATALOGUE.name, CUSTOMERS.name, SHOP.name],
        },
        _ => vec![],
    }
}

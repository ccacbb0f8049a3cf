//! The spans of an answer: resolvers, statements, the wait for a position, the search. What resolvers take and what an
//! operation asks for is measured here too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextResolve, NextValidation, ResolveInfo,
};
use async_graphql::registry::MetaTypeName;
use async_graphql::{ServerError, ServerResult, ValidationResult, Value};
use async_trait::async_trait;
use observability::span;
use tracing::{Instrument as _, Span};

use crate::metrics::{COMPLEXITY, DEPTH, RESOLVER_DURATION};

/// The most resolvers of one operation that are looked at: a page of orders has as many as lists in it.
const RESOLVERS_MAX: usize = 32;

/// The span of a statement. Its text has parameters in the place of values, so it holds no data.
pub(crate) fn statement_span(sql: &str) -> Span {
    let table = table_of(sql);
    // Of a table, each rebuild makes another version; there must not be as many names.
    let view = table.rsplit_once("_v").map_or(table, |(view, _)| view);
    tracing::info_span!(
        "statement",
        otel.name = format!("SELECT {view}"),
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = "SELECT",
        db.collection.name = table,
        db.query.text = sql,
    )
}

/// The span of opening a snapshot, its wait for a connection included.
pub(crate) fn snapshot_span() -> Span {
    tracing::info_span!(
        "snapshot",
        otel.name = "BEGIN",
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = "BEGIN",
    )
}

/// Of a database error only its SQLSTATE is told: the rest may hold data.
pub(crate) fn statement_failed(statement: &Span, error: &tokio_postgres::Error) {
    let state = error.code().map_or("connection", |code| code.code());
    span::note(statement, "db.response.status_code", state.to_owned());
    span::failed(statement, state.to_owned());
}

/// The first table that a statement reads.
fn table_of(sql: &str) -> &str {
    let mut words = sql.split_whitespace();
    while words.any(|word| word == "FROM") {
        if let Some(table) = words.clone().next().filter(|word| !word.starts_with('(')) {
            return table.trim_end_matches([',', ')']);
        }
    }
    ""
}

/// Gives the resolvers of objects and lists a span each, and measures them.
pub(crate) struct WatchOperations;

impl ExtensionFactory for WatchOperations {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Operation { watched: AtomicUsize::new(0) })
    }
}

struct Operation {
    watched: AtomicUsize,
}

#[async_trait]
impl Extension for Operation {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let valid = next.run(ctx).await?;
        metrics::histogram!(COMPLEXITY).record(valid.complexity as f64);
        metrics::histogram!(DEPTH).record(valid.depth as f64);
        Ok(valid)
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let types = &ctx.schema_env.registry.types;
        let is_leaf = |name: &str| {
            types.get(MetaTypeName::concrete_typename(name)).is_some_and(|known| known.is_leaf())
        };
        // A list asks for each of its items in turn; it is one resolver all the same.
        if info.is_for_introspection
            || info.parent_type.starts_with('[')
            || is_leaf(info.return_type)
            || self.watched.fetch_add(1, Ordering::Relaxed) >= RESOLVERS_MAX
        {
            return next.run(ctx, info).await;
        }
        let field = format!("{}.{}", info.parent_type, info.name);
        let span = tracing::info_span!(
            "resolve",
            otel.name = field,
            graphql.field.parent_type = info.parent_type,
            graphql.field.name = info.name,
        );
        let begun = Instant::now();
        let resolved = next.run(ctx, info).instrument(span.clone()).await;
        metrics::histogram!(RESOLVER_DURATION, "field" => field).record(begun.elapsed().as_secs_f64());
        if resolved.is_err() {
            // Whose fault it is says the answer; most are the client's.
            span::note(&span, "error.type", "resolver");
        }
        resolved
    }
}

#[cfg(test)]
mod tests {
    use super::table_of;

    #[test]
    fn a_statement_tells_the_table_that_it_reads() {
        assert_eq!(table_of("SELECT a, b FROM orders_v3 WHERE id = $1"), "orders_v3");
        assert_eq!(table_of("SELECT a FROM (SELECT b FROM lines_v1)"), "lines_v1");
        assert_eq!(table_of("SELECT 1"), "");
    }
}

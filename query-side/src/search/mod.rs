//! What a text finds in the search index.
//!
//! A page of hits is a page of one order: best first, and by SKU where two are as good. A cursor carries the score and
//! the SKU that its page ends with.

mod cursor;
mod query;

use std::sync::Arc;
use std::time::Instant;

use contract::{ApiError, ErrorCode};
use observability::span;
use read_model::search::Fields;
use tantivy::collector::sort_key::{SortBySimilarityScore, SortByString};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::Query;
use tantivy::{Order, Searcher};
use tracing::Instrument as _;

use crate::error::Failure;
use crate::metrics::SEARCH_DURATION;
pub(crate) use cursor::Cursor;

/// The best so many hits can be paged through.
pub(crate) const DEPTH_MAX: usize = 1_000;

/// A text to be searched for. None is one in which there is nothing to search for.
#[derive(Clone)]
pub(crate) struct Search {
    text: Arc<str>,
    query: Option<Arc<dyn Query>>,
}

/// A product that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hit {
    /// Whose product.
    pub(crate) sku: String,
    /// Where it stands among the hits.
    pub(crate) cursor: Cursor,
}

/// A page of hits.
#[derive(Debug, PartialEq)]
pub(crate) struct Hits {
    /// Best first.
    pub(crate) hits: Vec<Hit>,
    /// Whether there are more behind them.
    pub(crate) has_more: bool,
}

impl Search {
    /// # Errors
    /// The text is longer than may be.
    pub(crate) fn new(text: &str) -> Result<Self, Failure> {
        Ok(Self { text: text.into(), query: query::of(text)?.map(Arc::from) })
    }

    /// The hits behind a cursor, in one state of the index.
    pub(crate) async fn page(
        &self,
        searcher: &Searcher,
        size: usize,
        after: Option<Cursor>,
    ) -> Result<Hits, Failure> {
        let begun = Instant::now();
        let text = Arc::clone(&self.text);
        let page = self.work(searcher, move |searcher, query| {
            // Most ask for the first page only; behind a cursor the order decides, not a number.
            let limit = if after.is_some() { DEPTH_MAX } else { DEPTH_MAX.min(size + 1) };
            let by_sku = (SortByString::for_field(Fields::SKU_COLUMN), Order::Asc);
            let best = TopDocs::with_limit(limit).order_by((SortBySimilarityScore, by_sku));
            let hits = searcher.search(query, &best)?.into_iter().filter_map(|((score, sku), _)| {
                let sku = sku?;
                let cursor = Cursor::new(&text, score, sku.clone());
                Some(Hit { sku, cursor })
            });
            let mut hits: Vec<_> = hits
                .filter(|hit| after.as_ref().is_none_or(|after| hit.cursor.is_behind(after)))
                .take(size + 1)
                .collect();
            let has_more = hits.len() > size;
            hits.truncate(size);
            Ok(Hits { hits, has_more })
        });
        let page = page.await?.unwrap_or(Hits { hits: Vec::new(), has_more: false });
        metrics::histogram!(SEARCH_DURATION).record(begun.elapsed().as_secs_f64());
        Ok(page)
    }

    /// How many products the text finds.
    pub(crate) async fn count(&self, searcher: &Searcher) -> Result<usize, Failure> {
        Ok(self.work(searcher, |searcher, query| searcher.search(query, &Count)).await?.unwrap_or_default())
    }

    /// Does work on the index where it holds nobody up; none when there is nothing to search for.
    async fn work<T: Send + 'static>(
        &self,
        searcher: &Searcher,
        work: impl FnOnce(&Searcher, &dyn Query) -> tantivy::Result<T> + Send + 'static,
    ) -> Result<Option<T>, Failure> {
        let Some(query) = self.query.clone() else { return Ok(None) };
        let span =
            tracing::info_span!("search", otel.name = "search products", headwater.index = "product_texts");
        let searcher = searcher.clone();
        let failed = |cause: &dyn std::fmt::Display| {
            tracing::error!(%cause, "the search index gave no answer");
            Failure::from(ApiError::new(ErrorCode::Internal))
        };
        let found =
            tokio::task::spawn_blocking(move || work(&searcher, &*query)).instrument(span.clone()).await;
        if !matches!(found, Ok(Ok(_))) {
            span::failed(&span, "search");
        }
        match found {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(error)) => Err(failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}

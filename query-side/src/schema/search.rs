//! The question for products by text.

use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, Object, Result};
use contract::ErrorCode;

use super::page::{DEFAULT_SIZE, PageOf, TotalCount, checked_size, cost};
use super::product::Product;
use super::read_context;
use crate::error::Failure;
use crate::search::{Cursor, Hits, Search};

/// The question for products by text.
#[derive(Default)]
pub(super) struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Listed products that a text finds, the best first: by SKU, or by name and description, where every word must be
    /// found. A word is also found by another of its forms, the last one by its beginning, and one of four letters or
    /// more when it is misspelt. A text without words finds nothing. The pages end after 1,000 products.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn search_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to search for, up to 200 characters and 16 words.")] text: String,
        #[graphql(default_with = "Some(DEFAULT_SIZE)", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this very query: the page begins behind it.")] after: Option<String>,
    ) -> Result<PageOf<Product>> {
        let size = usize::try_from(checked_size(first)?).unwrap_or_default();
        let after = after.map(|after| Cursor::decode(&after, &text).ok_or(ErrorCode::InvalidCursor));
        let after = after.transpose().map_err(Failure::from)?;
        let search = Search::new(&text)?;
        let searcher = read_context(ctx).index().await?.searcher.clone();
        let has_previous = after.is_some();
        let Hits { hits, has_more } = search.page(&searcher, size, after).await?;
        let skus: Vec<_> = hits.iter().map(|hit| hit.sku.as_str()).collect();
        // The index was taken before the snapshot, so whatever is in it is in the tables.
        let mut products = Product::by_skus(ctx, &skus).await?;
        let total = TotalCount::Hits { search, searcher };
        let mut page = Connection::with_additional_fields(has_previous, has_more, total);
        for hit in hits {
            let found = products.remove(&hit.sku);
            page.edges.extend(found.map(|product| Edge::new(hit.cursor.encode(), product)));
        }
        Ok(page)
    }
}

//! Pages: sizes, cursors and the statement that reads one. A cursor carries the key by which its page was ordered, so
//! the next page begins behind it also when rows came or went meanwhile.

use std::sync::Arc;

use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, Object, OutputType};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::ErrorCode;
use postgres_types::ToSql;
use read_model::{Projection, View};
use serde::{Deserialize, Serialize};
use tantivy::Searcher;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Failure;
use crate::read::Snapshot;
use crate::schema::read_context;
use crate::search::Search;

/// Items of a page when nothing is said.
pub(crate) const DEFAULT_SIZE: i32 = 20;

/// Items of the largest page.
pub(crate) const MAX_SIZE: i32 = 100;

/// The names of the order's column and of the id among the columns of a page.
const KEY: &str = "page_key";
const ID: &str = "page_id";

/// What a page costs against the limit of complexity.
pub(crate) fn cost(first: Option<i32>, item: usize) -> usize {
    usize::try_from(first.unwrap_or(DEFAULT_SIZE).clamp(1, MAX_SIZE)).unwrap_or(1).saturating_mul(item.max(1))
}

/// How many items a client asks for.
pub(crate) fn checked_size(first: Option<i32>) -> Result<i64, Failure> {
    let first = first.unwrap_or(DEFAULT_SIZE);
    if !(1..=MAX_SIZE).contains(&first) {
        return Err(ErrorCode::PageSizeOutOfRange.into());
    }
    Ok(first.into())
}

/// The type of the column that a page is ordered by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyType {
    /// `text`
    Text,
    /// `bigint`
    Number,
    /// `timestamptz`
    Moment,
}

/// The value of that column.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum SortKey {
    Text(String),
    /// Of a moment, the microseconds since 1970.
    Number(i64),
}

impl KeyType {
    fn read(self, row: &Row) -> Result<SortKey, tokio_postgres::Error> {
        Ok(match self {
            KeyType::Text => SortKey::Text(row.try_get(KEY)?),
            KeyType::Number => SortKey::Number(row.try_get(KEY)?),
            KeyType::Moment => SortKey::Number(row.try_get::<_, jiff::Timestamp>(KEY)?.as_microsecond()),
        })
    }

    /// The key as a parameter; none when it is of another type.
    fn parameter(self, key: SortKey) -> Option<Parameter> {
        Some(match (self, key) {
            (KeyType::Text, SortKey::Text(text)) => Arc::new(text),
            (KeyType::Number, SortKey::Number(number)) => Arc::new(number),
            (KeyType::Moment, SortKey::Number(number)) => {
                Arc::new(jiff::Timestamp::from_microsecond(number).ok()?)
            }
            _ => return None,
        })
    }
}

/// Which way a page goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
pub(crate) enum SortDirection {
    /// Smallest, first or oldest first.
    Asc,
    /// Largest, last or newest first.
    Desc,
}

/// A place between two items: the name of the order they stand in, and the key and the id of the item before it.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor(String, SortKey, Uuid);

impl Cursor {
    /// The opaque text that a client gets.
    fn encode(&self) -> String {
        // A tuple of texts and numbers: there is nothing in it that JSON does not take.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

/// An order of rows, with a unique column last so that it is total.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Names the order in cursors.
    pub(crate) name: String,
    /// The column, as an expression in SQL, as the index has it.
    pub(crate) column: &'static str,
    /// Its type.
    pub(crate) key: KeyType,
    /// The column with the row's UUID.
    pub(crate) id: &'static str,
    /// Up or down.
    pub(crate) direction: SortDirection,
}

impl Order {
    /// The place that a cursor of this order names, and the name of the order with what it is bound to besides.
    fn place_of(&self, cursor: &str) -> Option<Place> {
        let Cursor(name, key, id) = Cursor::decode(cursor)?;
        let bound = name.strip_prefix(&self.name)?;
        (bound.is_empty() || bound.starts_with('@')).then_some(())?;
        Some(Place { key: self.key.parameter(key)?, id, name })
    }

    /// Its name in the cursors of a snapshot: a page of the past goes on there.
    fn name_in(&self, snapshot: &Snapshot) -> String {
        snapshot.as_of().map_or_else(|| self.name.clone(), |as_of| format!("{}@{}", self.name, as_of.at))
    }
}

/// Behind which a page begins.
#[derive(Debug)]
struct Place {
    key: Parameter,
    id: Uuid,
    name: String,
}

/// A parameter of a statement.
pub(crate) type Parameter = Arc<dyn ToSql + Sync + Send>;

/// Conditions on rows, with their parameters.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    sql: Vec<String>,
    parameters: Vec<Parameter>,
}

impl Conditions {
    /// Adds a parameter and gives its number.
    pub(crate) fn parameter(&mut self, parameter: Parameter) -> usize {
        self.parameters.push(parameter);
        self.parameters.len()
    }

    /// Adds a condition; parameters stand in it as `$<number>`.
    pub(crate) fn add(&mut self, sql: impl Into<String>) {
        self.sql.push(sql.into());
    }

    fn clause(&self) -> String {
        if self.sql.is_empty() { String::new() } else { format!(" WHERE {}", self.sql.join(" AND ")) }
    }

    fn borrowed(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect()
    }
}

/// Which page of an order.
#[derive(Debug)]
pub(crate) struct Page {
    size: i64,
    after: Option<Place>,
    order: Order,
}

/// A page as clients see it.
pub(crate) type PageOf<Node> = Connection<String, Node, TotalCount>;

/// How many items there are on all pages together; counted only when it is asked for.
pub(crate) enum TotalCount {
    /// Rows of a table.
    Rows {
        /// Which table.
        table: String,
        /// Which of its rows.
        conditions: Conditions,
    },
    /// What a text finds.
    Hits {
        /// The text.
        search: Search,
        /// Where it is searched for.
        searcher: Searcher,
    },
}

#[Object]
impl TotalCount {
    /// How many there are on all pages together. Costs a count of them; leave it out when it is not shown.
    async fn total_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i64> {
        match self {
            Self::Rows { table, conditions } => {
                let snapshot = read_context(ctx).snapshot().await?;
                let sql = format!("SELECT count(*) FROM {table}{}", conditions.clause());
                let rows = snapshot.query(&sql, &conditions.borrowed()).await.map_err(Failure::from)?;
                Ok(rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(Failure::from)?)
            }
            // An index has room for fewer documents than there are numbers.
            Self::Hits { search, searcher } => {
                Ok(i64::try_from(search.count(searcher).await?).unwrap_or(i64::MAX))
            }
        }
    }
}

impl Page {
    /// Checks what a client asks for.
    pub(crate) fn new(first: Option<i32>, after: Option<&str>, order: Order) -> Result<Self, Failure> {
        let size = checked_size(first)?;
        let after = after.map(|text| order.place_of(text).ok_or(ErrorCode::InvalidCursor)).transpose()?;
        Ok(Self { size, after, order })
    }

    /// Reads the page, in one statement. `nodes` makes as many items as it gets rows.
    pub(crate) async fn read<Node: OutputType>(
        self,
        ctx: &Context<'_>,
        (projection, view): (&Projection, &View),
        conditions: impl Fn() -> Conditions,
        nodes: impl FnOnce(&[Row]) -> Result<Vec<Node>, tokio_postgres::Error>,
    ) -> Result<PageOf<Node>, Failure> {
        let (snapshot, table) = read_context(ctx).table(projection, view).await?;
        let name = self.order.name_in(snapshot);
        if self.after.as_ref().is_some_and(|after| after.name != name) {
            return Err(ErrorCode::InvalidCursor.into());
        }
        let (sql, parameters) = self.statement(&table, &view.column_list(), conditions());
        let mut rows = snapshot.query(&sql, &parameters.borrowed()).await?;
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let total = TotalCount::Rows { table, conditions: conditions() };
        let mut page = Connection::with_additional_fields(self.after.is_some(), rows.len() > size, total);
        rows.truncate(size);
        for (row, node) in rows.iter().zip(nodes(&rows)?) {
            let cursor = Cursor(name.clone(), self.order.key.read(row)?, row.try_get(ID)?);
            page.edges.push(Edge::new(cursor.encode(), node));
        }
        Ok(page)
    }

    fn statement(&self, table: &str, columns: &str, mut conditions: Conditions) -> (String, Conditions) {
        let Order { column, id, direction, .. } = &self.order;
        let (compare, word) = match direction {
            SortDirection::Asc => (">", "ASC"),
            SortDirection::Desc => ("<", "DESC"),
        };
        if let Some(Place { key, id: after, .. }) = &self.after {
            let key = conditions.parameter(key.clone());
            let after = conditions.parameter(Arc::new(*after));
            conditions.add(format!("({column}, {id}) {compare} (${key}, ${after})"));
        }
        let clause = conditions.clause();
        // One more than the page holds tells whether there is another.
        let limit = conditions.parameter(Arc::new(self.size + 1));
        let sql = format!(
            "SELECT {columns}, {column} AS {KEY}, {id} AS {ID} FROM {table}{clause} \
             ORDER BY {column} {word}, {id} {word} LIMIT ${limit}"
        );
        (sql, conditions)
    }
}

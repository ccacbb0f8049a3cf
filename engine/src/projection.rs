//! A projection: the views that share a checkpoint and a version.

use std::collections::HashSet;
use std::sync::Arc;

use crate::fold::entity::AnyEntity;
use crate::saga::{Courier, Dispatch, Saga, SagaView, is_saga_table};
use crate::table::Table;
use crate::value::{SqlType, Value};
use crate::view::{Contributes, EntityView, SummaryView};

/// The longest name of a projection or table, bytes: with `_v<version>` it still fits Postgres' 63.
const NAME_BYTES_MAX: usize = 50;

/// What may be different between the rows of a fold and those of the fold before it, at the same position of the log.
/// Within that, a version built anew becomes the active one by itself; else a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayDiffer {
    /// Nothing: columns that both have hold the same, in the same rows.
    Nothing,
    /// These columns, each as (view, column); the rows are the same.
    Columns(&'static [(&'static str, &'static str)]),
    /// Everything.
    Anything,
}

/// The set of views that share a checkpoint, a version and a switch.
pub struct Projection<E> {
    pub(crate) name: &'static str,
    pub(crate) fold: i32,
    pub(crate) may_differ: MayDiffer,
    pub(crate) categories: &'static [&'static str],
    pub(crate) settings: String,
    pub(crate) entities: Vec<Box<dyn AnyEntity<E>>>,
    pub(crate) summaries: Vec<&'static Table>,
    /// Of a saga: who carries its commands out.
    pub(crate) courier: Option<Arc<dyn Courier>>,
}

impl<E: Send + Sync + 'static> Projection<E> {
    /// A projection without views. The number of its fold, from 1, rises when the fold or the columns of any of its
    /// views change; its categories are those of the streams whose events it folds.
    #[must_use]
    pub fn new(name: &'static str, fold: i32, categories: &'static [&'static str]) -> Self {
        Self {
            name,
            fold,
            may_differ: MayDiffer::Nothing,
            categories,
            settings: String::new(),
            entities: Vec::new(),
            summaries: Vec::new(),
            courier: None,
        }
    }

    /// The projection of a saga, under the saga's name: the saga's rows are its one view, and what their outboxes hold
    /// is sent by `dispatch`, in the process whose worker folds it, from when it has folded all that was in the log as
    /// it began. Its categories are those of the streams whose events the saga folds, its own among them.
    #[must_use]
    pub fn saga<S: Saga<Event = E>>(
        fold: i32,
        categories: &'static [&'static str],
        saga: S,
        dispatch: Arc<dyn Dispatch<S::Command>>,
    ) -> Self {
        let mut projection =
            Self::new(saga.name(), fold, categories).entity(Entity::new(SagaView::new(saga)));
        projection.courier = Some(Arc::new(dispatch));
        projection
    }

    /// Folded with settings, in words for operators: whatever else than the events its rows depend on. Rows that were
    /// folded with others are refused when the engine starts.
    #[must_use]
    pub fn with_settings(mut self, settings: impl Into<String>) -> Self {
        self.settings = settings.into();
        self
    }

    /// With what may be different from the rows of the fold before; without this, nothing.
    #[must_use]
    pub fn may_differ(mut self, may_differ: MayDiffer) -> Self {
        self.may_differ = may_differ;
        self
    }

    /// With one more entity view, and the summary views that it contributes to.
    #[must_use]
    pub fn entity<V: EntityView<Event = E>>(mut self, mut entity: Entity<V>) -> Self {
        for contributor in &mut entity.contributors {
            let table = contributor.table;
            let known = self.summaries.iter().position(|t| t.name == table.name);
            contributor.summary = known.unwrap_or_else(|| {
                self.summaries.push(table);
                self.summaries.len() - 1
            });
        }
        self.entities.push(Box::new(entity));
        self
    }

    /// The projection's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The number of its fold.
    #[must_use]
    pub fn fold(&self) -> i32 {
        self.fold
    }

    /// The tables of its views: entity views, then summary views.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.entities.iter().map(|entity| entity.table()).chain(self.summaries.iter().copied())
    }

    /// What is wrong with the declaration, if anything.
    pub(crate) fn flaw(&self) -> Option<String> {
        if self.fold < 1 {
            return Some(format!("folds count from 1, this one is {}", self.fold));
        }
        if self.categories.is_empty() || self.entities.is_empty() {
            return Some("it has no categories or no views".to_owned());
        }
        if self.courier.is_some() {
            let [table] = self.tables().collect::<Vec<_>>()[..] else {
                return Some("a saga's rows are the only view of its projection".to_owned());
            };
            if !is_saga_table(table) {
                return Some(format!("{} has not the columns of a saga's table", table.name));
            }
        }
        let mut names = HashSet::new();
        let of_bigints =
            |table: &Table| table.data.iter().all(|c| c.sql_type == SqlType::BigInt && !c.nullable);
        if let Some(table) = self.summaries.iter().find(|table| table.data.is_empty() || !of_bigints(table)) {
            return Some(format!("{} is a summary with other amounts than bigint", table.name));
        }
        self.tables().find_map(|table| {
            if table.name.len() > NAME_BYTES_MAX {
                return Some(format!("{} is too long a name", table.name));
            }
            if names.insert(table.name) {
                table.flaw()
            } else {
                Some(format!("two views are named {}", table.name))
            }
        })
    }
}

/// An entity view and the summary views that sum over its rows.
pub struct Entity<V: EntityView> {
    pub(crate) view: Arc<V>,
    pub(crate) contributors: Vec<Contributor<V>>,
}

/// The contributions of one row: keys of the summary with their amounts.
type Contributions<V> =
    dyn Fn(&<V as EntityView>::Key, &<V as EntityView>::Row) -> Vec<(Vec<Value>, Vec<i64>)> + Send + Sync;

pub(crate) struct Contributor<V: EntityView> {
    pub(crate) table: &'static Table,
    /// Which of the projection's summaries; set when the entity joins its projection.
    pub(crate) summary: usize,
    pub(crate) contributions: Box<Contributions<V>>,
}

impl<V: EntityView> Entity<V> {
    /// A view that no summary sums over.
    #[must_use]
    pub fn new(view: V) -> Self {
        Self { view: Arc::new(view), contributors: Vec::new() }
    }

    /// With one more summary view over its rows. Several entity views of a projection may sum into the same one.
    #[must_use]
    pub fn sums_into<S: SummaryView + Contributes<V>>(mut self, summary: S) -> Self {
        let table = summary.table();
        let contributions = Box::new(move |key: &V::Key, row: &V::Row| {
            let amounts = summary.contributions(key, row);
            amounts.into_iter().map(|(key, amounts)| (summary.store_key(&key), amounts)).collect()
        });
        self.contributors.push(Contributor { table, summary: 0, contributions });
        self
    }
}

//! Customers.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, Object, Result};
use contract::PublicId;
use postgres_types::ToSql;
use read_model::customers::{CUSTOMER, CUSTOMERS, CustomerRow, CustomerStatus as Status};
use tokio_postgres::Row;
use uuid::Uuid;

use super::page::{Conditions, DEFAULT_SIZE, KeyType, Order, Page, PageOf, SortDirection, cost};
use super::scalar::{AsOf, DateTime, Revision};
use super::{or_null, parked_since, read_context};
use crate::error::Failure;

/// The kind in ids.
pub(super) const KIND: &str = "Customer";

/// A registered customer.
pub(crate) struct Customer(CustomerRow);

impl Customer {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        CustomerRow::read(row).map(Self)
    }

    fn read_all(rows: &[Row]) -> Result<Vec<Self>, tokio_postgres::Error> {
        rows.iter().map(Self::read).collect()
    }

    /// The one customer of whom a column has this value.
    async fn find(
        ctx: &Context<'_>,
        column: &'static str,
        value: &(dyn ToSql + Sync),
    ) -> Result<Option<Self>, Failure> {
        let row = read_context(ctx).row(&CUSTOMERS, &CUSTOMER, column, value).await?;
        Ok(row.as_ref().map(Self::read).transpose()?)
    }

    /// By the id, for `node`.
    pub(super) async fn by_id(ctx: &Context<'_>, id: Uuid) -> Result<Option<Self>, Failure> {
        Self::find(ctx, "user_id", &id).await
    }

    /// All of these who are there, in one statement.
    pub(super) async fn by_ids(ctx: &Context<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Self>, Failure> {
        let rows = read_context(ctx).rows(&CUSTOMERS, &CUSTOMER, "user_id", "user_id", ids).await?;
        let customers = rows.iter().map(|row| Self::read(row).map(|found| (found.0.user_id, found)));
        Ok(customers.collect::<Result<_, _>>()?)
    }
}

/// A registered customer. Name and e-mail are null when they were not given, and when they were erased.
#[Object]
impl Customer {
    /// Names them among everything that `node` finds.
    pub(super) async fn id(&self) -> ID {
        ID(PublicId::new(KIND, self.0.user_id).to_string())
    }

    /// The number by which the shop knows them.
    async fn customer_number(&self) -> Option<&str> {
        self.0.customer_number.as_deref()
    }

    /// Where they live.
    async fn country(&self) -> &str {
        &self.0.country
    }

    /// What they are called.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Where they are written to.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Whether they may order.
    async fn status(&self) -> CustomerStatus {
        self.0.status.into()
    }

    /// When they registered.
    async fn registered_at(&self) -> DateTime {
        DateTime(self.0.registered_at)
    }

    /// For `If-Match` on commands to this user.
    async fn revision(&self) -> Revision {
        Revision(self.0.revision)
    }

    /// Since when events of it wait, because one cannot be shown yet: what is shown here is from before. Null when none do.
    async fn parked_since(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        parked_since(ctx, self.0.user_id).await
    }
}

/// Whether a customer may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Status")]
pub(crate) enum CustomerStatus {
    /// May.
    Active,
    /// May not any more.
    Deactivated,
}

/// Questions about customers.
#[derive(Default)]
pub(super) struct CustomerQuery;

#[Object]
impl CustomerQuery {
    /// The customer with this number; null when there is none.
    async fn customer(
        &self,
        ctx: &Context<'_>,
        number: String,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Option<Result<Customer>> {
        or_null(Customer::find(ctx, "customer_number", &number).await)
    }

    /// Customers in the order in which they registered, 20 a page unless said otherwise.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(DEFAULT_SIZE)", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this very query: the page begins behind it.")] after: Option<String>,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<PageOf<Customer>> {
        let order = Order {
            name: "registered".to_owned(),
            column: "registered_at",
            key: KeyType::Moment,
            id: "user_id",
            direction: SortDirection::Asc,
        };
        let page = Page::new(first, after.as_deref(), order)?;
        Ok(page.read(ctx, (&CUSTOMERS, &CUSTOMER), Conditions::default, Customer::read_all).await?)
    }
}

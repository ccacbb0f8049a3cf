//! Questions about orders.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use contract::{ApiError, ErrorCode, PublicId, PublicIdError};
use read_model::shop::{ORDERS, OrderStatus as Status, SHOP};
use serde_json::json;
use uuid::Uuid;

use super::{KIND, Order, OrderStatus};
use crate::error::Failure;
use crate::schema::or_null;
use crate::schema::page::{self, Conditions, DEFAULT_SIZE, KeyType, Page, PageOf, SortDirection, cost};
use crate::schema::scalar::{AsOf, DateTime};

/// Which orders; what is left out does not matter.
#[derive(Debug, Clone, Default, InputObject)]
struct OrderFilter {
    /// Only those of the customer with this number.
    customer_number: Option<String>,
    /// Only with this status.
    status: Option<OrderStatus>,
    /// Only those placed at this moment or later.
    placed_from: Option<DateTime>,
    /// Only those placed at this moment or earlier.
    placed_to: Option<DateTime>,
}

impl OrderFilter {
    fn check(&self) -> Result<(), Failure> {
        match (self.placed_from, self.placed_to) {
            (Some(DateTime(from)), Some(DateTime(to))) if from > to => {
                Err(invalid("`placedFrom` is later than `placedTo`", "filter"))
            }
            _ => Ok(()),
        }
    }

    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(number) = &self.customer_number {
            let at = conditions.parameter(Arc::new(number.clone()));
            conditions.add(format!("customer_number = ${at}"));
        }
        if let Some(status) = self.status {
            let at = conditions.parameter(Arc::new(Status::from(status).as_str()));
            conditions.add(format!("status = ${at}"));
        }
        if let Some(DateTime(from)) = self.placed_from {
            let at = conditions.parameter(Arc::new(from));
            conditions.add(format!("placed_at >= ${at}"));
        }
        if let Some(DateTime(to)) = self.placed_to {
            let at = conditions.parameter(Arc::new(to));
            conditions.add(format!("placed_at <= ${at}"));
        }
        conditions
    }
}

/// Questions about orders.
#[derive(Default)]
pub(in crate::schema) struct OrderQuery;

#[Object]
impl OrderQuery {
    /// The order with this id or this number, of which exactly one must be given; null when there is none.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its `id`, or the UUID by which REST knows it.")] id: Option<ID>,
        #[graphql(desc = "Its number on paper.")] number: Option<String>,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Option<Result<Order>> {
        or_null(one(ctx, id, number).await)
    }

    /// Orders, newest first, 20 a page unless said otherwise.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all when it is left out.")] filter: Option<OrderFilter>,
        #[graphql(default_with = "Some(DEFAULT_SIZE)", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this very query: the page begins behind it.")] after: Option<String>,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<PageOf<Order>> {
        let filter = filter.unwrap_or_default();
        filter.check()?;
        let order = page::Order {
            name: "placed".to_owned(),
            column: "placed_at",
            key: KeyType::Moment,
            id: "order_id",
            direction: SortDirection::Desc,
        };
        let page = Page::new(first, after.as_deref(), order)?;
        Ok(page.read(ctx, (&SHOP, &ORDERS), || filter.conditions(), Order::read_all).await?)
    }
}

async fn one(ctx: &Context<'_>, id: Option<ID>, number: Option<String>) -> Result<Option<Order>, Failure> {
    match (id, number) {
        (Some(id), None) => Order::by_id(ctx, order_id(&id)?).await,
        (None, Some(number)) => Order::find(ctx, "number", &number).await,
        _ => Err(invalid("give exactly one of `id` and `number`", "id")),
    }
}

/// The UUID in an id that GraphQL or REST gave out for an order.
fn order_id(text: &str) -> Result<Uuid, Failure> {
    let given = match text.parse::<PublicId>() {
        Ok(id) => (id.kind == KIND).then_some(id.id),
        Err(PublicIdError) => Uuid::try_parse(text).ok(),
    };
    given.ok_or_else(|| invalid("not the id of an order", "id"))
}

fn invalid(message: &str, argument: &str) -> Failure {
    ApiError::new(ErrorCode::InvalidInput)
        .with_message(message)
        .with_details(json!({"argument": argument}))
        .into()
}

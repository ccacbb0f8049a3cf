//! What belongs to the orders of one page. Each kind is read by one statement for all of them, when the first of them is
//! asked for it; so an answer takes as many statements for a long page as for a short one.

use std::collections::HashMap;

use async_graphql::Context;
use read_model::shop::{
    ORDER_LINES, OrderRow, PAYMENTS, PaymentRow, RETURNS, ReturnRow, SHIPMENTS, SHOP, ShipmentRow,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::line::LinesOf;
use super::{Payment, Return, Shipment};
use crate::error::Failure;
use crate::schema::customer::Customer;
use crate::schema::once::Once;
use crate::schema::read_context;

/// By the order they belong to.
type ByOrder<T> = HashMap<Uuid, Vec<T>>;

/// What belongs to the orders of one page.
pub(super) struct Mates {
    /// Their lines.
    pub(super) lines: LinesOf,
    orders: Vec<Uuid>,
    buyers: Vec<Uuid>,
    customers: Once<HashMap<Uuid, Customer>>,
    payments: Once<ByOrder<Payment>>,
    shipments: Once<ByOrder<Shipment>>,
    returns: Once<ByOrder<Return>>,
}

impl Mates {
    /// For the orders of a page.
    pub(super) fn new(page: &[OrderRow]) -> Self {
        let documents = page.iter().map(|order| (order.order_id, order.gross.currency, order.line_count));
        Self {
            lines: LinesOf::new(&ORDER_LINES, documents),
            orders: page.iter().map(|order| order.order_id).collect(),
            buyers: page.iter().filter_map(|order| order.customer_id).collect(),
            customers: Once::default(),
            payments: Once::default(),
            shipments: Once::default(),
            returns: Once::default(),
        }
    }

    /// A buyer, if there is a row of them.
    pub(super) async fn customer(&self, ctx: &Context<'_>, id: Uuid) -> Result<Option<&Customer>, Failure> {
        let all = self.customers.get(Customer::by_ids(ctx, &self.buyers)).await?;
        Ok(all.get(&id))
    }

    /// The payments of an order.
    pub(super) async fn payments(&self, ctx: &Context<'_>, order: Uuid) -> Result<&[Payment], Failure> {
        let read = async {
            let rows = read_context(ctx)
                .rows(&SHOP, &PAYMENTS, "order_id", "requested_at, payment_id", &self.orders)
                .await?;
            let payments = read_rows(&rows, PaymentRow::read)?;
            Ok(by_order(payments.into_iter().map(|row| (row.order_id, Payment(row)))))
        };
        Ok(slice_of(self.payments.get(read).await?, order))
    }

    /// The shipments of an order.
    pub(super) async fn shipments(&self, ctx: &Context<'_>, order: Uuid) -> Result<&[Shipment], Failure> {
        let read = async {
            let rows = read_context(ctx)
                .rows(&SHOP, &SHIPMENTS, "order_id", "requested_at, shipment_id", &self.orders)
                .await?;
            let shipments = read_rows(&rows, ShipmentRow::read)?;
            Ok(by_order(shipments.into_iter().map(|row| (row.order_id, Shipment(row)))))
        };
        Ok(slice_of(self.shipments.get(read).await?, order))
    }

    /// The returns that name an order.
    pub(super) async fn returns(&self, ctx: &Context<'_>, order: Uuid) -> Result<&[Return], Failure> {
        let read = async {
            let rows = read_context(ctx)
                .rows(&SHOP, &RETURNS, "order_id", "received_at, return_id", &self.orders)
                .await?;
            let returns = Return::with_mates(read_rows(&rows, ReturnRow::read)?);
            Ok(by_order(returns.into_iter().filter_map(|it| Some((it.order()?, it)))))
        };
        Ok(slice_of(self.returns.get(read).await?, order))
    }
}

fn read_rows<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
) -> Result<Vec<T>, tokio_postgres::Error> {
    rows.iter().map(read).collect()
}

fn by_order<T>(items: impl Iterator<Item = (Uuid, T)>) -> ByOrder<T> {
    let mut groups = ByOrder::new();
    for (order, item) in items {
        groups.entry(order).or_default().push(item);
    }
    groups
}

fn slice_of<T>(groups: &ByOrder<T>, order: Uuid) -> &[T] {
    groups.get(&order).map_or(&[], Vec::as_slice)
}

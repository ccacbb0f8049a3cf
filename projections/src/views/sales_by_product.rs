//! Summary `sales_by_product`: what was sold of a product on a day, at whatever prices.

use domain::ids::OrderId;
use engine::{Column, Contributes, SqlType, SummaryView, Table, Value};
use jiff::civil::Date;
use uuid::Uuid;

use super::order_lines::{LinesOfOrder, OrderLines};

static TABLE: Table = Table {
    name: "sales_by_product",
    key: &[
        Column::new("day", SqlType::Date),
        Column::new("product_id", SqlType::Uuid),
        Column::new("sku", SqlType::Text),
    ],
    data: &[Column::new("units", SqlType::BigInt), Column::new("revenue", SqlType::BigInt)],
    person: None,
    history: true,
};

pub(crate) struct SalesByProduct;

impl SummaryView for SalesByProduct {
    type Key = (Date, Uuid, String);

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn store_key(&self, (day, product_id, sku): &(Date, Uuid, String)) -> Vec<Value> {
        vec![(*day).into(), (*product_id).into(), sku.as_str().into()]
    }
}

impl Contributes<OrderLines> for SalesByProduct {
    fn contributions(&self, _: &OrderId, order: &LinesOfOrder) -> Vec<((Date, Uuid, String), Vec<i64>)> {
        if order.cancelled {
            return Vec::new();
        }
        let lines = order.lines.iter().map(|line| {
            let key = (order.sale_day, line.product_id, line.sku.clone());
            (key, vec![line.quantity, line.amount_minor()])
        });
        lines.collect()
    }
}

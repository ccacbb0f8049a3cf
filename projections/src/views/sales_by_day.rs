//! Summary `sales_by_day`: what was sold and what came back on a day.

use domain::ids::{OrderId, ReturnId};
use engine::{Column, Contributes, SqlType, SummaryView, Table, Value};
use jiff::civil::Date;

use super::orders::{Order, Orders};
use super::returns::{Return, Returns};

static TABLE: Table = Table {
    name: "sales_by_day",
    key: &[Column::new("day", SqlType::Date)],
    data: &[
        Column::new("orders", SqlType::BigInt),
        Column::new("guest_orders", SqlType::BigInt),
        Column::new("units", SqlType::BigInt),
        Column::new("gross", SqlType::BigInt),
        Column::new("returns", SqlType::BigInt),
        Column::new("returned", SqlType::BigInt),
    ],
    person: None,
    history: true,
};

pub(crate) struct SalesByDay;

impl SummaryView for SalesByDay {
    type Key = Date;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn store_key(&self, day: &Date) -> Vec<Value> {
        vec![(*day).into()]
    }
}

impl Contributes<Orders> for SalesByDay {
    fn contributions(&self, _: &OrderId, order: &Order) -> Vec<(Date, Vec<i64>)> {
        if !order.is_sale() {
            return Vec::new();
        }
        let guest_orders = i64::from(order.customer.is_none());
        vec![(order.sale_day, vec![1, guest_orders, order.units, order.gross.minor, 0, 0])]
    }
}

impl Contributes<Returns> for SalesByDay {
    fn contributions(&self, _: &ReturnId, row: &Return) -> Vec<(Date, Vec<i64>)> {
        vec![(row.return_day, vec![0, 0, 0, 0, 1, row.returned.minor])]
    }
}

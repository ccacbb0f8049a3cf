//! Summary `sales_by_customer`: what was sold to a registered customer on a day. Guests are nobody here.

use domain::ids::OrderId;
use engine::{Column, Contributes, SqlType, SummaryView, Table, Value};
use jiff::civil::Date;

use super::orders::{Order, Orders};

static TABLE: Table = Table {
    name: "sales_by_customer",
    key: &[Column::new("day", SqlType::Date), Column::new("customer_number", SqlType::Text)],
    data: &[Column::new("orders", SqlType::BigInt), Column::new("gross", SqlType::BigInt)],
    person: None,
    history: true,
};

pub(crate) struct SalesByCustomer;

impl SummaryView for SalesByCustomer {
    type Key = (Date, String);

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn store_key(&self, (day, customer_number): &(Date, String)) -> Vec<Value> {
        vec![(*day).into(), customer_number.as_str().into()]
    }
}

impl Contributes<Orders> for SalesByCustomer {
    fn contributions(&self, _: &OrderId, order: &Order) -> Vec<((Date, String), Vec<i64>)> {
        match &order.customer {
            Some((_, customer_number)) if order.is_sale() => {
                vec![((order.sale_day, customer_number.clone()), vec![1, order.gross.minor])]
            }
            _ => Vec::new(),
        }
    }
}

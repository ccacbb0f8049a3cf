//! Summary `sales_by_country`: what was sold to a country on a day.

use domain::ids::OrderId;
use engine::{Column, Contributes, SqlType, SummaryView, Table, Value};
use jiff::civil::Date;

use super::orders::{Order, Orders};

static TABLE: Table = Table {
    name: "sales_by_country",
    key: &[Column::new("day", SqlType::Date), Column::new("country", SqlType::Text)],
    data: &[Column::new("orders", SqlType::BigInt), Column::new("gross", SqlType::BigInt)],
    person: None,
    history: true,
};

pub(crate) struct SalesByCountry;

impl SummaryView for SalesByCountry {
    type Key = (Date, String);

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn store_key(&self, (day, country): &(Date, String)) -> Vec<Value> {
        vec![(*day).into(), country.as_str().into()]
    }
}

impl Contributes<Orders> for SalesByCountry {
    fn contributions(&self, _: &OrderId, order: &Order) -> Vec<((Date, String), Vec<i64>)> {
        if !order.is_sale() {
            return Vec::new();
        }
        vec![((order.sale_day, order.country.clone()), vec![1, order.gross.minor])]
    }
}

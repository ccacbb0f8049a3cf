//! What the shop's views are: one file a view, each a pure fold of events into rows. The engine does all reading and
//! writing; the tables stand in `read-model`.

mod decoder;
pub mod metrics;
pub mod search;
mod views;

use domain::ShopEvent;
use domain::{order, payment, product, returns, shipment, stock, user};
use engine::{Entity, Projection};
use jiff::tz::TimeZone;
use read_model::{catalogue::CATALOGUE, customers::CUSTOMERS, shop::SHOP};

pub use decoder::decoder;

/// What the views depend on besides the events.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The zone whose days the sales are summed up by.
    pub shop_time_zone: TimeZone,
}

/// Every projection of the shop.
#[must_use]
pub fn all(settings: &Settings) -> Vec<Projection<ShopEvent>> {
    vec![catalogue(), customers(), shop(&settings.shop_time_zone)]
}

/// Products with their stock, and their texts.
#[must_use]
pub fn catalogue() -> Projection<ShopEvent> {
    Projection::new(CATALOGUE.name, newest(&CATALOGUE), &[product::CATEGORY, stock::CATEGORY])
        .entity(Entity::new(views::products::Products))
        .entity(Entity::new(views::product_texts::ProductTexts))
}

/// Who is registered.
#[must_use]
pub fn customers() -> Projection<ShopEvent> {
    Projection::new(CUSTOMERS.name, newest(&CUSTOMERS), &[user::CATEGORY])
        .entity(Entity::new(views::customers::Customers))
}

/// Orders, payments, shipments and returns, and what they sum up to by day, country, customer and product. Days are
/// those of the zone.
#[must_use]
pub fn shop(zone: &TimeZone) -> Projection<ShopEvent> {
    use views::sales_by_country::SalesByCountry;
    use views::sales_by_customer::SalesByCustomer;
    use views::sales_by_day::SalesByDay;
    use views::sales_by_product::SalesByProduct;

    const CATEGORIES: &[&str] = &[order::CATEGORY, payment::CATEGORY, shipment::CATEGORY, returns::CATEGORY];
    let orders = views::orders::Orders { zone: zone.clone() };
    let order_lines = views::order_lines::OrderLines { zone: zone.clone() };
    let returns = views::returns::Returns { zone: zone.clone() };
    let zone = zone.iana_name().unwrap_or("without a name");
    Projection::new(SHOP.name, newest(&SHOP), CATEGORIES)
        .with_settings(format!("the time zone {zone}"))
        .entity(
            Entity::new(orders).sums_into(SalesByDay).sums_into(SalesByCountry).sums_into(SalesByCustomer),
        )
        .entity(Entity::new(order_lines).sums_into(SalesByProduct))
        .entity(Entity::new(views::payments::Payments))
        .entity(Entity::new(views::shipments::Shipments))
        .entity(Entity::new(returns).sums_into(SalesByDay))
        .entity(Entity::new(views::return_lines::ReturnLines))
}

/// The fold that this binary brings about.
fn newest(projection: &read_model::Projection) -> i32 {
    *projection.folds.last().expect("every projection of the read model has a fold")
}
